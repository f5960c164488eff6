"""Renames weights that Hugging Face publishes to our names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")  # a block's number in a name


def renamed(theirs: Mapping[str, Tensor], *, names: Mapping[str, str], copies: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the weights by our names; a weight without one keeps its name.

    names: published module -> our module, where {} stands for a block's number.
    copies: weight -> the weight that it duplicates; it is left out if both are equal.
    """
    pairs = [(name, theirs[name], theirs[other]) for name, other in copies.items() if {name, other} <= theirs.keys()]
    doubled = [name for name, each, other in pairs if each.shape == other.shape and torch.equal(each, other)]
    return {_ours(name, names): each for name, each in theirs.items() if name not in doubled}


def _ours(name: str, names: Mapping[str, str]) -> str:
    """Return `blocks.3.attention_norm.bias` for `h.3.ln_1.bias`."""
    module, _, part = name.rpartition(".")
    number = NUMBER.search(name)
    ours = names.get(NUMBER.sub("{}", module, count=1))
    return f"{ours.format(number[0] if number else '')}.{part}" if ours else name
