"""python train.py run=language data=text/file data.path=book.txt"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cn import UserError
from data._parts import PARTS
from data._text import Text


class File(Text):
    """A file of plain text in UTF-8, or a folder of such files, which are read in the order of their names.

    A folder with `train.txt` and, if they are apart, `validation.txt` and `test.txt` has these parts; so has one with
    folders of such names.
    """

    path: Path  # of the file or the folder

    def files(self) -> Mapping[str, list[Path]]:
        path = self.path.expanduser()
        if path.is_file():
            return {"train": [path]}
        if not path.is_dir():
            raise UserError(f"data.path is '{path}', which is neither a file nor a folder")
        parts = {part: _texts(path, names) for part, names in PARTS.items()}
        if not parts["train"]:
            parts = {"train": _below(path)}
        if not parts["train"]:
            what = f"data.path is '{path}', a folder without a text: no file in it ends in .txt"
            raise UserError(what, "write: data.path=FILE for a file of another name")
        return {part: found for part, found in parts.items() if found}


def _texts(folder: Path, names: tuple[str, ...]) -> list[Path]:
    for name in names:
        if (folder / f"{name}.txt").is_file():
            return [folder / f"{name}.txt"]
        if (folder / name).is_dir():
            return _below(folder / name)
    return []


def _below(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*.txt") if each.is_file())
