"""The comments of a YAML text, each at the key or the item of a list that it is about."""

from __future__ import annotations

import re
from itertools import dropwhile
from typing import TYPE_CHECKING

from cn.importing.reading.headers import HEADER

if TYPE_CHECKING:
    from cn.importing.reading.yaml_files import File, Keys


def attach(file: File, rows: list[str]) -> None:
    """Attach each comment to what begins on its line, else to what begins on the next line that is no comment.

    The first block of comments is that of the file if an empty line or the defaults list follows it. The lines of
    comments that no key and no item has are noted in `file.left`.
    """
    starts: dict[int, Keys] = {}
    for keys, line in file.lines.items():
        starts.setdefault(line, keys)
    block: list[tuple[int, str]] = []  # the lines of comments above, with their numbers; "" for an empty line
    seen_key = False
    for number, row in enumerate(rows, 1):
        plain = row.strip()
        if number in file.texts:
            continue
        if plain.startswith("#"):
            if not HEADER.match(plain):
                block.append((number, plain.lstrip("#").strip()))
            continue
        if not plain:
            if block and not seen_key and not file.head:
                file.head, block = [text for _, text in block], []
            else:
                block = block and [*block, (0, "")]
            continue
        keys = starts.get(number)
        if keys == ("defaults",) and not seen_key and not file.head:
            file.head, block = [text for _, text in block], []
        if keys is None or keys[0] == "defaults":
            file.left += [line for line, text in block if text]
            file.left += [number] if _beside(row) else []
        else:
            _attach(file, keys, block, rows, number)
        seen_key = seen_key or keys is not None
        block = []
    file.left += [line for line, text in block if text]


def _attach(file: File, keys: Keys, block: list[tuple[int, str]], rows: list[str], number: int) -> None:
    """Attach the last paragraph of a block of comments, and the comment beside a line."""
    while block and not block[-1][1]:
        block.pop()
    texts = [text for _, text in block]
    if texts:
        last = texts.index("") + 1 if "" in texts else 0
        file.above[keys] = list(dropwhile(lambda text: not text, texts[last:]))
        file.left += [line for line, text in block[:last] if text]
        if _heads_block(rows, number, len(block)):
            file.headings.add(keys)
    if text := _beside(rows[number - 1]):
        file.beside[keys] = text


def _heads_block(rows: list[str], number: int, above: int) -> bool:
    """Return whether the comment above a line follows an empty line, and another key of the same depth the line."""
    before = rows[number - above - 2].strip() if number - above - 2 >= 0 else ""
    row, after = rows[number - 1], rows[number] if number < len(rows) else ""
    depth = len(row) - len(row.lstrip())
    return not before and bool(re.match(rf"\s{{{depth}}}[^\s#-]", after))


def _beside(row: str) -> str:
    """Return the comment at the end of a line: after a `#` that follows a space and stands outside of quotes."""
    quote, place = "", 0
    while place < len(row):
        letter = row[place]
        if quote and row.startswith("\\" if quote == '"' else "''", place):
            place += 1  # what follows is no end of the text
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and row[:place].rstrip().endswith((":", "-", "[", ",", "{")):
            quote = letter
        elif letter == "#" and place and row[place - 1] in " \t":
            return row[place + 1 :].strip().lstrip("#").strip()
        place += 1
    return ""
