"""Checks whether a checkpoint belongs to a run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from cn.errors import lines, short
from cn.run_folder.folder import again
from data.tokenizer._vocabulary import from_record
from runs._checkpoint import Unreadable

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary
    from runs._training.state import Training

NEEDED = ("step", "per_epoch", "module")
TOKENS = "tokenizer.json"


def refuse_other(state: Any, path: Path, training: Training) -> None:
    """Raise Unreadable if the file is no checkpoint, or is one of another network, of other data, classes or tokens."""
    found = cast("dict[str, Any]", state if isinstance(state, dict) else {})
    absent = [name for name in NEEDED if name not in found]
    if absent:
        raise Unreadable(f"{path} is not a checkpoint of a run: it has no {absent[0]!r}")
    stored, own = cast("dict[str, Tensor]", found["module"]), training.module.state_dict()
    wrong = _apart({name: tuple(each.shape) for name, each in stored.items()}, own)
    if found["per_epoch"] != training.per_epoch:
        wrong = f"it counts {found['per_epoch']} steps an epoch, and the run {training.per_epoch}"
    wrong = wrong or _other_class(found.get("classes"), training.dataset.classes)
    anew = None
    if wrong is None and other_tokens(path.parent, training.dataset.vocabulary):
        wrong = "its embeddings are those of other tokens than the data have"
        anew = f"to begin a new run from it: {again(path.parent)} init={shlex.quote(str(path))} {tokens(path.parent)}"
    if wrong is not None:
        why = "it came from another run, or the code or the data of this one have changed"
        raise Unreadable(lines(f"{path} does not fit the run in {path.parent}", wrong, why, anew))


def other_tokens(folder: Path, vocabulary: Vocabulary | None) -> bool:
    """Return whether the run in a folder numbered the tokens otherwise than the data do."""
    file = folder / TOKENS
    if vocabulary is None or not file.is_file():
        return False
    record = json.loads(file.read_text())
    # another version of the library may write the same tokens otherwise
    return record != vocabulary.record() and from_record(record).record() != vocabulary.record()


def tokens(folder: Path) -> str:
    """Return the words of the command line that choose the tokens of the run in a folder."""
    return f"data/tokenizer=file data.tokenizer.path={shlex.quote(str(folder / TOKENS))}"


def _other_class(stored: Sequence[str] | None, own: Sequence[str]) -> str | None:
    """Return a message about the first class that has another name, or None; old checkpoints store no names."""
    for number, (name, now) in enumerate(zip_longest(own if stored is None else stored, own)):
        if name != now:
            return f"its class {number} is {short(repr(name))}, and that of the data {short(repr(now))}"
    return None


def _apart(stored: dict[str, tuple[int, ...]], own: dict[str, Tensor]) -> str | None:
    """Return a message about the first weight that differs, or None."""
    for name, each in own.items():
        if name not in stored:
            return f"it has no {short(name)}, which the network has"
        if stored[name] != tuple(each.shape):
            return f"its {short(name)} is {_shape(stored[name])}, and that of the network {_shape(tuple(each.shape))}"
    more = [name for name in stored if name not in own]
    return f"it has {short(more[0])}, which the network has not" if more else None


def _shape(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes)) or "a number"
