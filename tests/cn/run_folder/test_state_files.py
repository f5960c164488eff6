"""State files are read in one way, which tells what is wrong with one, and with which."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from cn.run_folder.state_files import DamagedError, built, clear, content, make_way, parsed, read


class Word(StrEnum):
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True)
class Kind:
    name: str
    state: Literal["a", "b"]
    seconds: float
    words: tuple[str, ...] = ()
    status: int | None = None
    word: Word = Word.GOOD


RIGHT = '{"name": "n", "state": "a", "seconds": 1, "words": ["x"], "status": null, "newer": 3}'


def made(path: Path) -> Kind:
    return built(Kind, read(path), path)


def test_what_is_right_is_read_and_what_is_not_there_is_nothing(tmp_path: Path):
    path = tmp_path / "file.json"
    assert (read(path), content(path)) == (None, None)
    path.write_text(RIGHT)
    assert made(path) == Kind("n", "a", 1, ("x",))
    assert content(path, last=2) == b"3}"


def test_a_word_becomes_the_member_that_it_names(tmp_path: Path):
    path = tmp_path / "file.json"
    path.write_text(RIGHT.replace("3}", '3, "word": "bad"}'))
    assert made(path).word is Word.BAD
    for wrong in ('"BAD"', "3", "null"):
        path.write_text(RIGHT.replace("3}", f'3, "word": {wrong}}}'))
        with pytest.raises(DamagedError) as damaged:
            made(path)
        assert str(damaged.value) == f"{path} is damaged: it holds word={wrong}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it is empty"),
        (RIGHT[:20].encode(), "it holds no JSON: Unterminated string starting at"),
        (b"\xff\xfe\x00", "it holds bytes that are no text"),
        (b"[" * 100_000, "it holds no JSON: too deep"),
        (b"9" * 5000, "it holds no JSON: Exceeds the limit (4300 digits) for integer string conversion"),
        (b"null", "it holds no object"),
        (b"[3]", "it holds no object"),
        (b"{}", "it holds no name"),
        (RIGHT.replace('"n"', "3").encode(), "it holds name=3"),
        (RIGHT.replace('"n"', '"a\\u0000"').encode(), r'it holds name="a\u0000"'),
        (RIGHT.replace('"a"', '"c"').encode(), 'it holds state="c"'),
        (RIGHT.replace("1", "NaN").encode(), "it holds seconds=NaN"),
        (RIGHT.replace("1", "true").encode(), "it holds seconds=true"),
        (RIGHT.replace("1", "1e300").encode(), "it holds seconds=1e+300"),
        (RIGHT.replace('["x"]', "[1]").encode(), "it holds words=[1]"),
        (RIGHT.replace("null", "1.5").encode(), "it holds status=1.5"),
    ],
)
def test_what_a_file_cannot_hold_is_told_with_its_name(tmp_path: Path, text: bytes, why: str):
    path = tmp_path / "file.json"
    path.write_bytes(text)
    with pytest.raises(DamagedError, match=f"^{re.escape(f'{path} is damaged: {why}')}$"):
        made(path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.mkdir, "it is a folder"),
        (os.mkfifo, "it is no file"),
        (lambda path: path.symlink_to("nowhere"), "it is a link to what is not there"),
        (lambda path: path.symlink_to(path.name), "it cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_told_with_its_name_and_set_aside(tmp_path: Path, make: Callable[[Path], Any], why: str):
    path = tmp_path / "file.json"
    make(path)
    with pytest.raises(DamagedError) as damaged:
        read(path)
    assert str(damaged.value) == f"{path} is damaged: {why}"
    clear(path)
    path.touch()
    clear(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.json", "file.json.damaged"]


def test_what_has_the_place_of_a_written_file_is_kept_beside_it(tmp_path: Path):
    path, partial = tmp_path / "file", tmp_path / "partial"
    for number in range(2):
        path.mkdir()
        partial.write_text(str(number))
        make_way(path)
        partial.rename(path)
        assert path.read_text() == str(number)
        path.unlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.damaged", "file.damaged.2"]


def test_a_file_below_a_file_is_damaged(tmp_path: Path):
    (tmp_path / "folder").touch()
    path = tmp_path / "folder" / "file"
    with pytest.raises(DamagedError) as damaged:
        read(path)
    assert str(damaged.value) == f"{path} is damaged: it cannot be read: Not a directory"


def test_a_line_is_parsed_as_the_file_that_it_is_of(tmp_path: Path):
    with pytest.raises(DamagedError, match=r"lines is damaged: it holds no JSON: Extra data$"):
        parsed(b"1 2", tmp_path / "lines")
