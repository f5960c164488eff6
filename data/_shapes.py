"""Images of geometric shapes. n images, h w their height and width."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data._dataset import Dataset, Split
from data._images import normalisation, pixels

CLASSES = ("background", "square", "disc", "triangle")


class MaskSplit(Split):
    """Images `n 1 h w` of bytes, and masks `n h w` of bytes."""

    def __init__(self, images: Tensor, masks: Tensor, *, scale: Tensor, shift: Tensor) -> None:
        self.images, self.masks, self.scale, self.shift = images, masks, scale, shift

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images `b 1 h w`, and masks `b h w` of int64."""
        images = self.images.index_select(0, index).float().mul_(self.scale).add_(self.shift)
        return images, self.masks.index_select(0, index).long()

    def to(self, device: torch.device | str) -> MaskSplit:
        images, masks, scale, shift = (each.to(device) for each in (self.images, self.masks, self.scale, self.shift))
        return MaskSplit(images, masks, scale=scale, shift=shift)


def make(*, count: int, size: int, noise: float, seed: int) -> Dataset:
    """Return the data set. Each part has its own generator, so that its size does not affect other parts."""
    parts = [_draw(n, size, noise, (seed, part)) for part, n in enumerate((count, count // 4, count // 4))]
    scale, shift = normalisation(parts[0][0])
    splits = [MaskSplit(images, masks, scale=scale, shift=shift) for images, masks in parts]
    back = partial(pixels, scale=scale, shift=shift)
    return Dataset(*splits, inputs=(1, size, size), classes=CLASSES, noun="images", pixels=back)


def _draw(count: int, size: int, noise: float, seed: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return images and masks of bytes; each shape is present with probability 3/4, later ones in front."""
    random = np.random.Generator(np.random.PCG64(seed))
    rows, columns = np.mgrid[:size, :size]
    images = np.empty((count, 1, size, size), np.uint8)
    masks = np.zeros((count, size, size), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        for label in range(1, len(CLASSES)):
            radius = random.uniform(0.12, 0.25) * size
            down, right = random.uniform(radius, size - radius, size=2)
            there = random.random() < 0.75
            if there:
                mask[_inside(label, rows - down, columns - right, radius)] = label
        grey = (mask > 0) + noise * random.standard_normal((size, size))
        image[0] = np.clip(96 + 64 * grey, 0, 255).round()
    return torch.from_numpy(images), torch.from_numpy(masks)


def _inside(label: int, y: Any, x: Any, radius: float) -> Any:
    """Return whether each pixel lies in the shape, from its distance to the centre."""
    if CLASSES[label] == "square":
        return np.maximum(abs(y), abs(x)) <= 0.8 * radius
    if CLASSES[label] == "disc":
        return y**2 + x**2 <= radius**2
    return (y <= radius) & (y >= -radius + 2 * abs(x))
