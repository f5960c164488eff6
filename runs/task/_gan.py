"""Generative adversarial networks. b images of c channels, h high and w wide; z noise numbers per image."""

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
from runs.task._noise import uniform
from runs.task._objective import Minimize, Network, Objective, Picture


class Players(nn.Module):
    """Both networks; forward maps noise `b z` to images `b c h w`."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.generator, self.discriminator, self.shape = generator, discriminator, shape

    def forward(self, noise: Tensor) -> Tensor:
        return self.generator(noise).view(-1, *self.shape)


class Adversarial(Objective):
    """The generator uses the non-saturating loss (Goodfellow et al. 2014, section 3)."""

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
        """Return the first two moments of pixels, of the images and of as many generated ones."""
        found: dict[str, Tensor] = {}
        for name, each in (("true", batch[0]), ("made", network(noise_for(batch[0], self.latent)))):
            flat = each.flatten(1).double()  # b (c h w)
            found |= {f"{name}_sum": flat.sum(dim=0), f"{name}_products": flat.T @ flat}
        return found

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """Return the Frechet distance between normal distributions of pixels; Heusel et al. 2017 use features."""
        (true, a), (made, b) = (
            ((mean := sums[f"{name}_sum"] / examples), sums[f"{name}_products"] / examples - mean.outer(mean))
            for name in ("true", "made")
        )
        values, vectors = torch.linalg.eigh(a)
        root = vectors * values.clamp(min=0).sqrt() @ vectors.T
        shared = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
        return {"frechet_distance": float((true - made).square().sum() + a.trace() + b.trace() - 2 * shared)}

    def show(self, network: Network, batch: Any) -> Picture | None:
        """Return a picture of the data's images with generated ones beside them."""
        if self.pixels is None:
            return None
        images = batch[0]
        made = self.pixels(network(noise_for(images, self.latent))).numpy()
        return draw({"images of the data": self.pixels(images).numpy(), "generated": made}, paired=False)


def noise_for(images: Tensor, latent: int) -> Tensor:
    """Return normal noise `b z`, computed from the bits of each image only (Box and Muller 1958)."""
    bits = images.float().flatten(1).contiguous().view(torch.int32)  # b (c h w)
    radius, angle = (uniform(bits, latent, stream) for stream in (0, 1))
    return ((-2 * torch.log1p(-radius)).sqrt() * torch.cos(2 * torch.pi * angle)).float()
