"""Tokens of a text in this user's cache: computed once, and memory-mapped by every process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from cn import UserError
from cn.files import sync
from cn.nodes.to_json import plain
from data._download import cache, writing
from data._progress import Show, bar
from data.tokenizer import Tokenizer
from data.tokenizer._vocabulary import SEPARATOR, Vocabulary, from_record

FORM = 2  # version of the file format; a change invalidates the cache
BLOCK = 1 << 20  # bytes read at once, up to the end of their last line
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Span:
    """The bytes from `start` to `stop` of a file."""

    path: Path
    start: int
    stop: int

    def texts(self) -> Iterator[str]:
        """Yield the text in pieces of whole lines, about `BLOCK` bytes each. UserError if it is not UTF-8."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            while (at := file.tell()) < self.stop:
                block = file.read(min(BLOCK, self.stop - at))
                if at + len(block) < self.stop:
                    block += file.readline(self.stop - at - len(block))
                try:
                    yield block.decode()
                except UnicodeDecodeError as error:
                    what = f"'{self.path}' is no text in UTF-8: byte {at + error.start} is {block[error.start]:#04x}"
                    write = f"write: iconv -f ENCODING -t UTF-8 '{self.path}' > FILE, and data=text/file data.path=FILE"
                    raise UserError(what, write) from None


@dataclass(frozen=True)
class Tokens:
    """The tokens of one part of a text."""

    numbers: npt.NDArray[np.unsignedinteger[Any]]  # memory-mapped
    bytes: int  # of the text


def spans(files: Mapping[str, list[Path]], *, validation: float, test: float) -> dict[str, list[Span]]:
    """Return the spans of each part. A part without files is the end of the training text, in whole lines."""
    for path in (each for part in files.values() for each in part):
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise UserError(f"'{path}' cannot be read: {error.strerror}") from None
    found = {part: [Span(each, 0, each.stat().st_size) for each in paths] for part, paths in files.items()}
    total = sum(each.stop for each in found["train"])
    if total == 0:
        raise UserError(f"'{files['train'][0]}' is empty: there is nothing to learn from")
    for part, share in (("test", test), ("validation", validation)):
        if part not in found:
            found["train"], found[part] = _cut(found["train"], round(total * share))
    return {part: found[part] for part in PARTS}


def _cut(train: list[Span], count: int) -> tuple[list[Span], list[Span]]:
    """Split off about the last `count` bytes, starting at a line; return the spans before and after."""
    kept, rest = list(train), list[Span]()
    while kept and kept[-1].stop - kept[-1].start <= count:
        rest.insert(0, kept.pop())
        count -= rest[0].stop - rest[0].start
    if kept and count > 0:
        last = kept.pop()
        with last.path.open("rb") as file:
            file.seek(last.stop - count)
            file.readline()
            middle = file.tell()
            if middle >= last.stop:  # a text of one line is cut inside the line, and before a character
                middle = last.stop - count
                file.seek(middle)
                while middle > last.start and file.read(1)[0] & 0xC0 == 0x80:
                    middle -= 1
                    file.seek(middle)
        kept.append(Span(last.path, last.start, middle))
        rest.insert(0, Span(last.path, middle, last.stop))
    return kept, rest


def prepare(parts: dict[str, list[Span]], tokenizer: Tokenizer) -> tuple[Vocabulary, dict[str, Tokens]]:
    """Return the vocabulary and the tokens of each part, from the cache or computed; a lock serializes processes."""
    home = cache("tokens")
    folder = home / _key(parts, tokenizer)
    with writing(home):
        found = _kept(folder)
        if found is None:  # a cache that can only be read needs no lock
            home.mkdir(parents=True, exist_ok=True)
            with FileLock(home / f"{folder.name}.lock"):
                found = _kept(folder)
                if found is None:
                    making = home / f"{folder.name}.part"
                    shutil.rmtree(making, ignore_errors=True)
                    making.mkdir()
                    _make(parts, tokenizer, making)
                    shutil.rmtree(folder, ignore_errors=True)
                    os.replace(making, folder)
                    found = _load(folder)
    return found


def _kept(folder: Path) -> tuple[Vocabulary, dict[str, Tokens]] | None:
    """Return what a folder of the cache holds; None if a file in it is missing or damaged."""
    try:
        return _load(folder)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _load(folder: Path) -> tuple[Vocabulary, dict[str, Tokens]]:
    counts = json.loads((folder / "parts.json").read_text())
    vocabulary = from_record(json.loads((folder / "tokenizer.json").read_text()))
    return vocabulary, {part: Tokens(np.load(folder / f"{part}.npy", mmap_mode="r"), counts[part]) for part in PARTS}


def _make(parts: dict[str, list[Span]], tokenizer: Tokenizer, folder: Path) -> None:
    counts = {part: sum(each.stop - each.start for each in own) for part, own in parts.items()}
    with bar("learning the vocabulary", of_bytes=True) as show:
        vocabulary = tokenizer.build(_read(parts["train"], show, counts["train"]))
    with bar("text to tokens", of_bytes=True) as show:
        for part, own in parts.items():
            _encode(own, vocabulary, folder / f"{part}.npy", show, counts[part])
    vocabulary.save(folder / "tokenizer.json")
    (folder / "parts.json").write_text(json.dumps(counts))
    for name in ("tokenizer.json", "parts.json"):
        sync(folder / name)


def _read(own: list[Span], show: Show, total: int) -> Iterator[str]:
    done = 0
    for each in own:
        for text in each.texts():
            yield text
            done += len(text.encode())
            show(done, total)


def _encode(own: list[Span], vocabulary: Vocabulary, path: Path, show: Show, total: int) -> None:
    """Write the tokens of all files, with a separator between files if the vocabulary has one."""
    kind = vocabulary.dtype
    separator, count, done = vocabulary.special.get(SEPARATOR), 0, 0
    with path.open("wb") as file:
        _head(file, kind, 0)
        for number, each in enumerate(own):
            if number and separator is not None:
                file.write(np.array([separator], kind).tobytes())
                count += 1
            for text in each.texts():
                (tokens,) = vocabulary.encode([text])
                file.write(tokens.astype(kind).tobytes())
                count += len(tokens)
                done += len(text.encode())
                show(done, total)
        file.seek(0)
        _head(file, kind, count)
    sync(path)


def _head(file: BinaryIO, kind: np.dtype[Any], count: int) -> None:
    """Write NumPy's file header, whose length is the same for every count."""
    told = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, told)


def _code(cls: type[Tokenizer]) -> list[Path]:
    """Return the Python files that lie beside those of a tokenizer's class and of its bases."""
    modules = (sys.modules[base.__module__] for base in cls.__mro__ if issubclass(base, Tokenizer))
    folders = {Path(file).parent for module in modules if (file := getattr(module, "__file__", None))}
    return sorted(file for folder in folders for file in folder.glob("*.py"))


def _key(parts: dict[str, list[Span]], tokenizer: Tokenizer) -> str:
    """Return a hash of the inputs of the tokens: the text, the tokenizer's fields and code, and the file it reads."""
    facts = hashlib.sha256(json.dumps([FORM, plain(tokenizer)], sort_keys=True).encode())
    for file in _code(type(tokenizer)):
        facts.update(file.read_bytes())
    if (path := getattr(tokenizer, "path", None)) is not None and Path(path).expanduser().is_file():
        facts.update(Path(path).expanduser().read_bytes())
    known: dict[Path, bytes] = {}
    for part, own in parts.items():
        for each in own:
            if each.path not in known:
                with each.path.open("rb") as file:
                    known[each.path] = hashlib.file_digest(file, "sha256").digest()
            facts.update(f"{part} {each.start} {each.stop}".encode() + known[each.path])
    return facts.hexdigest()[:32]
