"""The order in which a run sees its data: a pure function of the seed and the epoch."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def order(seed: int, epoch: int, length: int) -> Tensor:
    """The indices 0 to `length` - 1 as an epoch takes them, int64 on the CPU; each batch is divided among the ranks."""
    words = hashlib.blake2b(f"{seed} {epoch}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(words, "little") >> 1)
    return torch.randperm(length, generator=generator)
