"""Layers shared by several networks. b images, c channels, h and w pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from einops.layers.torch import Rearrange
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def fully_connected(
    *,
    inputs: tuple[int, ...],
    hidden: Sequence[int],
    classes: int,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.Sequential:
    """Return linear layers from `b ...` to `b classes`, with hidden layers of these units."""
    units = math.prod(inputs)
    layers: list[nn.Module] = [Rearrange("b ... -> b (...)")]
    for size in hidden:
        layers.append(nn.Linear(units, size))
        if batch_norm:
            layers.append(nn.BatchNorm1d(size))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
        units = size
    return nn.Sequential(*layers, nn.Linear(units, classes))


def conv_norm(channels: int, features: int, *, kernel_size: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution, padded so that an odd kernel keeps h and w at stride 1, then batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels, features, kernel_size, stride=stride, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(features),
    )
