"""Random augmentation of a batch of images, on their device and with its global generator.

No operation syncs with the device.
b images, c channels, h height, w width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, *, crop: int, flip: bool, cutout: int) -> Tensor:
    """Apply the enabled augmentations in this order: images `b c h w` to images of the same shape."""
    if crop:
        images = random_crop(images, crop)
    if flip:
        images = random_flip(images)
    if cutout:
        images = random_cutout(images, cutout)
    return images


def random_crop(images: Tensor, padding: int) -> Tensor:
    """Cut a random window of `h w` pixels out of each image padded by `padding` reflected pixels on each side."""
    b, _, h, w = images.shape
    padded = F.pad(images, (padding,) * 4, mode="reflect")
    windows = padded.unfold(2, h, 1).unfold(3, w, 1)  # b c top left h w, a view
    top, left = torch.randint(2 * padding + 1, (2, b), device=images.device)
    return windows[torch.arange(b, device=images.device), :, top, left]


def random_flip(images: Tensor) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(-1), images)


def random_cutout(images: Tensor, size: int) -> Tensor:
    """Set a random square of `size` pixels in each image to 0, the mean colour of normalised images.

    In DeVries and Taylor 2017 (arXiv:1708.04552) the square may cross the border; here each image loses the same area.
    """
    b, _, h, w = images.shape
    top = torch.randint(h - size + 1, (b, 1), device=images.device)
    left = torch.randint(w - size + 1, (b, 1), device=images.device)
    down = torch.arange(h, device=images.device) - top  # b h
    right = torch.arange(w, device=images.device) - left  # b w
    rows, columns = (down >= 0) & (down < size), (right >= 0) & (right < size)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)
