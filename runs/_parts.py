"""Whether what a node built is what a run is made of."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cn import CN, UserError, source
from cn.errors import hint, lines, short
from data import Dataset, size
from runs import Run
from runs._device import Device
from runs._measured import measured
from runs.task import Objective

Part = TypeVar("Part")
EXAMPLES = 8  # that are tried out: of one alone, a variance is 0


def expect(kind: type[Part], part: Any, address: str, node: CN) -> Part:
    """The part that the node at that address built; UserError for what is none, as after a forgotten `return`."""
    if isinstance(part, kind):
        return part
    raise _wrong(address, node, f"gave {short(repr(part))}, and must give {_article(kind.__name__)}")


def try_out(objective: Objective, module: nn.Module, data: Dataset, device: Device, run: Run) -> tuple[str, ...]:
    """Measure a few examples before the first step; returns the names of what a validation measures.

    UserError where the network's output has another shape than the task learns from, or a metric of the goal is not
    measured. No random number of the run is used for it.
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
        count = size(batch)  # what cannot be read may be left out
        found = measured(objective, network, [(batch, True)], lambda total: total)
    module.train()
    for each in run.task.goal():
        if (asked := each.name.removeprefix("validation/")) not in found:
            what = f"the goal of {type(run.task).__name__} is {asked}, which it does not measure"
            raise UserError(lines(f"task: {what}", hint(asked, found), source.where(type(run.task))))
    return tuple(f"validation/{name}" for name in found)


def _wrong(address: str, node: CN, what: str) -> UserError:
    cls = type(node)
    text = f"{address}: {cls.__name__}.build() {what}"
    return UserError(lines(text, f"{cls.__name__} is defined in {source.place(cls)}"))


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
