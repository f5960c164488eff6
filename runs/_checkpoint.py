"""Checkpoints: whole or absent, and read without running any code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from cn import RunError
from cn.errors import lines

LAST, BEST = "last.pt", "best.pt"


def save(folder: Path, state: dict[str, Any], *, best: bool) -> None:
    """Write `last.pt`, and where it is the best so far `best.pt` too, so that a kill or a full disk leaves the old ones."""
    partial = folder / f".{LAST}.{os.getpid()}"
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        if best:
            link = folder / f".{BEST}.{os.getpid()}"
            link.unlink(missing_ok=True)
            os.link(partial, link)
            link.replace(folder / BEST)
        partial.replace(folder / LAST)
    except (OSError, RuntimeError) as error:  # torch raises RuntimeError where a write comes up short
        cause = error if isinstance(error, OSError) else error.__context__ or error
        raise RunError(lines(f"cannot save to {folder}: {cause}", _kept(folder))) from error
    finally:
        partial.unlink(missing_ok=True)
    _sync(folder)


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state in a checkpoint; RunError where it cannot be read."""
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise RunError(lines(f"{path.parent} has no checkpoint {path.name}", "its run did not get as far as saving one")) from None
    except Exception as error:
        why = str(error).splitlines()[0]
        raise RunError(lines(f"{path} cannot be read as a checkpoint", f"{type(error).__name__}: {why}")) from None


def clean(folder: Path) -> None:
    """Remove what a killed process left half written."""
    for name in (LAST, BEST):
        for partial in folder.glob(f".{name}.*"):
            partial.unlink()


def _kept(folder: Path) -> str:
    if (folder / LAST).exists():
        return f"the checkpoint before is whole; to go on from it: python train.py --from {folder}"
    return "no checkpoint was saved before"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
