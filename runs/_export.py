"""One file with the weights of a run, or with its network; the file's ending says which."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cn import RunError, UserError, load
from cn.errors import lines, short
from cn.record import FILE
from runs import _checkpoint, _onnx, _safetensors

WEIGHTS = "weights.pt"


class Exported(NamedTuple):
    """What was written."""

    path: Path
    step: int
    averaged: bool  # by callbacks.ema
    tensors: int
    numbers: int
    difference: float | None  # the largest of what was read back; None: torch.save's file is not


def export(folder: Path, path: Path, *, last: bool) -> Exported:
    """Write the best weights of a run, or its last, whole or not at all: a dict of plain tensors by name.

    `torch.load(path, weights_only=True)` reads it, and the `load_state_dict` of the task's network takes it. A path
    that ends in .safetensors holds the same for other libraries, one in .onnx the network with them: each is read back
    before it is put in place.
    """
    write = _writer(folder, path)
    source = folder / (_checkpoint.LAST if last else _checkpoint.BEST)
    state = _checkpoint.load(source, weights=True)
    made = path.name == WEIGHTS or path.suffix in (_safetensors.SUFFIX, _onnx.SUFFIX)
    own = path.exists() and (path.parent / FILE).exists() and not made
    other = path.exists() and not path.is_file()
    if other or own:
        what = "a folder" if path.is_dir() else "no regular file" if other else "a file of the run's own"
        raise UserError(lines(f"-o {short(str(path))} is {what}", f"write: -o FILE, or nothing for {WEIGHTS}"))
    average = state.get("average")
    weights: dict[str, Any] = dict(average or state["module"])
    difference = _written(lambda beside: write(weights, beside), path)
    numbers = sum(math.prod(each.shape) for each in weights.values())
    return Exported(path, state["step"], bool(average), len(weights), numbers, difference)


def told(done: Exported, *, last: bool) -> str:
    """One line on what was written."""
    of = "at the end" if last else "of the best validation"
    averaged = ", averaged" if done.averaged else ""
    back = "" if done.difference is None else f"; read back, largest difference {done.difference:.0e}"
    back = "; read back, equal to the bit" if done.difference == 0 and done.path.suffix != _onnx.SUFFIX else back
    return f"{done.path}: {done.numbers} numbers in {done.tensors} tensors{averaged}, {of}, at step {done.step}{back}"


def _writer(folder: Path, path: Path) -> Callable[[dict[str, Any], Path], float | None]:
    """What writes weights to a file with that ending. UserError where a library that it needs is not installed."""
    if path.suffix == _safetensors.SUFFIX:
        _safetensors.need(f"-o {path}")
        return _safetensors.write
    if path.suffix == _onnx.SUFFIX:
        run: Any = load(folder)
        _onnx.need(f"-o {path}", run)
        return partial(_onnx.write, run)
    return _checkpoint.write


def _written(write: Callable[[Path], float | None], path: Path) -> float | None:
    """Have `write` make a file beside the path, and put that in the path's place; returns what `write` returns."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            difference = write(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except RunError:
        raise
    except (OSError, RuntimeError) as error:
        cause = _checkpoint.cause(error)
        what = f"cannot write {short(str(path))}: {getattr(cause, 'strerror', None) or cause}"
        raise RunError(lines(what, "to put it elsewhere: -o FILE")) from None
    return difference
