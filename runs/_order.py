"""The order in which a run sees its data: a pure function of the seed and the epoch."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def order(seed: int, epoch: int, length: int, *, rank: int = 0, ranks: int = 1) -> Tensor:
    """Indices `length // ranks` of one rank, int64 on the CPU; together the ranks see each index at most once."""
    words = hashlib.blake2b(f"{seed} {epoch}".encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(words, "little") >> 1)
    return torch.randperm(length, generator=generator)[: length - length % ranks][rank::ranks]
