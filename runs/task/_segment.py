"""Cross entropy of pixels, and the mean intersection over union. b images, h w their height and width, k classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from runs.task._grid import draw
from runs.task._objective import Network, Objective, Picture

COLORS = np.array(  # of a class, in turn
    [(32, 32, 32), (230, 85, 80), (80, 170, 230), (120, 200, 90), (240, 190, 60), (160, 110, 210), (90, 200, 190)],
    dtype=np.uint8,
)
Examples = tuple[Tensor, Tensor]  # b c h w, and masks b h w


class Segmentation(Objective):
    """The network gives logits `b k h w`."""

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: int,
        size: tuple[int, ...],
        pixels: Callable[[Tensor], Tensor] | None,
    ) -> None:
        super().__init__(network)
        self.classes, self.pixels = classes, pixels
        self.outputs = (classes, *size)

    def loss(self, network: Network, batch: Examples) -> Tensor:
        images, masks = batch
        return F.cross_entropy(network(images), masks)

    def measure(self, network: Network, batch: Examples) -> Mapping[str, Tensor]:
        images, masks = batch
        logits = network(images).float()
        loss = F.cross_entropy(logits, masks, reduction="none")
        pairs = masks * self.classes + logits.argmax(dim=1)
        confusion = torch.bincount(pairs.flatten(), minlength=self.classes**2)
        return {
            "loss": reduce(loss, "b h w -> b", "mean").sum(),
            "confusion": rearrange(confusion, "(label chosen) -> label chosen", label=self.classes),
        }

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """A class that neither a mask nor the network names has no IoU, and is left out of the mean."""
        confusion = sums["confusion"]
        both = confusion.diagonal()
        either = confusion.sum(dim=0) + confusion.sum(dim=1) - both
        return {
            "loss": float(sums["loss"] / examples),
            "accuracy": float(both.sum() / confusion.sum()),
            "mean_iou": float((both / either)[either > 0].mean()),
        }

    def show(self, network: Network, batch: Examples) -> Picture | None:
        """The images, and the class that the network gives each pixel as a colour, its own for each class."""
        if self.pixels is None:
            return None
        images = batch[0]
        chosen = network(images).argmax(dim=1).cpu().numpy()
        return draw(self.pixels(images).numpy(), rearrange(COLORS[chosen % len(COLORS)], "b h w c -> b c h w"))
