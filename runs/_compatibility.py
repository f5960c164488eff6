"""Checks whether a checkpoint belongs to a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from cn.errors import lines, short
from runs._checkpoint import Unreadable

if TYPE_CHECKING:
    from runs._training.state import Training

NEEDED = ("step", "per_epoch", "module")


def refuse_other(state: Any, path: Path, training: Training) -> None:
    """Raise Unreadable if the file is no checkpoint, or is one of another network or other data."""
    found = cast("dict[str, Any]", state if isinstance(state, dict) else {})
    absent = [name for name in NEEDED if name not in found]
    if absent:
        raise Unreadable(f"{path} is not a checkpoint of a run: it has no {absent[0]!r}")
    stored, own = cast("dict[str, Tensor]", found["module"]), training.module.state_dict()
    wrong = _apart({name: tuple(each.shape) for name, each in stored.items()}, own)
    if found["per_epoch"] != training.per_epoch:
        wrong = f"it counts {found['per_epoch']} steps an epoch, and the run {training.per_epoch}"
    if wrong is not None:
        why = "it came from another run, or the code or the data of this one have changed"
        raise Unreadable(lines(f"{path} does not fit the run in {path.parent}", wrong, why))


def _apart(stored: dict[str, tuple[int, ...]], own: dict[str, Tensor]) -> str | None:
    """Return a message about the first weight that differs, or None."""
    for name, each in own.items():
        if name not in stored:
            return f"it has no {short(name)}, which the network has"
        if stored[name] != tuple(each.shape):
            return f"its {short(name)} is {_shape(stored[name])}, and that of the network {_shape(tuple(each.shape))}"
    more = [name for name in stored if name not in own]
    return f"it has {short(more[0])}, which the network has not" if more else None


def _shape(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes)) or "a number"
