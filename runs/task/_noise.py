"""Random numbers computed from each of b examples only, and so independent of the batch division."""

from __future__ import annotations

import torch
from torch import Tensor

ODD = 0x5DEECE66D  # multiplication by an odd number is a bijection of 64-bit integers


def uniform(examples: Tensor, count: int, stream: int = 0) -> Tensor:
    """Return numbers `b count` in [0, 1), fp64, computed from each row of integers `b f`; streams are independent."""
    place = torch.arange(1, examples.shape[1] + 1, device=examples.device)
    key = mixed(examples.long() + place * ODD).sum(dim=1, keepdim=True)  # b 1
    numbers = torch.arange(stream * count + 1, (stream + 1) * count + 1, device=examples.device)
    return (mixed(key + ODD * numbers) & (2**53 - 1)).double() / 2**53


def mixed(numbers: Tensor) -> Tensor:
    """Return 64-bit integers in which every bit depends on all input bits."""
    for _ in range(3):
        numbers = (numbers ^ (numbers >> 31)) * ODD
    return numbers ^ (numbers >> 29)
