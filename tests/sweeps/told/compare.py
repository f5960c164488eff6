"""`python compare.py A B` prints, for each checkpoint of two run folders, the entries that differ."""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


for name in ("last.pt", "best.pt"):
    a, b = (torch.load(Path(folder, name), weights_only=True) for folder in sys.argv[1:])
    print(name, [key for key in a if not same(a[key], b[key])] if list(a) == list(b) else "is another")
