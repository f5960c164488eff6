"""there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cn import UserError
from data._dataset import Dataset
from data._download import fetch, local
from data._sequences import Sequences, sequences
from data._split import hold_out
from data._tsv import Rows, Source, read
from data.tokenizer import Tokenizer

if TYPE_CHECKING:
    from data.glue import Layout

TRAIN = "train.tsv"
SHOWN = 5  # names per message


def find(layout: Layout, *, root: Path | None, address: str, holder: str = "data") -> Source:
    """Return the files of a task, from a user's own folder or the cache; UserError if they are in neither.

    holder: whose field `root` is, in messages.
    """
    names = [f"{layout.folder}/{name}" for name in (TRAIN, layout.test, *layout.others.values())]
    put = f"put {', '.join(names)} into a folder, as GLUE has them, and write: {holder}.root=FOLDER"
    if root is None:
        if layout.archive is None:
            what = f"{holder}: {layout.folder} is not fetched, since no archive of it with a known md5 is published"
            raise UserError(what, put)
        name, md5 = layout.archive
        (archive,) = fetch([name], md5={name: md5}, address=address, folder="glue", nearest=None)
        return Source(archive, layout.folder)
    root = root.expanduser().absolute()
    if not root.is_dir():
        raise UserError(f"{holder}.root is '{root}', which is not a folder", put)
    if layout.archive is not None and (root / layout.archive[0]).is_file():
        name, md5 = layout.archive
        (archive,) = local([name], md5={name: md5}, root=root)
        return Source(archive, layout.folder)
    if not (root / layout.folder).is_dir():
        near = (each for each in (root.parent, *sorted(root.iterdir())) if (each / layout.folder / TRAIN).is_file())
        nearest = next((f"nearest: {holder}.root='{each}'" for each in near), None)
        there = sorted(each.name for each in root.iterdir())
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        held = f"it holds {', '.join(there[:SHOWN])}{more}" if there else "it is empty"
        what = f"{holder}.root is '{root}', which lacks the folder {layout.folder}"
        raise UserError(what, nearest, held, put)
    if missing := [name for name in names if not (root / name).is_file()]:
        raise UserError(f"{holder}.root is '{root}', which lacks {', '.join(missing)}", put)
    return Source(root, layout.folder)


def load(source: Source, layout: Layout, *, tokenizer: Tokenizer, length: int, validation: float, seed: int) -> Dataset:
    """Return the splits of a task. The vocabulary is learnt from the training part; scores are scaled to mean 0 and
    deviation
    """
    rows = read(source, TRAIN, layout)
    classes = rows.labels if layout.classes else np.zeros(len(rows.labels), np.int64)
    held, train = (rows.at(index) for index in hold_out(classes, validation, seed=seed, noun="rows"))
    vocabulary = tokenizer.build(text for column in train.sentences for text in column)
    mean, deviation = (0.0, 1.0) if layout.classes else (train.labels.mean(), train.labels.std() or 1.0)

    def split(part: Rows) -> Sequences:
        labels = torch.from_numpy(part.labels)
        labels = labels if layout.classes else ((labels - mean) / deviation).float()
        return sequences(part.sentences, labels, vocabulary, length=length)

    return Dataset(
        split(train),
        split(held),
        split(read(source, layout.test, layout)),
        (length,),
        tuple(layout.classes.values()),
        targets=() if layout.classes else (layout.label,),
        unit=None if layout.classes else torch.tensor([deviation]),
        noun="rows",
        vocabulary=vocabulary,
        others={name: split(read(source, file, layout)) for name, file in layout.others.items()},
    )
