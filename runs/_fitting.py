"""Whether a checkpoint is one of the run that it is to be loaded into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from cn.errors import lines, short
from runs._checkpoint import Unreadable

if TYPE_CHECKING:
    from runs._training import Training

NEEDED = ("step", "per_epoch", "module")


def refuse_other(state: Any, path: Path, training: Training) -> None:
    """Unreadable where the file holds something else, or the checkpoint of a network or of data of another kind."""
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
    """The first weight in which the two differ."""
    for name, each in own.items():
        if name not in stored:
            return f"it has no {short(name)}, which the network has"
        if stored[name] != tuple(each.shape):
            return f"its {short(name)} is {_shape(stored[name])}, and that of the network {_shape(tuple(each.shape))}"
    more = [name for name in stored if name not in own]
    return f"it has {short(more[0])}, which the network has not" if more else None


def _shape(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes)) or "a number"
