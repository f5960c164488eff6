"""run=cifar_fast as one would write it by hand, with torch alone: what the framework is measured against.

It draws the same random numbers in the same order, so on a CPU it comes to the same bits.
b images in a batch, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH, EPOCHS = 512, 24
RATE, MOMENTUM, DECAY = 0.4, 0.9, 5e-4
WARMUP, COOLDOWN = 0.2, 0.8  # of all steps
CROP, CUTOUT, SMOOTHING = 4, 8, 0.2
AVERAGE = 0.99
LOG = 10  # steps


class Script:
    """Everything that the script has made, for whoever wants to compare it; `train` is the script."""

    def __init__(self, network: nn.Module, *, autocast: torch.dtype | None, compiled: bool) -> None:
        self.network, self.autocast, self.compiled = network, autocast, compiled
        self.averaged = {name: each.detach().clone() for name, each in network.state_dict().items()}
        self.losses: list[Tensor] = []  # means since the last log, not read yet

    def train(
        self,
        images: Tensor,  # n c h w, uint8
        labels: Tensor,  # n, int64
        *,
        scale: Tensor,  # c 1 1
        shift: Tensor,  # c 1 1
        order: Callable[[int], Tensor],  # of the images, from the epoch
        batch: int = BATCH,
        steps: int | None = None,
    ) -> Iterator[None]:
        """Yields after each step."""
        network, device = self.network, images.device
        per_epoch = len(images) // batch
        steps = EPOCHS * per_epoch if steps is None else steps
        warmup, cooldown = round(WARMUP * steps), round(COOLDOWN * steps)
        matrices = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim < 2]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.SGD(groups, RATE, MOMENTUM, weight_decay=DECAY, nesterov=True, fused=True)
        state = network.state_dict()
        numbers = [name for name, each in state.items() if each.is_floating_point()]
        weights, averages = [state[name] for name in numbers], [self.averaged[name] for name in numbers]
        forward: Any = torch.compile(network) if self.compiled else network
        lower = nullcontext() if self.autocast is None else torch.autocast(device.type, self.autocast)
        total = torch.zeros((), device=device)
        network.train()
        batches: tuple[Tensor, ...] = ()
        for step in range(steps):
            if step % per_epoch == 0:
                batches = order(step // per_epoch).to(device).split(batch)
            index = batches[step % per_epoch]
            x = images.index_select(0, index).float().mul_(scale).add_(shift)
            x = cutout(flip(crop(x)))
            with lower:
                loss = F.cross_entropy(forward(x), labels.index_select(0, index), label_smoothing=SMOOTHING)
            loss.backward()
            rate = RATE * min(1.0, (step + 1) / (warmup + 1), (steps - step) / (cooldown + 1))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights, 1 - min(AVERAGE, (2 + step) / (11 + step)))
                total += loss
            if (step + 1) % LOG == 0:
                self.losses.append(total / LOG)
                total.zero_()
            yield


def crop(images: Tensor) -> Tensor:
    """A window of `h w` pixels of each image, grown by reflection."""
    b, c, h, w = images.shape
    padded = F.pad(images, (CROP,) * 4, mode="reflect")
    top, left = torch.randint(2 * CROP + 1, (2, b, 1), device=images.device)
    rows = top + torch.arange(h, device=images.device)  # b h
    columns = left + torch.arange(w, device=images.device)  # b w
    pixels = rows[:, :, None] * padded.shape[3] + columns[:, None, :]  # b h w
    return padded.flatten(2).gather(2, pixels.view(b, 1, h * w).expand(b, c, h * w)).view(b, c, h, w)


def flip(images: Tensor) -> Tensor:
    """Every second image or so, mirrored."""
    mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def cutout(images: Tensor) -> Tensor:
    """A blank square in each image."""
    b, _, h, w = images.shape
    top = torch.randint(h - CUTOUT + 1, (b, 1), device=images.device)
    left = torch.randint(w - CUTOUT + 1, (b, 1), device=images.device)
    rows = (torch.arange(h, device=images.device) - top) // CUTOUT == 0  # b h
    columns = (torch.arange(w, device=images.device) - left) // CUTOUT == 0  # b w
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)
