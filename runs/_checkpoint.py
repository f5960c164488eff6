"""Checkpoints: whole or absent, and read without running any code.

One that several processes wrote, each its part, is a folder `step-000120`, and the names are links to it: see
runs/_shards.py for how it is written and runs/_divided.py for what it holds.
"""

from __future__ import annotations

import io
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from cn import RunError
from cn.errors import lines, short
from runs._folder import sync

WEIGHTS = ("module", "average")  # the keys of a state that hold them
LAST, BEST, STEP = "last.pt", "best.pt", "step-*.pt"
FOLDER, PARTIAL = re.compile(r"step-\d{6,}(_\d+)?"), ".step-*.partial"  # of several processes, and while they write


class Unreadable(RunError):  # noqa: N818
    """A checkpoint that is not there, or damaged."""


def save(folder: Path, state: dict[str, Any], *, best: bool, keep: bool = False) -> None:
    """Write `last.pt`; as `best.pt` too where it is the best so far, and under its step where it is to be kept.

    A kill or a full disk leaves the old ones.
    """
    *others, last = names(state, best=best, keep=keep)
    partial = folder / f".{LAST}.{os.getpid()}"
    try:
        write(state, partial)
        refuse_unreadable(partial)
        for name in others:
            link = folder / f".{name}.{os.getpid()}"
            link.unlink(missing_ok=True)
            os.link(partial, link)
            link.replace(folder / name)
        partial.replace(folder / last)
    except Unreadable:
        raise
    except (OSError, RuntimeError) as error:
        raise RunError(f"cannot write to {folder}: {cause(error)}") from error
    finally:
        partial.unlink(missing_ok=True)
    sync(folder)
    prune(folder)


def write(content: dict[str, Any], path: Path) -> None:
    """A file of `torch.save`, which is on the disk when this returns."""
    with on_disk(path) as file:
        torch.save(content, file)


@contextmanager
def on_disk(path: Path) -> Iterator[BinaryIO]:
    """A new file to write; what was written is on the disk when this ends."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def cause(error: OSError | RuntimeError) -> BaseException:
    """Of a write that failed: torch raises RuntimeError where one comes up short."""
    return error if isinstance(error, OSError) else error.__context__ or error


def names(state: dict[str, Any], *, best: bool, keep: bool) -> list[str]:
    """What a checkpoint is called, in the order in which the names become its own."""
    return [*([BEST] if best else []), *([STEP.replace("*", f"{state['step']:06d}")] if keep else []), LAST]


def link(folder: Path, target: str, names: list[str]) -> None:
    """Let the names stand for a folder beside them, each at once and the last one last."""
    for name in names:
        link = folder / f".{name}.{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        link.replace(folder / name)


def prune(folder: Path) -> None:
    """Remove the folders of checkpoints that no name stands for any more."""
    named = {link.readlink().name for link in folder.glob("*.pt") if link.is_symlink()}
    for each in folder.glob("step-*"):
        if FOLDER.fullmatch(each.name) and each.name not in named:
            shutil.rmtree(each.rename(folder / f".{each.name}.partial"))


def refuse_unreadable(file: Path | io.BytesIO) -> None:
    """Refuse what `load` would refuse, while it is still in memory; tensors stay on the disk, so this costs little."""
    try:
        if isinstance(file, io.BytesIO):
            file.seek(0)
        torch.load(file, map_location="cpu", weights_only=True, mmap=isinstance(file, Path))
    except pickle.UnpicklingError as error:
        found = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
        what = f"a {found[1]}" if found else str(error).partition("\n")[0]
        advice = "let each state_dict, of a callback's hooks too, give plain numbers, texts, lists, dicts and tensors"
        raise Unreadable(lines(f"a checkpoint cannot hold {what}", advice)) from None


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from, or was: a link to what is gone is refused as it is read."""
    return os.path.lexists(folder / LAST)


def load(path: Path, *, weights: bool = False) -> dict[str, Any]:
    """The state in a checkpoint, on the CPU, where generators keep theirs; Unreadable where there is none.

    weights: they alone are wanted, and what the optimiser has of their size is not read.
    """
    with readable(path):
        if path.is_dir():
            from runs._divided import read

            return read(path, only=WEIGHTS if weights else None)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=weights and zipfile.is_zipfile(path))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever fails within it is Unreadable, and says why."""
    try:
        yield
    except FileNotFoundError:
        known = [each for name in (LAST, BEST, STEP) for each in sorted(path.parent.glob(name)) if each.exists()]
        others = ", ".join(map(str, known))
        gone = f"it is a link to {path.readlink()}, which is not there" if path.is_symlink() else None
        far = None if gone or others else "its run did not get as far as saving one"
        what = f"{path.parent} has no checkpoint {path.name}"
        raise Unreadable(lines(what, gone, far, f"what it has: {others}" if others else None)) from None
    except BaseException as error:
        failures = getattr(error, "failures", None)  # of torch's CheckpointException, by process
        if not isinstance(error, Exception) and failures is None:
            raise
        cause = next(iter(failures.values()))[0] if failures else error
        why = short(f"{type(cause).__name__}: {cause}".splitlines()[0].removesuffix(": "))
        anew = "without it, its run starts from the beginning" if path.name == LAST else None
        raise Unreadable(lines(f"{path} cannot be read as a checkpoint", why, anew)) from None


def clean(folder: Path) -> None:
    """Remove what a killed process left half written, `.NAME.PROCESS`, and what no name stands for."""
    for each in folder.glob(PARTIAL):
        shutil.rmtree(each)
    prune(folder)
    for name in (LAST, BEST, STEP, "config.json", "summary.json"):
        for partial in folder.glob(f".{name}.*"):
            partial.unlink()
