"""Checkpoints: whole or absent, and read without running any code."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from cn import RunError
from cn.errors import lines
from runs._folder import sync

LAST, BEST, STEP = "last.pt", "best.pt", "step-*.pt"


class Unreadable(RunError):  # noqa: N818
    """A checkpoint that is not there, or damaged."""


def save(folder: Path, state: dict[str, Any], *, best: bool, keep: bool = False) -> None:
    """Write `last.pt`; as `best.pt` too where it is the best so far, and under its step where it is to be kept.

    A kill or a full disk leaves the old ones.
    """
    names = [*([BEST] if best else []), *([STEP.replace("*", f"{state['step']:06d}")] if keep else [])]
    partial = folder / f".{LAST}.{os.getpid()}"
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        _read_again(partial)
        for name in names:
            link = folder / f".{name}.{os.getpid()}"
            link.unlink(missing_ok=True)
            os.link(partial, link)
            link.replace(folder / name)
        partial.replace(folder / LAST)
    except Unreadable:
        raise
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError where a write comes up short
        cause = error if isinstance(error, OSError) else error.__context__ or error
        raise RunError(f"cannot write to {folder}: {cause}") from error
    finally:
        partial.unlink(missing_ok=True)
    sync(folder)


def _read_again(path: Path) -> None:
    """Refuse what `load` would refuse, while it is still in memory; tensors stay on the disk, so this costs little."""
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
        what = f"a {found[1]}" if found else str(error).partition("\n")[0]
        advice = "let each state_dict, of a callback's hooks too, give plain numbers, texts, lists, dicts and tensors"
        raise Unreadable(lines(f"a checkpoint cannot hold {what}", advice)) from None


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint to go on from."""
    return (folder / LAST).exists()


def load(path: Path) -> dict[str, Any]:
    """The state in a checkpoint, on the CPU, where generators keep theirs; Unreadable where there is none."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Unreadable(
            lines(f"{path.parent} has no checkpoint {path.name}", "its run did not get as far as saving one")
        ) from None
    except Exception as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
        anew = "without it, its run starts from the beginning" if path.name == LAST else None
        raise Unreadable(lines(f"{path} cannot be read as a checkpoint", why, anew)) from None


def clean(folder: Path) -> None:
    """Remove what a killed process left half written: `.NAME.PROCESS`."""
    for name in (LAST, BEST, STEP, "config.json", "summary.json"):
        for partial in folder.glob(f".{name}.*"):
            partial.unlink()
