"""Comments of YAML, as comments of fields and as docstrings."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator

from cn.importing.defaults_lists.contents import Branch, Leaf, Slot
from cn.importing.reading.yaml_files import File

PRAGMA = re.compile(r"(noqa|type:|pyright:|pragma|fmt:|ruff:)")  # comments that tools read


def doc_of(file: File) -> list[str]:
    """Return the docstring of what a file became."""
    return file.head or [f"Was {file.shown}."]


def comments(item: Leaf | Branch | Slot | None) -> tuple[list[str], str]:
    """Return the comment lines above an item of YAML, and the comment beside it."""
    if isinstance(item, Slot) or item is None or item.file is None:
        return [], ""
    keys: tuple[Hashable, ...] = item.keys
    above = [each for each in item.file.above.get(keys, []) if not PRAGMA.match(each)]
    beside = item.file.beside.get(keys, "")
    if len(above) == 1 and keys and _letters(above[0]) == _letters(str(keys[-1])):
        above = []  # it says the name again
    return above, "" if PRAGMA.match(beside) else beside


def is_heading(item: Leaf | Branch | Slot | None) -> bool:
    """Return whether the comment above an item is about the items that follow too."""
    return isinstance(item, (Leaf, Branch)) and item.file is not None and item.keys in item.file.headings


def left_out(files: Iterable[File]) -> Iterator[tuple[str, str]]:
    """Yield the first place in each file of comments that stand at no value, with their number in all files."""
    found = [file for file in files if file.left]
    why = f"comments that stand at no value are left out; lines: {sum(len(file.left) for file in found)}"
    yield from ((f"{file.shown}:{min(file.left)}", why) for file in found)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()
