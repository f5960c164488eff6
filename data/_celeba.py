"""CelebA in its published layout: JPEGs, a table of attributes, and the partition into train, validation and test."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from cn.errors import UserError
from cn.files import remove_unfinished, replacing
from data._download import cache
from data._progress import bar
from data._split import Part, Pixels

PICTURES, ATTRIBUTES, PARTITION = "img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"
PARTS = ("0", "1", "2")  # train, validation and test in the partition file
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # Pillow's errors for a damaged file


def read_celeba(
    root: Path, *, size: int, fraction: float, superclass: str, subclass: str | None
) -> tuple[Part, Part, Part]:
    """Return train, validation and test: images `n 3 size size`, and labels in the order of `class_names`."""
    root = root.expanduser().absolute()
    missing = [name for name in (PICTURES, ATTRIBUTES, PARTITION) if not (root / name).exists()]
    if missing:
        what = f"CelebA is not in '{root}', which lacks {', '.join(missing)}"
        by_hand = f"its authors give it out by hand: put {PICTURES}/ unpacked, {ATTRIBUTES} and {PARTITION} there"
        otherwise = "or name their folder with data.root=FOLDER, or use data=digits, which needs no download"
        raise UserError(what, by_hand, otherwise)
    parts = _partition(root / PARTITION)
    names = [part[: max(1, round(fraction * len(part)))] for part in parts]
    wanted = [superclass] if subclass is None else [superclass, subclass]
    table = _attributes(root / ATTRIBUTES, wanted)
    try:
        labels = [np.array([_label(table[name]) for name in part]) for part in names]
    except KeyError as error:
        raise UserError(f"'{root / ATTRIBUTES}' has no line for {error}, which '{root / PARTITION}' names") from None
    images = _decoded(root / PICTURES, [name for part in names for name in part], size)
    train, validation, test = np.split(images, np.cumsum([len(part) for part in names])[:-1])
    return (train, labels[0]), (validation, labels[1]), (test, labels[2])


def class_names(superclass: str, subclass: str | None) -> list[str]:
    """Return class names in label order: not_smiling and smiling, or each of them followed by not_male and male."""
    names = [f"not_{superclass}", superclass]
    return names if subclass is None else [f"{name}_{end}" for name in names for end in (f"not_{subclass}", subclass)]


def _label(signs: list[bool]) -> int:
    return int("".join("01"[sign] for sign in signs), 2)


def _partition(path: Path) -> list[list[str]]:
    """Return the files of train, validation and test, in the order of the table."""
    rows = [line.split() for line in _lines(path) if line.strip()]
    wrong = next((number for number, row in enumerate(rows, 1) if len(row) != 2 or row[1] not in PARTS), None)
    if wrong is not None:
        raise UserError(f"'{path}' is damaged: line {wrong} is not the name of a file and 0, 1 or 2")
    parts = [[name for name, part in rows if part == wanted] for wanted in PARTS]
    if not all(parts):
        counts = ", ".join(str(len(part)) for part in parts)
        raise UserError(f"'{path}' is damaged: train, validation and test would have {counts} images")
    return parts


def _attributes(path: Path, wanted: list[str]) -> dict[str, list[bool]]:
    """Return whether each picture has each of the wanted attributes."""
    _, header, *body = [*_lines(path), "", ""]
    columns = [name.lower() for name in header.split()]
    if absent := [name for name in wanted if name not in columns]:
        raise UserError(f"'{path}' is damaged: its second line does not name {' or '.join(absent)}")
    places = [columns.index(name) + 1 for name in wanted]
    table: dict[str, list[bool]] = {}
    for number, row in enumerate(map(str.split, body), 3):
        if row and (len(row) != len(columns) + 1 or not {row[place] for place in places} <= {"1", "-1"}):
            raise UserError(f"'{path}' is damaged: line {number} is not a name and {len(columns)} times 1 or -1")
        if row:
            table[row[0]] = [row[place] == "1" for place in places]
    return table


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' cannot be read: {error}") from None


def _decoded(folder: Path, names: list[str], size: int) -> Pixels:
    """Return images `n 3 size size`, cached until the folder's modification time changes."""
    text = "\n".join([str(folder.resolve()), str(folder.stat().st_mtime_ns), str(size), *names])
    kept = cache("celeba") / f"decoded_{size}_{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
    try:
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(kept.with_suffix(".lock")):
                if not kept.exists():
                    _keep(_decode(folder, names, size), kept)
    except OSError as error:
        what = f"'{kept}' cannot be written: {error.strerror}"
        raise UserError(what, "XDG_CACHE_HOME chooses another place") from None
    try:
        return np.load(kept)
    except (OSError, EOFError, ValueError):
        raise UserError(f"'{kept}' cannot be read", "delete it, and it is made again") from None


def _keep(images: Pixels, path: Path) -> None:
    """Write the images atomically; the caller must hold the lock of the path."""
    remove_unfinished(path.parent, path.name)
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, images)


def _decode(folder: Path, names: list[str], size: int) -> Pixels:
    there = set(os.listdir(folder))
    if missing := [name for name in names if name not in there]:
        raise UserError(f"'{folder}' lacks {len(missing)} of {len(names)} pictures, the first of them {missing[0]}")
    images = np.empty((len(names), 3, size, size), np.uint8)
    with bar(f"decoding {len(names)} pictures") as show, ThreadPoolExecutor() as pool:
        for done, pixels in enumerate(pool.map(lambda name: _picture(folder / name, size), names)):
            images[done] = pixels
            show(done + 1, len(names))
    return images


def _picture(path: Path, size: int) -> Pixels:
    """Return the central square of a picture, as `3 size size`."""
    try:
        with Image.open(path) as picture:
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            square = picture.convert("RGB").crop((left, top, left + side, top + side))
    except UNREADABLE as error:
        raise UserError(f"'{path}' is damaged or no picture: {error}") from None
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
