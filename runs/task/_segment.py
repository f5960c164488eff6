"""Cross entropy of pixels, and mean intersection over union. b images, h w their height and width, k classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from runs.task._grid import draw
from runs.task._objective import Network, Objective, Picture

COLORS = np.array(  # of the classes, repeating; to be told apart by people with any kind of colour blindness
    [
        (32, 32, 32),
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    dtype=np.uint8,
)
Examples = tuple[Tensor, Tensor]  # b c h w, and masks b h w


class Segmentation(Objective):
    """The network gives logits `b k h w`."""

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: Sequence[str],
        size: tuple[int, ...],
        pixels: Callable[[Tensor], Tensor] | None,
    ) -> None:
        super().__init__(network)
        self.names, self.classes, self.pixels = classes, len(classes), pixels
        self.outputs = (len(classes), *size)

    def loss(self, network: Network, batch: Examples) -> Tensor:
        images, masks = batch
        # Of rows, torch's loss is deterministic on a GPU; of maps it is not.
        logits = rearrange(network(images), "b k h w -> (b h w) k")
        return F.cross_entropy(logits, masks.flatten())

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
        """Return loss, accuracy and mean IoU; a class absent from masks and predictions is left out of the mean."""
        confusion = sums["confusion"]
        both = confusion.diagonal()
        either = confusion.sum(dim=0) + confusion.sum(dim=1) - both
        return {
            "loss": float(sums["loss"] / examples),
            "accuracy": float(both.sum() / confusion.sum()),
            "mean_iou": float((both / either)[either > 0].mean()),
        }

    def show(self, network: Network, batch: Examples) -> Picture | None:
        """Return a picture of the images, the true and predicted class of each pixel as a colour, and wrong pixels."""
        if self.pixels is None:
            return None
        images, masks = batch[0], batch[1].cpu().numpy()
        chosen = network(images).argmax(dim=1).cpu().numpy()
        wrong = masks != chosen
        true, predicted = (rearrange(COLORS[each % len(COLORS)], "b h w c -> b c h w") for each in (masks, chosen))
        parts = {
            "image": self.pixels(images).numpy(),
            "true": true,
            "predicted": predicted,
            "wrong in white": rearrange(wrong, "b h w -> b 1 h w").astype(np.uint8) * 255,
        }
        present = sorted({*np.unique(masks).tolist(), *np.unique(chosen).tolist()})
        colours = {each: COLORS[each % len(COLORS)] for each in present}
        key = {str(self.names[each]): (int(r), int(g), int(b)) for each, (r, g, b) in colours.items()}
        return draw(parts, title=f"{wrong.mean():.1%} of the pixels are wrong", key=key)
