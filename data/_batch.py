"""Batches: nested tensors, and operations on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Batch = Any  # a tensor, or any nested tuple or dict of tensors; each tensor's first dimension counts the examples


def size(batch: Batch) -> int:
    """Return the number of examples in a batch."""
    while not isinstance(batch, Tensor):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)


def changed(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """Apply a function to every tensor of a batch; other values are unchanged."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, dict):
        return {name: changed(each, change) for name, each in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(changed(each, change) for each in batch))
    return type(batch)(changed(each, change) for each in batch) if isinstance(batch, (list, tuple)) else batch


def send(batch: Batch, device: torch.device) -> Batch:
    """Copy a batch to a device; copies to a GPU use pinned memory and are asynchronous."""

    def copied(tensor: Tensor) -> Tensor:
        if device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()  # a pinned tensor is returned unchanged
        return tensor.to(device, non_blocking=True)

    return changed(batch, copied)
