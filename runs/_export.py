"""Export of a run's weights, or of its network, to one file; the file's suffix selects the format."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cn import RunError, UserError, load
from cn.errors import short
from cn.files import replacing
from cn.paths import without_ending
from cn.writing.record import FILE
from runs import _checkpoint, _onnx, _safetensors

WEIGHTS = "weights.pt"
TORCH = (".pt", ".pth")  # endings of files of torch.save


class Exported(NamedTuple):
    """The result of an export."""

    path: Path
    step: int
    averaged: bool  # by callbacks.ema
    tensors: int
    numbers: int
    difference: float | None  # maximum difference of the values read back; None for torch.save, which is not read back


def export(folder: Path, path: Path, *, last: bool) -> Exported:
    """Write a run's best or last weights atomically, as a dict of plain tensors by name.

    `torch.load(path, weights_only=True)` reads the file, and the task's network loads it with `load_state_dict`. A path
    that ends in .safetensors has the same content for other libraries, one in .onnx the network with its weights; both
    are
    read back before the file is renamed into place.
    """
    source = folder / (_checkpoint.LAST if last else _checkpoint.BEST)
    made = path.name == WEIGHTS or path.suffix in (_safetensors.SUFFIX, _onnx.SUFFIX)
    own = path.exists() and (path.parent / FILE).exists() and not made
    other = path.exists() and not path.is_file()
    if other or own:
        what = "a folder" if path.is_dir() else "no regular file" if other else "a file of the run's own"
        raise UserError(f"-o {short(str(path))} is {what}", f"write: -o FILE, or nothing for {WEIGHTS}")
    write = _writer(folder, path)
    state = _checkpoint.load(source, weights=True)
    average = state.get("average")
    weights: dict[str, Any] = dict(average or state["module"])
    difference = _written(lambda beside: write(weights, beside), path)
    numbers = sum(math.prod(each.shape) for each in weights.values())
    return Exported(path, state["step"], bool(average), len(weights), numbers, difference)


def told(done: Exported, *, last: bool) -> str:
    """Return one line about the export."""
    of = "at the end" if last else "of the best validation"
    averaged = ", averaged" if done.averaged else ""
    back = "" if done.difference is None else f"; read back, largest difference {done.difference:.0e}"
    back = "; read back, equal to the bit" if done.difference == 0 and done.path.suffix != _onnx.SUFFIX else back
    return f"{done.path}: {done.numbers} numbers in {done.tensors} tensors{averaged}, {of}, at step {done.step}{back}"


def _writer(folder: Path, path: Path) -> Callable[[dict[str, Any], Path], float | None]:
    """Return the function that writes the format of a path; UserError if a needed library is not installed."""
    if path.suffix == _safetensors.SUFFIX:
        _safetensors.need(f"-o {path}")
        return _safetensors.write
    if path.suffix == _onnx.SUFFIX:
        run: Any = load(folder)
        _onnx.need(f"-o {path}", run)
        return partial(_onnx.write, run)
    if path.suffix not in TORCH:
        endings = [each.removeprefix(".") for each in (*TORCH, _safetensors.SUFFIX, _onnx.SUFFIX)]
        raise without_ending(path, "weights are not", ".pt", endings)
    return _checkpoint.write


def _written(write: Callable[[Path], float | None], path: Path) -> float | None:
    """Write a temporary file and rename it to the path; return the value of `write`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            difference = write(beside)
    except RunError:
        raise
    except (OSError, RuntimeError) as error:
        cause = _checkpoint.cause(error)
        what = f"cannot write {short(str(path))}: {getattr(cause, 'strerror', None) or cause}"
        raise RunError(what, "to put it elsewhere: -o FILE") from None
    return difference
