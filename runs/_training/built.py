"""Checks of the parts that nodes build."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cn import CN, UserError
from cn.discovery import source
from cn.errors import hint, short
from data import Dataset, size
from runs import Run
from runs._training.device import Device
from runs._training.measured import measured
from runs.task import Objective

Part = TypeVar("Part")
EXAMPLES = 8  # examples of the trial batch; the variance of a single one is 0


def expect(kind: type[Part], part: Any, address: str, node: CN) -> Part:
    """Return the part that the node at the address built; UserError for another type, as after a forgotten `return`."""
    if isinstance(part, kind):
        return part
    raise _wrong(address, node, f"gave {short(repr(part))}, and must give {_article(kind.__name__)}")


def try_out(objective: Objective, module: nn.Module, data: Dataset, device: Device, run: Run) -> tuple[str, ...]:
    """Evaluate a few examples before the first step; return the names of the validation metrics.

    Raises UserError if the network's output has the wrong shape, or if a metric of the goal is not measured. The run's
    random number generators are not advanced.
    """
    where, count = device.device, min(EXAMPLES, len(data.validation))
    lower = torch.autocast(where.type, device.autocast, enabled=device.autocast is not None)

    def network(*inputs: Any) -> Any:
        found = module(*inputs)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if objective.outputs is not None and shape != (right := (count, *objective.outputs)):
            what = f"gave a network that makes {shape} of {count} {data.noun}, and must make {right}"
            raise _wrong("model", run.model, what)
        return found

    with torch.no_grad(), lower, torch.random.fork_rng([where] if where.type == "cuda" else []):
        module.eval()
        batch = data.validation.batch(torch.arange(count, device=where))
        count = size(batch)  # unreadable examples may be left out
        found = measured(objective, network, [(batch, True)], lambda total: total)
    module.train()
    for each in run.task.goal():
        if (asked := each.name.removeprefix("validation/")) not in found:
            what = f"the goal of {type(run.task).__name__} is {asked}, which it does not measure"
            raise UserError(f"task: {what}", hint(asked, found), source.where(type(run.task)))
    return tuple(f"validation/{name}" for name in found)


def _wrong(address: str, node: CN, what: str) -> UserError:
    cls = type(node)
    text = f"{address}: {cls.__name__}.build() {what}"
    return UserError(text, f"{cls.__name__} is defined in {source.place(cls)}")


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
