"""One file with the weights of a run, and nothing else."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from cn import RunError, UserError
from cn.errors import lines, short
from cn.record import FILE
from runs import _checkpoint

WEIGHTS = "weights.pt"


class Exported(NamedTuple):
    """What was written."""

    path: Path
    step: int
    averaged: bool  # by callbacks.ema
    tensors: int
    numbers: int


def export(folder: Path, path: Path, *, last: bool) -> Exported:
    """Write the best weights of a run, or its last, whole or not at all: a dict of plain tensors by name.

    `torch.load(path, weights_only=True)` reads it, and the `load_state_dict` of the task's network takes it.
    """
    source = folder / (_checkpoint.LAST if last else _checkpoint.BEST)
    state = _checkpoint.load(source, weights=True)
    own = path.exists() and (path.parent / FILE).exists() and path.name != WEIGHTS
    other = path.exists() and not path.is_file()
    if other or own:
        what = "a folder" if path.is_dir() else "no regular file" if other else "a file of the run's own"
        raise UserError(lines(f"-o {short(str(path))} is {what}", f"write: -o FILE, or nothing for {WEIGHTS}"))
    average = state.get("average")
    weights: dict[str, Any] = dict(average or state["module"])
    _write(weights, path)
    numbers = sum(math.prod(each.shape) for each in weights.values())
    return Exported(path, state["step"], bool(average), len(weights), numbers)


def told(done: Exported, *, last: bool) -> str:
    """One line on what was written."""
    of = "at the end" if last else "of the best validation"
    averaged = ", averaged" if done.averaged else ""
    return f"{done.path}: {done.numbers} numbers in {done.tensors} tensors{averaged}, {of}, at step {done.step}"


def _write(weights: dict[str, Any], path: Path) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _checkpoint.write(weights, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        cause = _checkpoint.cause(error)
        what = f"cannot write {short(str(path))}: {getattr(cause, 'strerror', None) or cause}"
        raise RunError(lines(what, "to put it elsewhere: -o FILE")) from None
