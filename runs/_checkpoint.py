"""Checkpoints: written atomically, and read without running any code.

A sharded checkpoint is a folder `step-000120`, and the names are links to it: runs/_processes/shards.py writes it,
runs/_processes/divided.py reads it.
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
from typing import Any

import torch

from cn import RunError
from cn.errors import lines, short
from cn.files import link_or_copy, remove_unfinished, replacing, sync

WEIGHTS = ("module", "average")  # keys of the weights in a state
LAST, BEST, STEP = "last.pt", "best.pt", "step-*.pt"
WRITTEN_WHOLE = ("config.json", "summary.json", "tokenizer.json", "metrics.jsonl", "metrics.csv", "curves.png")
FOLDER, PARTIAL = re.compile(r"step-\d{6,}(_\d+)?"), ".step-*.partial"  # sharded: finished, unfinished


class Unreadable(RunError):  # noqa: N818
    """A checkpoint is missing or damaged."""


def save(folder: Path, state: dict[str, Any], *, best: bool, keep: bool = False) -> None:
    """Write `last.pt`; also `best.pt` if it is the best so far, and `step-STEP.pt` if it is permanent.

    A kill or a full disk leaves the old files intact.
    """
    *others, last = names(state, best=best, keep=keep)
    try:
        with replacing(folder / last, synced=False) as beside:
            write(state, beside)
            refuse_unreadable(beside)
            sync(beside)
            for name in others:
                with replacing(folder / name, synced=False) as link:
                    link_or_copy(beside, link)
    except Unreadable:
        raise
    except (OSError, RuntimeError) as error:
        raise RunError(f"cannot write to {folder}: {cause(error)}") from error
    sync(folder)
    prune(folder)


def write(content: dict[str, Any], path: Path) -> None:
    """Write a file with `torch.save`."""
    with path.open("wb") as file:
        torch.save(content, file)


def cause(error: OSError | RuntimeError) -> BaseException:
    """Return the cause of a failed write: torch raises RuntimeError for a short write."""
    return error if isinstance(error, OSError) else error.__context__ or error


def names(state: dict[str, Any], *, best: bool, keep: bool) -> list[str]:
    """Return the names of a checkpoint, in the order in which they are written."""
    return [*([BEST] if best else []), *([STEP.replace("*", f"{state['step']:06d}")] if keep else []), LAST]


def link(folder: Path, target: str, names: list[str]) -> None:
    """Link each name to a folder beside it, atomically, the last name last."""
    for name in names:
        with replacing(folder / name, synced=False) as link:
            link.symlink_to(target)


def prune(folder: Path) -> None:
    """Remove the folders of sharded checkpoints that no name links to."""
    named = {link.readlink().name for link in folder.glob("*.pt") if link.is_symlink()}
    for each in folder.glob("step-*"):
        if FOLDER.fullmatch(each.name) and each.name not in named:
            shutil.rmtree(each.rename(folder / f".{each.name}.partial"))


def refuse_unreadable(file: Path | io.BytesIO) -> None:
    """Raise Unreadable for content that `load` would reject; tensors stay on the disk, so this is cheap."""
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
    """Return whether a checkpoint to resume from exists or existed: a broken link is refused when it is read."""
    return os.path.lexists(folder / LAST)


def load(path: Path, *, weights: bool = False) -> dict[str, Any]:
    """Return the state in a checkpoint, on the CPU, where generators keep theirs; Unreadable if it is missing.

    weights: only the weights are needed, and large optimiser states are not read.
    """
    with readable(path):
        if path.is_dir():
            from runs._processes.divided import read

            return read(path, only=WEIGHTS if weights else None)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=weights and zipfile.is_zipfile(path))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn any error within the block into Unreadable, with the reason."""
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
        failures = getattr(error, "failures", None)  # of torch's CheckpointException, by rank
        if not isinstance(error, Exception) and failures is None:
            raise
        cause = next(iter(failures.values()))[0] if failures else error
        why = short(f"{type(cause).__name__}: {cause}".splitlines()[0].removesuffix(": "))
        anew = "without it, its run starts from the beginning" if path.name == LAST else None
        raise Unreadable(lines(f"{path} cannot be read as a checkpoint", why, anew)) from None


def clean(folder: Path) -> None:
    """Remove partial files of killed processes, and folders without a name; the caller must hold the run's lock."""
    for each in folder.glob(PARTIAL):
        shutil.rmtree(each)
    prune(folder)
    remove_unfinished(folder, LAST, BEST, STEP, *WRITTEN_WHOLE)
