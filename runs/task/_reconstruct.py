"""The mean squared error of reconstructed images. b images, c h w their channels, height and width."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from einops import reduce
from torch import Tensor, nn

from runs.task._grid import draw
from runs.task._objective import Network, Objective, Picture


class Reconstruction(Objective):
    """The network gives `b (c h w)`."""

    def __init__(
        self, network: nn.Module, *, inputs: tuple[int, ...], pixels: Callable[[Tensor], Tensor] | None
    ) -> None:
        super().__init__(network)
        self.pixels = pixels
        self.outputs = (math.prod(inputs),)

    def loss(self, network: Network, batch: Any) -> Tensor:
        images = batch[0]
        return F.mse_loss(network(images), images.flatten(1))

    def measure(self, network: Network, batch: Any) -> Mapping[str, Tensor]:
        images = batch[0]
        error = F.mse_loss(network(images).float(), images.flatten(1), reduction="none")
        return {"loss": reduce(error, "b chw -> b", "mean").sum()}

    def show(self, network: Network, batch: Any) -> Picture | None:
        """Return a picture of the images and their reconstructions."""
        if self.pixels is None:
            return None
        images = batch[0]
        found = network(images).view_as(images)
        return draw({"image": self.pixels(images).numpy(), "reconstructed": self.pixels(found).numpy()})
