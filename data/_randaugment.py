"""RandAugment (Cubuk et al. 2020, arXiv:1909.13719) of a batch, on its own device and with its global generator.

Each image has its own operation out of 14, of three kinds: a move of pixels, a map of levels, and a blend with a
simpler image. The whole batch passes through each kind once, which leaves images with an operation of another kind
unchanged; so there is no host sync.

Results equal those of PIL, which the authors' code calls, and strengths at a magnitude are those of torchvision.
b images, c channels, h height, w width. Images hold levels: whole numbers from 0 to 255, as floats.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

PLACES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
LEVELS = ("posterize", "solarize", "autocontrast", "equalize")
BLENDS = ("brightness", "colour", "contrast", "sharpness")
OPERATIONS = ("identity", *PLACES, *LEVELS, *BLENDS)
MOST = 30  # the largest magnitude
SHEAR = 0.3  # at the largest magnitude, as the others: horizontal pixels per vertical pixel
TRANSLATE = 150 / 331  # of the width or the height
ROTATE = 30  # degrees
BLEND = 0.9  # largest distance of the factor from 1; 1: the image, 0: the simpler one
BITS = 4  # cleared by posterize


def randaugment(images: Tensor, *, operations: int, magnitude: int) -> Tensor:
    """Apply `operations` random operations to each of the images `b c h w`, drawn independently."""
    b, device = len(images), images.device
    for _ in range(operations):
        kinds = torch.randint(len(OPERATIONS), (b,), device=device)
        signs = torch.randint(2, (b,), device=device) * 2 - 1
        images = apply(images, kinds, signs * float(magnitude))
    return images


def apply(images: Tensor, kinds: Tensor, magnitudes: Tensor) -> Tensor:
    """Apply one operation to each image: its index in OPERATIONS `b`, and its magnitude `b`, from -30 to 30.

    The sign is the direction of a shift, shear or rotation, and whether a blend weakens or strengthens.
    """
    assert images.shape[1] in (1, 3)
    images = _move(images, kinds, magnitudes)
    images = _map(images, kinds, magnitudes.abs())
    return _blend(images, kinds, magnitudes)


def _is(kinds: Tensor, name: str) -> Tensor:
    """Return whether each image's operation is this one, `b 1 1`."""
    return (kinds == OPERATIONS.index(name))[:, None, None]


def _move(images: Tensor, kinds: Tensor, magnitudes: Tensor) -> Tensor:
    """Sample each pixel from the nearest position of an affine map; black outside of the image."""
    _, c, h, w = images.shape
    y = (torch.arange(h, device=images.device) + 0.5)[:, None]  # h 1, the middles of pixels
    x = torch.arange(w, device=images.device) + 0.5  # w
    strength = (magnitudes / MOST)[:, None, None]  # b 1 1
    shear_x, shear_y, shift_x, shift_y, turn = (strength * _is(kinds, name) for name in PLACES)
    cos, sin = (turn * math.radians(ROTATE)).cos(), (turn * math.radians(ROTATE)).sin()
    down, right = y - h / 2, x - w / 2
    column = cos * right - sin * down + w / 2 + shear_x * SHEAR * y + shift_x * TRANSLATE * w  # b h w
    row = sin * right + cos * down + h / 2 + shear_y * SHEAR * x + shift_y * TRANSLATE * h
    column, row = column.floor().long(), row.floor().long()
    outside = (column < 0) | (column >= w) | (row < 0) | (row >= h)
    place = row.clamp(0, h - 1) * w + column.clamp(0, w - 1)
    found = images.flatten(2).gather(2, place.flatten(1)[:, None].expand(-1, c, -1)).view_as(images)
    return found.masked_fill(outside[:, None], 0)


def _map(images: Tensor, kinds: Tensor, magnitudes: Tensor) -> Tensor:
    """Map each level by a table for each channel of each image."""
    b, c, _, _ = images.shape
    level = torch.arange(256.0, device=images.device)
    ordered = images.flatten(2).sort(dim=2).values  # b c hw
    low, high = ordered[:, :, :1], ordered[:, :, -1:]  # b c 1
    size = 2 ** (magnitudes * BITS / MOST).round()[:, None, None]  # step of posterize
    limit = (255 - magnitudes * 255 / MOST)[:, None, None]
    tables = {
        "posterize": (level / size).floor() * size,
        "solarize": torch.where(level < limit, level, 255 - level),
        "autocontrast": torch.where(low < high, (level - low) * 255 / (high - low).clamp(min=1), level),
        "equalize": _equalized(ordered, level),
    }
    table = level.expand(b, c, 256)
    for name in LEVELS:
        table = torch.where(_is(kinds, name), tables[name], table)
    return table.floor().clamp(0, 255).gather(2, images.flatten(2).long()).view_as(images)


def _equalized(ordered: Tensor, level: Tensor) -> Tensor:
    """Return the equalizing table `b c 256` of sorted levels `b c hw`; identical to PIL's, in whole numbers.

    Counts come from a search, which is deterministic on a GPU; adding up a histogram may not be.
    """
    below = torch.searchsorted(ordered.contiguous(), level.repeat(*ordered.shape[:2], 1))  # b c 256, pixels
    step = below.gather(2, ordered[:, :, -1:].long()) // 255  # b c 1, pixels per level, without the brightest ones
    return torch.where(step > 0, (step // 2 + below) // step.clamp(min=1), level)


def _blend(images: Tensor, kinds: Tensor, magnitudes: Tensor) -> Tensor:
    """Blend each image with a simpler one, or extrapolate: black, grey, uniform grey, or smooth."""
    grey = _grey(images)
    mean = (grey.mean((2, 3), keepdim=True) + 0.5).floor()
    plainer = {"colour": grey, "contrast": mean, "sharpness": _smooth(images), "brightness": torch.zeros_like(mean)}
    base, factor = images, torch.ones_like(magnitudes)[:, None, None, None]  # b 1 1 1
    stronger = (1 + BLEND * magnitudes / MOST)[:, None, None, None]
    for name in BLENDS:
        chosen = _is(kinds, name)[..., None]
        base = torch.where(chosen, plainer[name], base)
        factor = torch.where(chosen, stronger, factor)
    return (base + factor * (images - base)).clamp(0, 255).floor()


def _grey(images: Tensor) -> Tensor:
    """Return luma `b 1 h w` after ITU-R 601-2, in PIL's integer arithmetic, exact in fp32."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) / 0x10000).floor()


def _smooth(images: Tensor) -> Tensor:
    """Smooth with weight 5 for the centre and 1 for its 8 neighbours, of 13; the border is unchanged."""
    smooth = ((F.avg_pool2d(images, 3, stride=1, padding=1) * 9 + images * 4) / 13 + 0.5).floor()
    smooth[..., :1, :], smooth[..., -1:, :] = images[..., :1, :], images[..., -1:, :]
    smooth[..., :1], smooth[..., -1:] = images[..., :1], images[..., -1:]
    return smooth
