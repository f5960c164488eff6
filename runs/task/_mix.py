"""mixup (Zhang et al. 2018, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899) of a batch.

All is drawn on the batch's device with its global generator, whose state is in the checkpoints; nothing is read back,
so nothing waits for the device. Each example is mixed with the one before it in the batch: the order of an epoch is
drawn anew each time, so a neighbour is as good as one that is drawn.
b examples, h height, w width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Beta


def mix(examples: Tensor, *, mixup: float, cutmix: float) -> tuple[Tensor, Tensor]:
    """The examples, each mixed with its neighbour, and the share that is its own, in [0, 1]: one for the whole batch.

    mixup and cutmix are the alpha of a Beta distribution, 0 for neither; with both a fair coin chooses for the batch.
    Examples are `b ...`, and for cutmix `b c h w`. The share is a scalar on their device.
    """
    device = examples.device
    own = torch.ones((), device=device)  # what is kept of an example: a scalar, or a number for each pixel
    if mixup:
        own = share(mixup, device)
    if cutmix:
        window = outside(share(cutmix, device), *examples.shape[-2:])
        own = torch.where(torch.rand((), device=device) < 0.5, own, window) if mixup else window
    mixed = torch.lerp(neighbours(examples), examples, own.to(examples.dtype))
    return mixed, own.mean()


def neighbours(examples: Tensor) -> Tensor:
    """Of each example the one before it, of the first the last; of labels likewise."""
    return examples.roll(1, 0)


def share(alpha: float, device: torch.device) -> Tensor:
    """A number in [0, 1] from Beta(alpha, alpha), a scalar on the device."""
    parameter = torch.full((), alpha, device=device)
    return Beta(parameter, parameter, validate_args=False).sample()  # to validate is to ask the device


def outside(share: Tensor, h: int, w: int) -> Tensor:
    """1 outside of a window with the rest of the area and 0 in it, `h w`; its middle is anywhere in the image.

    Where it reaches over the border less of the image is in it, as in the paper.
    """
    half = (1 - share).sqrt() / 2  # of the window's side, as a part of the image's
    middle = torch.rand(2, device=share.device)
    rows, columns = (
        ((torch.arange(size, device=share.device) + 0.5) / size - place).abs() < half
        for size, place in zip((h, w), middle.unbind(), strict=True)
    )
    return 1 - (rows[:, None] & columns).float()
