"""The first line of a run: model, data, length and device."""

from __future__ import annotations

from cn import CN
from cn.errors import short
from cn.writing.subclass import changed
from runs import Run
from runs._training.state import Training


def headline(run: Run, training: Training, processes: int) -> str:
    data = training.dataset
    examples = f"{data.noun} without end" if data.length is None else f"{data.length} {data.noun}"
    each = training.per_epoch * training.batch * run.accumulate
    if data.length is not None and each < 0.9 * data.length:
        examples += f" ({each} an epoch)"  # the rest fills no step; each epoch leaves out other examples
    size = f"{training.parameters} parameters, {examples}, {training.steps} steps"
    several = f", {processes} processes" if processes > 1 else ""
    return f"{_named(run.model)} on {type(run.data).__name__}: {size} on {training.device}{several}"


def _named(model: CN) -> str:
    """Return the class and its fields that differ from the defaults, to distinguish models of the same size."""
    fields = ", ".join(f"{name}={value!r}" for name, value in changed(model))
    return type(model).__name__ + (short(f"({fields})") if fields else "")
