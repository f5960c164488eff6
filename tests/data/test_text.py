"""Text in windows: what belongs to each part, where windows begin, and that tokens are made once."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cn import UserError
from data.text import _tokens, _unpacked
from data.text._unpacked import MEMBERS, unpacked
from data.text.file import File
from data.text.python import Python
from data.text.tinyshakespeare import TinyShakespeare
from data.tokenizer import Tokenizer
from data.tokenizer.bytes import Bytes
from data.tokenizer.characters import Characters

LINES = [f"line {each} has a number, and another one: {each * each}\n" for each in range(400)]
TEXT = "".join(LINES)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/cn/tokens"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT)
    return path


def build(path: Path, *, seed: int = 1, **how: Any) -> Any:
    return File(**{"path": path, "length": 16, **how}).build(seed=seed)


def text(split: Any) -> str:
    return BYTES.decode(split.tokens.numbers.tolist())


BYTES = Bytes().build([])


def test_the_parts_are_the_text_one_after_another_in_whole_lines(book: Path) -> None:
    data = build(book, tokenizer=Bytes(), validation=0.1, test=0.2)
    parts = [text(each) for each in (data.train, data.validation, data.test)]
    assert "".join(parts) == TEXT
    assert all(each.endswith("\n") for each in parts)
    shares = [len(each) / len(TEXT) for each in parts]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.01)
    assert [each.tokens.bytes for each in (data.train, data.validation, data.test)] == list(map(len, parts))


def test_a_window_is_so_many_tokens_and_the_next_one(book: Path) -> None:
    data = build(book, tokenizer=Bytes())
    assert data.inputs == (16,)
    whole = data.validation.tokens.numbers.astype(np.int64)
    assert len(data.validation) == (len(whole) - 1) // 16
    batch = data.validation.batch(torch.tensor([0, 3, len(data.validation) - 1]))
    assert batch.shape == (3, 17)
    assert batch.dtype == torch.int64
    for row, place in zip(batch.tolist(), (0, 3, len(data.validation) - 1), strict=True):
        assert row == whole[place * 16 : place * 16 + 17].tolist()


def test_windows_of_an_epoch_begin_where_seed_and_epoch_say(book: Path) -> None:
    index = torch.arange(5)
    firsts = {
        (seed, epoch): next(iter(build(book, seed=seed).train.batches([(epoch, [index])]))).tolist()
        for seed in (1, 2)
        for epoch in (0, 1, 2)
    }
    assert len({str(each) for each in firsts.values()}) > 3
    again = build(book, seed=1).train
    both = [each.tolist() for each in again.batches([(1, [index]), (2, [index])])]
    assert both == [firsts[1, 1], firsts[1, 2]]
    last = torch.tensor([len(again) - 1])
    assert all(each.shape == (1, 17) for each in again.batches([(epoch, [last]) for epoch in range(64)]))


def test_a_validation_always_begins_at_the_first_token(book: Path) -> None:
    split = build(book).validation
    (found,) = split.batches([(None, [torch.tensor([0])])])
    assert found.tolist() == split.batch(torch.tensor([0])).tolist()
    assert found[0].tolist() == split.tokens.numbers[:17].tolist()


def test_tokens_are_mapped_from_files_of_two_bytes_each(book: Path, cache: Path) -> None:
    numbers = build(book).train.tokens.numbers
    assert isinstance(numbers, np.memmap)
    assert numbers.dtype == np.uint16
    assert [len(each.name) for each in cache.iterdir() if each.is_dir()] == [32]


def test_tokens_are_made_once(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(book)

    def refuse(*_: object) -> None:
        raise AssertionError("they are made again")

    monkeypatch.setattr(_tokens, "_make", refuse)
    again = build(book, length=32, seed=7)
    assert again.train.tokens.numbers.tolist() == first.train.tokens.numbers.tolist()
    for other in ({"tokenizer": Bytes()}, {"test": 0.2}):
        with pytest.raises(AssertionError, match="made again"):
            build(book, **other)
    book.write_text(TEXT.replace("line 399", "line 39x"))
    with pytest.raises(AssertionError, match="made again"):
        build(book)


@pytest.mark.parametrize("damage", [None, b"", b"x"])
@pytest.mark.parametrize("name", ["parts.json", "tokenizer.json", "train.npy", "test.npy"])
def test_tokens_that_a_disk_lost_are_made_again(book: Path, cache: Path, name: str, damage: bytes | None) -> None:
    """As where a cluster removes old files one by one, or after a power failure."""
    first = build(book)
    (path,) = cache.glob(f"*/{name}")
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    assert build(book).train.tokens.numbers.tolist() == first.train.tokens.numbers.tolist()
    assert path.stat().st_size > 1


def test_another_file_of_a_tokenizer_makes_other_tokens(book: Path, tmp_path: Path) -> None:
    from data.tokenizer.file import File as Vocabulary

    path = tmp_path / "tokenizer.json"
    Characters().build([TEXT]).save(path)
    first = build(book, tokenizer=Vocabulary(path=path)).vocabulary.size
    Characters().build(["abc"]).save(path)
    assert build(book, tokenizer=Vocabulary(path=path)).vocabulary.size < first


KILLED = """
import os, signal, sys
from pathlib import Path
from data.text import _tokens, _unpacked
from data.text.file import File

def mid(spans, vocabulary, path, *rest):
    if path.name == "test.npy":
        print("there", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return encode(spans, vocabulary, path, *rest)

encode, _tokens._encode = _tokens._encode, mid
File(path=Path(sys.argv[1]), length=16).build(seed=1)
"""


@pytest.mark.slow
def test_a_kill_while_tokens_are_made_leaves_none(book: Path, cache: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, book], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.returncode) == ("there\n", -signal.SIGKILL)
    assert [each.suffix for each in cache.iterdir() if each.is_dir()] == [".part"]
    assert text(build(book, tokenizer=Bytes()).train)
    assert len(build(book).train)
    assert not [each for each in cache.iterdir() if each.is_dir() and each.suffix == ".part"]


SHARED = """
import os, sys
from pathlib import Path
from data.text import _tokens, _unpacked
from data.text.file import File

make = _tokens._make
_tokens._make = lambda *args: (print("made", flush=True), make(*args))
data = File(path=Path(sys.argv[1]), length=16).build(seed=1)
print(len(data.train))
"""


@pytest.mark.slow
def test_processes_that_begin_together_make_tokens_once(book: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", SHARED, book], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = sorted("".join(each.communicate()[0] for each in started).split())
    length = str(len(build(book).train))
    assert said == sorted([length] * 3 + ["made"])


def test_a_folder_may_have_parts(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    for name, lines in (("train", LINES[:300]), ("valid", LINES[300:350]), ("test", LINES[350:])):
        (tmp_path / f"text/{name}.txt").write_text("".join(lines))
    data = build(tmp_path / "text", tokenizer=Bytes())
    assert [text(each) for each in (data.train, data.validation, data.test)] == [
        "".join(LINES[:300]),
        "".join(LINES[300:350]),
        "".join(LINES[350:]),
    ]


def test_files_of_a_folder_are_read_by_name_with_a_separator_between(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    (folder / "b").mkdir(parents=True)
    (folder / "a.txt").write_text("".join(LINES[:200]))
    (folder / "b/c.txt").write_text("".join(LINES[200:]))
    (folder / "notes.md").write_text("no text of it\n" * 100)
    data = build(folder, tokenizer=Bytes())
    tokens = data.train.tokens.numbers.tolist()
    assert tokens.count(BYTES.special["[SEP]"]) == 1
    assert BYTES.decode(tokens[: tokens.index(3)]) == "".join(LINES[:200])


def test_a_text_without_lines_is_cut_within_it(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("abcdefghij" * 200)
    data = build(tmp_path / "one.txt", tokenizer=Bytes(), validation=0.1, test=0.1)
    assert [len(each.tokens.numbers) for each in (data.train, data.validation, data.test)] == [1600, 200, 200]


@pytest.mark.parametrize("count", range(100, 112))
def test_a_text_without_lines_is_cut_before_a_character(tmp_path: Path, count: int) -> None:
    (tmp_path / "one.txt").write_text("\u5b57" * count)  # three bytes each
    data = build(tmp_path / "one.txt", tokenizer=Characters(), validation=0.1, test=0.1, length=2)
    parts = [len(each.tokens.numbers) for each in (data.train, data.validation, data.test)]
    assert sum(parts) == count
    assert all(abs(each - count / 10) <= 1 for each in parts[1:])


def test_long_texts_are_read_in_pieces(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tokens, "BLOCK", 100)
    data = build(book, tokenizer=Bytes())
    assert text(data.train) + text(data.validation) + text(data.test) == TEXT


def test_pythons_own_help_needs_no_download(cache: Path) -> None:
    data = Python(length=64).build(seed=1)
    assert len(data.train) > 5000
    assert "statement" in data.vocabulary.decode(data.train.tokens.numbers[:200].tolist())
    assert [each.suffix for each in (cache.parent / "text").iterdir()] == [".txt"]


def test_an_archive_of_wikitext_is_unpacked_once(tmp_path: Path, cache: Path) -> None:
    archive = tmp_path / "wikitext-2-v1.zip"
    with zipfile.ZipFile(archive, "w") as members:
        for part, name in MEMBERS.items():
            members.writestr(f"wikitext-2/{name}", f" = {part} = \n\n" * 50)
    found = unpacked(archive, folder="wikitext-2")
    assert {part: each.read_text().split()[1] for part, (each,) in found.items()} == {part: part for part in MEMBERS}
    times = {each: each.stat().st_mtime_ns for (each,) in found.values()}
    first = next(iter(times))
    first.write_text("cut short")
    again = unpacked(archive, folder="wikitext-2")
    assert [each.stat().st_mtime_ns == times[each] for (each,) in again.values()] == [False, True, True]
    assert first.read_text().startswith(" = train = ")


def test_a_cache_that_can_only_be_read_is_read(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk without writes a lock cannot be made either."""

    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    archive = tmp_path / "wikitext-2-v1.zip"
    with zipfile.ZipFile(archive, "w") as members:
        for part, name in MEMBERS.items():
            members.writestr(f"wikitext-2/{name}", f" = {part} = \n\n" * 50)
    whole, found = text(build(book).train), unpacked(archive, folder="wikitext-2")
    for module in (_tokens, _unpacked):
        monkeypatch.setattr(module, "FileLock", refuse)
    assert text(build(book).train) == whole
    assert unpacked(archive, folder="wikitext-2") == found


def test_a_cache_that_cannot_be_made(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    archive = tmp_path / "wikitext-2-v1.zip"
    with zipfile.ZipFile(archive, "w") as members:
        for name in MEMBERS.values():
            members.writestr(f"wikitext-2/{name}", "a text")
    for folder, action in (
        ("text", lambda: Python().build(seed=1)),
        ("wikitext/wikitext-2", lambda: unpacked(archive, folder="wikitext-2")),
    ):
        with pytest.raises(UserError) as caught:
            action()
        told = f"'{cache.parent / folder}' cannot be used: Not a directory\n  XDG_CACHE_HOME chooses another place"
        assert str(caught.value) == told


def test_what_cannot_be_fetched_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    data = TinyShakespeare(mirror="http://127.0.0.1:9/files")
    with pytest.raises(UserError) as caught:
        data.build(seed=1)
    home = cache.parent / "tinyshakespeare"
    assert str(caught.value) == (
        "input.txt could not be fetched from http://127.0.0.1:9/files: no connection\n"
        f"  put input.txt into '{home}', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=text/python, which needs no download"
    )


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(UserError) as caught:
        build(path, **how)
    return str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    none, folder, binary, small = (tmp_path / name for name in ("none.txt", "folder", "latin.txt", "small.txt"))
    folder.mkdir()
    binary.write_bytes(b"ein Wort\n" * 30 + b"gr\xfcn\n" + b"ein Wort\n" * 30)
    small.write_text("a few words\n" * 8)
    assert refused(none) == f"data.path is '{none}', which is neither a file nor a folder"
    assert refused(folder) == (
        f"data.path is '{folder}', a folder without a text: no file in it ends in .txt\n"
        "  write: data.path=FILE for a file of another name"
    )
    assert refused(binary) == (
        f"'{binary}' is no text in UTF-8: byte 272 is 0xfc\n"
        f"  write: iconv -f ENCODING -t UTF-8 '{binary}' > FILE, and data=text/file data.path=FILE"
    )
    assert refused(small, length=64) == (
        "data.length is 64, and the train text has 86 tokens: too few for a window\n  nearest: data.length=4"
    )
    small.write_text("")
    assert refused(small) == f"'{small}' is empty: there is nothing to learn from"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(book: Path) -> None:
    book.chmod(0)
    assert refused(book) == f"'{book}' cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("length", 1, "File.length is int >= 2, not 1"),
        ("validation", 0.0, "File.validation is 0 < float < 1, not 0.0"),
        ("test", 0.96, "validation is 0.05 and test is 0.96: both together must be below 1"),
        ("batch_size", 0, "File.batch_size is int >= 1, not 0"),
    ],
)
def test_a_field_out_of_range_is_refused(field: str, value: Any, what: str) -> None:
    with pytest.raises((ValueError, UserError)) as error:
        File(path=Path("x"), **{field: value}).check()
    assert str(error.value).split("\n")[0] == what


class Numbers(Tokenizer):
    """A way to cut text that has no vocabulary to learn, as a user would write one."""

    def build(self, texts: Any) -> Any:
        return Bytes().build(texts)


def test_a_tokenizer_of_ones_own_is_known_by_its_class(book: Path, cache: Path) -> None:
    build(book, tokenizer=Numbers())
    build(book, tokenizer=Bytes())
    assert len([each for each in cache.iterdir() if each.is_dir()]) == 2


def test_tokens_are_made_anew_once_the_code_of_a_tokenizer_is_another(book: Path, node_tree: Any) -> None:
    source = (
        "from data.tokenizer import Tokenizer\nfrom own._letters import LETTERS\n\n\n"
        "class Own(Tokenizer):\n    def build(self, texts):\n"
        "        from data.tokenizer._vocabulary import Characters\n\n        return Characters(LETTERS)\n"
    )
    sizes: list[int] = []
    for letters in ("abc", "abc", "abcd"):
        node_tree({"own/__init__.py": "", "own/_letters.py": f"LETTERS = {letters!r}\n", "own/cut.py": source})
        from own.cut import Own  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

        tokenizer: Tokenizer = Own()
        sizes.append(File(path=book, length=8, tokenizer=tokenizer).build(seed=1).vocabulary.size)
    assert sizes == [sizes[0], sizes[0], sizes[0] + 1]
