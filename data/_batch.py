"""What a run takes a step on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Batch = Any  # a tensor, or any nested tuple or dict of tensors; each tensor's first dimension counts the examples


def size(batch: Batch) -> int:
    """How many examples a batch has."""
    while not isinstance(batch, Tensor):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)


def changed(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The same batch, of changed tensors; what is no tensor stays."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, dict):
        return {name: changed(each, change) for name, each in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(changed(each, change) for each in batch))
    return type(batch)(changed(each, change) for each in batch) if isinstance(batch, (list, tuple)) else batch


def sent(batch: Batch, device: torch.device) -> Batch:
    """The same batch on a device; nothing waits until it is there."""
    return changed(batch, lambda each: each.to(device, non_blocking=True))
