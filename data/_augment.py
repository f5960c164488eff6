"""Random variation of a batch of images, on their own device and with its global generator.

Nothing here asks the device for a value, so nothing waits for it.
b images, c channels, h height, w width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, *, crop: int, flip: bool, cutout: int) -> Tensor:
    """Each of the three that is on, in this order: images `b c h w` to images of the same shape."""
    if crop:
        images = random_crop(images, crop)
    if flip:
        images = random_flip(images)
    if cutout:
        images = random_cutout(images, cutout)
    return images


def random_crop(images: Tensor, padding: int) -> Tensor:
    """A window of `h w` pixels, anywhere in each image grown by `padding` reflected pixels on each side."""
    b, _, h, w = images.shape
    padded = F.pad(images, (padding,) * 4, mode="reflect")
    windows = padded.unfold(2, h, 1).unfold(3, w, 1)  # b c top left h w, a view
    top, left = torch.randint(2 * padding + 1, (2, b), device=images.device)
    return windows[torch.arange(b, device=images.device), :, top, left]


def random_flip(images: Tensor) -> Tensor:
    """Each image mirrored left to right with probability 1/2."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(-1), images)


def random_cutout(images: Tensor, size: int) -> Tensor:
    """A square of `size` pixels, anywhere inside each image, set to 0: the mean colour of normalised images.

    DeVries and Taylor 2017 (arXiv:1708.04552) let it reach over the border; here each image loses the same area.
    """
    b, _, h, w = images.shape
    top = torch.randint(h - size + 1, (b, 1), device=images.device)
    left = torch.randint(w - size + 1, (b, 1), device=images.device)
    down = torch.arange(h, device=images.device) - top  # b h
    right = torch.arange(w, device=images.device) - left  # b w
    rows, columns = (down >= 0) & (down < size), (right >= 0) & (right < size)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)
