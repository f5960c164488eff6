"""mixup (Zhang et al. 2018, arXiv:1710.09412) and CutMix (Yun et al. 2019, arXiv:1905.04899) of a batch.

Random numbers are drawn on the batch's device with its global generator, whose state is in the checkpoints, so there is
no host sync. Each example is mixed with the one before it in the batch: each epoch has a new order, so a neighbour is
as good as a random partner.
b examples, h height, w width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Beta


def mix(examples: Tensor, *, mixup: float, cutmix: float) -> tuple[Tensor, Tensor]:
    """Mix each example with its neighbour; return the examples and their own share, in [0, 1], one for the batch.

    mixup and cutmix are the alpha of a Beta distribution, 0 to disable; with both, a fair coin chooses per batch.
    Examples
    are `b ...`, for cutmix `b c h w`. The share is a scalar on their device.
    """
    device = examples.device
    own = torch.ones((), device=device)  # own share: a scalar, or a number per pixel
    if mixup:
        own = share(mixup, device)
    if cutmix:
        window = outside(share(cutmix, device), *examples.shape[-2:])
        own = torch.where(torch.rand((), device=device) < 0.5, own, window) if mixup else window
    mixed = torch.lerp(neighbours(examples), examples, own.to(examples.dtype))
    return mixed, own.mean()


def neighbours(examples: Tensor) -> Tensor:
    """Return the previous example for each one, cyclically; labels likewise."""
    return examples.roll(1, 0)


def share(alpha: float, device: torch.device) -> Tensor:
    """Draw a number in [0, 1] from Beta(alpha, alpha), a scalar on the device."""
    parameter = torch.full((), alpha, device=device)
    return Beta(parameter, parameter, validate_args=False).sample()  # validation would sync with the device


def outside(share: Tensor, h: int, w: int) -> Tensor:
    """Return 1 outside of a random window and 0 inside, `h w`; the window's area is 1 - share.

    The window's middle is anywhere in the image, and parts beyond the border are cut off, as in the paper.
    """
    half = (1 - share).sqrt() / 2  # half the window's side, relative to the image
    middle = torch.rand(2, device=share.device)
    rows, columns = (
        ((torch.arange(size, device=share.device) + 0.5) / size - place).abs() < half
        for size, place in zip((h, w), middle.unbind(), strict=True)
    )
    return 1 - (rows[:, None] & columns).float()
