"""Two networks against each other. b images of c channels, h high and w wide; z numbers of noise for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from runs.optim import Optim, Several
from runs.schedule import Schedule
from runs.task._grid import draw
from runs.task._objective import Minimize, Network, Objective, Picture

ODD = 0x5DEECE66D  # multiplies 64-bit integers one to one, as any odd number does


class Players(nn.Module):
    """Both networks; called with noise `b z`, it gives images `b c h w`."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.generator, self.discriminator, self.shape = generator, discriminator, shape

    def forward(self, noise: Tensor) -> Tensor:
        return self.generator(noise).view(-1, *self.shape)


class Adversarial(Objective):
    """The generator's loss is the one that does not saturate (Goodfellow et al. 2014, section 3)."""

    def __init__(
        self,
        network: Players,
        *,
        latent: int,
        optim: Optim,
        schedule: Schedule | None,
        pixels: Callable[[Tensor], Tensor] | None,
    ) -> None:
        super().__init__(network)
        self.players, self.latent, self.optim, self.pixels = network, latent, optim, pixels
        self.schedules = {} if schedule is None else {"discriminator": schedule}

    def optimizer(self, optim: Optim) -> Optimizer:
        own = self.players
        return Several({"generator": optim.build(own.generator), "discriminator": self.optim.build(own.discriminator)})

    def step(self, batch: Any, minimize: Minimize) -> dict[str, Tensor]:
        images, judge = batch[0], self.players.discriminator
        made = self.players(torch.randn(len(images), self.latent, device=images.device))
        true, false = judge(images), judge(made.detach())
        apart = (F.softplus(-true) + F.softplus(false)).mean()
        minimize(apart, "discriminator")
        loss = F.softplus(-judge(made)).mean()
        minimize(loss, "generator")
        return {"loss": loss, "discriminator_loss": apart}

    def measure(self, network: Network, batch: Any) -> Mapping[str, Tensor]:
        """The first two moments of pixels, of the images and of as many that are made."""
        found: dict[str, Tensor] = {}
        for name, each in (("true", batch[0]), ("made", network(noise_for(batch[0], self.latent)))):
            flat = each.flatten(1).double()  # b (c h w)
            found |= {f"{name}_sum": flat.sum(dim=0), f"{name}_products": flat.T @ flat}
        return found

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """Fréchet's distance between two normal distributions of pixels; what Heusel et al. 2017 take of features."""
        (true, a), (made, b) = (
            ((mean := sums[f"{name}_sum"] / examples), sums[f"{name}_products"] / examples - mean.outer(mean))
            for name in ("true", "made")
        )
        values, vectors = torch.linalg.eigh(a)
        root = vectors * values.clamp(min=0).sqrt() @ vectors.T
        shared = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
        return {"frechet_distance": float((true - made).square().sum() + a.trace() + b.trace() - 2 * shared)}

    def show(self, network: Network, batch: Any) -> Picture | None:
        """Images of the data, and beside them made ones."""
        if self.pixels is None:
            return None
        images = batch[0]
        return draw(self.pixels(images).numpy(), self.pixels(network(noise_for(images, self.latent))).numpy())


def noise_for(images: Tensor, latent: int) -> Tensor:
    """Normal noise `b z` that follows from each image alone, so that it is the same however images are divided.

    The bits of an image's numbers are mixed into 64, which are spread over z (Box and Muller 1958).
    """
    bits = images.float().flatten(1).contiguous().view(torch.int32).long()  # b (c h w)
    place = torch.arange(1, bits.shape[1] + 1, device=bits.device)
    key = (_mixed(bits + place * ODD)).sum(dim=1, keepdim=True)  # b 1
    uniform = [
        (_mixed(key + ODD * torch.arange(start, start + latent, device=bits.device)) & (2**53 - 1)).double() / 2**53
        for start in (1, latent + 1)
    ]
    return ((-2 * torch.log1p(-uniform[0])).sqrt() * torch.cos(2 * torch.pi * uniform[1])).float()


def _mixed(numbers: Tensor) -> Tensor:
    """Integers of 64 bits whose every bit depends on all of the given ones."""
    for _ in range(3):
        numbers = (numbers ^ (numbers >> 31)) * ODD
    return numbers ^ (numbers >> 29)
