"""One step of an optimiser, with the gradients that its parameters hold."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer


def update(
    optimizer: Optimizer, parameters: Sequence[nn.Parameter], *, clip: float | None, scaler: GradScaler | None
) -> None:
    """Clip the gradients of the parameters to the norm `clip`, and take the step; a scaler unscales them first."""
    if clip is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(parameters, clip)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
