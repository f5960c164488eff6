"""Sources of rows: local files, or a data set on the Hub, read by the library `datasets`."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.exceptions import DatasetNotFoundError
from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as KINDS
from datasets.table import CastError
from tqdm import tqdm

from cn import UserError
from cn.errors import hint, lines, nearest, short

ENDINGS: dict[str, tuple[str, dict[str, Any]]] = {  # suffix -> reader of the library and its options
    ".csv": ("csv", {}),
    ".tsv": ("csv", {"sep": "\t"}),
    ".json": ("json", {}),
    ".jsonl": ("json", {}),
    ".parquet": ("parquet", {}),
    ".arrow": ("arrow", {}),
}
SAVED = ("state.json", "dataset_dict.json")  # marker files of a folder written by `save_to_disk`
TOLD = ", ".join(each.removeprefix(".") for each in ENDINGS)
EMPTY = ("Instruction ", "BatchSize must be greater", "No columns to parse")  # the library's errors for empty files
WRITE = "write: data.path=FILE or data.path=DIR"
OURS = "data.path=FILE or data.path=DIR reads files that you have; data=digits needs none"
LOUD = ("datasets", "huggingface_hub", "httpx", "fsspec")  # loggers


@dataclass(frozen=True)
class Source:
    """The rows of train, and of validation and test if they have splits; all have the same columns."""

    said: str  # its name in messages
    parts: dict[str, Any]  # part -> memory-mapped datasets.Dataset
    splits: dict[str, str]  # part -> name of its split

    @property
    def features(self) -> Mapping[str, Any]:
        """The columns with their types."""
        return self.parts["train"].features

    def require(self, field: str, column: str) -> None:
        """Raise UserError unless the column exists; `field` is the data field that names it."""
        if column not in self.features:
            there = f"its columns: {short(', '.join(self.features))}"
            near = hint(column, self.features)
            what = f"data.{field}={short(column)}: {self.said} has no such column"
            raise UserError(what, near if near.startswith("nearest") else None, there)

    def values(self, part: str, column: str) -> pa.ChunkedArray:
        """Return a column as stored."""
        return self.parts[part].select_columns([column]).with_format("arrow")[:][column]


def load(
    *,
    path: Path | None,
    name: str | None,
    config: str | None,
    revision: str | None,
    splits: Mapping[str, str | None],
) -> Source:
    """Return the rows of the requested splits. UserError if they are missing.

    The library caches what it has read, under a lock: one of several processes builds the cache.
    """
    if path is None:
        assert name is not None
        said = f"data.name={name}"
        if name in KINDS or Path(name).exists():
            what = "is a kind of file" if name in KINDS else "is a file or folder here"
            raise UserError(f"{said} {what}, and no data set on the Hub", WRITE)
        found = _read(said, name, config, {"revision": revision}, f"without a network: {OURS}")
        return _chosen(said, found, splits)
    path = path.expanduser()
    said = f"data.path={short(str(path))}"
    if not path.exists():
        raise UserError(f"{said}: there is no such file or folder", WRITE)
    saved = any((path / each).is_file() for each in SAVED)
    if config is not None and (saved or path.is_file()):
        what = f"data.config={short(config)}: {said} has no configurations"
        raise UserError(what, "leave out data.config")
    if path.is_dir():
        return _chosen(said, _read(said, str(path.absolute()), config, {}, saved=saved), splits)
    if path.suffix.lower() not in ENDINGS:
        folder = "images are read from their folder: data.path=DIR, with DIR/train/CLASS/*"
        raise UserError(f"{said} is a file of an unknown kind", f"known: {TOLD}", folder)
    kind, how = ENDINGS[path.suffix.lower()]
    return _chosen(said, _read(said, kind, None, {"data_files": {"train": [str(path.absolute())]}, **how}), splits)


def _read(
    said: str, what: str, config: str | None, how: Mapping[str, Any], *more: str, saved: bool = False
) -> Mapping[str, Any]:
    """Return all splits. Any error of the library becomes a UserError that ends with `more`.

    saved: whether the folder was written by the library's `save_to_disk`.
    """
    try:
        with _quiet():
            if saved:
                found: Any = datasets.load_from_disk(what)
                return {"train": found} if isinstance(found, datasets.Dataset) else found
            return datasets.load_dataset(what, config, **how)
    except DatasetNotFoundError:
        told = f"{said}: the Hub has no such data set, or you may not read it"
        raise UserError(told, "to be let in: hf auth login", *more) from None
    except ConnectionError as error:
        raise UserError(f"{said} cannot be fetched", short(str(error)), *more) from None
    except Exception as error:  # each file type has its own errors
        if isinstance(error, ValueError) and "onfig" in str(error):
            raise UserError(_configuration(said, what, config, how)) from None
        raise UserError(f"{said} cannot be read", *_why(error.__cause__ or error), *more) from error


def _why(error: BaseException) -> list[str]:
    """Return why rows cannot be read, and a remedy if one is known."""
    line = next(iter(str(error).split("\n")), "").strip()
    if isinstance(error, CastError):
        return ["its files do not all have the same columns", "to read one of them: data.path=FILE"]
    if isinstance(error, UnicodeDecodeError):
        return ["it is no text in UTF-8", "to convert it: iconv -f ENCODING -t UTF-8 FILE > NEW"]
    if line.startswith(EMPTY):
        return ["it holds no rows"]
    if "doesn't contain any data files" in line:
        return [f"it holds no file of these kinds: {TOLD}, or images"]
    return [short(f"{type(error).__name__}: {line}")]


def _configuration(said: str, what: str, config: str | None, how: Mapping[str, Any]) -> str:
    """Return the message about a missing or unknown configuration."""
    with _quiet():
        known = datasets.get_dataset_config_names(what, **how)
    if config is None:
        return lines(f"{said} has several configurations, and data.config is not given", hint("", known))
    return lines(f"data.config={short(config)}: {said} has no such configuration", hint(config, known))


def _chosen(said: str, found: Mapping[str, Any], splits: Mapping[str, str | None]) -> Source:
    """Return the parts that have splits; a split with its default name may be missing, except train."""
    used = {part: split for part, split in splits.items() if split is not None and split in found}
    for part, split in splits.items():
        if part not in used and split is not None and (split != part or part == "train"):
            what = f"data.{part}_split={short(split)}: {said} has no such split"
            write = f"write: data.{part}_split={(nearest(split, found) or list(found))[0]}"
            raise UserError(what, f"its splits: {short(', '.join(map(str, found)))}", write)
    return Source(said, {part: found[split] for part, split in used.items()}, used)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the library's logs and warnings, and its progress bars unless stderr is a terminal; errors are raised.

    tqdm gets a thread lock: its default process lock would leak when a rank ends, and Python would warn.
    """
    if not hasattr(tqdm, "_lock"):
        tqdm.set_lock(threading.RLock())
    loggers = [logging.getLogger(each) for each in LOUD]
    levels = [each.level for each in loggers]
    hidden = datasets.are_progress_bars_disabled()
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        if not hidden:
            datasets.enable_progress_bars()
