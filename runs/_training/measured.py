"""The metrics of a split, from the sums that a task returns for each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from cn import RunError
from data import Batch, size
from runs.task import Objective


@torch.no_grad()
def measured(
    objective: Objective,
    network: Callable[..., Any],
    batches: Iterable[tuple[Batch, bool]],
    total: Callable[[Tensor], Tensor],
) -> dict[str, float]:
    """Return the metrics over batches; a batch with False is evaluated but not counted.

    total: all-reduces a tensor to the sum over the processes, in place.
    """
    sums: dict[str, Tensor] = {}
    examples = 0
    for batch, counted in batches:
        examples += size(batch) if counted else 0
        for name, each in objective.measure(network, batch).items():
            each = each.double() if counted else torch.zeros_like(each, dtype=torch.float64)
            sums[name] = sums[name] + each if name in sums else each
    everywhere = int(total(torch.tensor(examples)))  # without examples that were left out
    found = objective.metrics({name: total(each).cpu() for name, each in sums.items()}, everywhere)
    for name, value in found.items():
        if type(value) is not float:
            what = f"{type(objective).__name__}.metrics() gave {name} as {type(value).__name__}, and must give floats"
            raise RunError(what)
    return found
