"""The U-Net. b images, c channels, h w their height and width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models._layers import conv_norm


class UNetwork(nn.Module):
    """Levels of half the resolution each on the way down, and skip connections to them on the way up.

    Unlike in the paper, convolutions are padded and normalised, so that the map is as large as the image.
    """

    def __init__(self, *, channels: int, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_level(a, b) for a, b in pairwise((channels, *widths)))
        self.up = nn.ModuleList(_level(a + b, b) for a, b in pairwise(widths[::-1]))
        self.logits = nn.Conv2d(widths[0], classes, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `b c h w` to logits `b classes h w`."""
        x, seen = images, list[Tensor]()
        for number, level in enumerate(self.down):
            x = level(x if number == 0 else F.max_pool2d(x, 2, ceil_mode=True))
            seen.append(x)
        for level, like in zip(self.up, seen[-2::-1], strict=True):
            x = F.interpolate(x, size=like.shape[-2:], mode="nearest")
            x = level(torch.cat([x, like], dim=1))
        return self.logits(x)


def _level(channels: int, features: int) -> nn.Sequential:
    return nn.Sequential(conv_norm(channels, features), nn.ReLU(), conv_norm(features, features), nn.ReLU())
