"""Weights as a safetensors file, which other libraries read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cn import RunError
from cn.errors import short
from runs._checkpoint import readable
from runs._packages import refuse_absent

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"


def write(weights: dict[str, Tensor], path: Path) -> float:
    """Write tensors by name; tensors that share memory, as in tied layers, are written once per name.

    Returns 0, the largest difference to the tensors read back. Raises RunError if they are not bit-identical.
    """
    from safetensors.torch import save

    content = save({name: each.contiguous().clone() for name, each in weights.items()})
    path.write_bytes(content)
    found = read(path)
    wrong = [name for name, each in weights.items() if name not in found or not _equal(found[name], each)]
    if wrong or len(found) != len(weights):
        raise RunError(f"safetensors gave back other weights than it was given: {short(', '.join(wrong))}")
    return 0.0


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors by name, on the CPU; Unreadable for another file."""
    from safetensors.torch import load_file

    with readable(path):
        return load_file(path)


def need(what: str) -> None:
    """Raise UserError if the library is missing; `what` names the option that needs it."""
    refuse_absent(what, ("safetensors",), extra="hub")


def _equal(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same dtype, shape and bits; a NaN equals itself."""
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and torch.equal(_bytes(one), _bytes(other))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)
