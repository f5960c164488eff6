"""Cross entropy and accuracy. b examples, k classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from runs.task._answers import draw
from runs.task._mix import mix, neighbours
from runs.task._objective import Network, Objective, Picture

Examples = tuple[Tensor, Tensor]  # b ..., and labels b


class Classification(Objective):
    """The network gives logits `b k`."""

    looks_at = 256  # validation examples in which `show` looks for wrong predictions

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: Sequence[str],
        pixels: Callable[[Tensor], Tensor] | None,
        label_smoothing: float,
        mixup: float = 0.0,
        cutmix: float = 0.0,
    ) -> None:
        super().__init__(network)
        self.classes, self.pixels, self.label_smoothing = classes, pixels, label_smoothing
        self.mixup, self.cutmix = mixup, cutmix
        self.outputs = (len(classes),)

    def loss(self, network: Network, batch: Examples) -> Tensor | dict[str, Tensor]:
        if self.mixup or self.cutmix:
            examples, entropy = self.prepared(batch)
            return entropy(network(examples))
        examples, labels = batch
        return F.cross_entropy(network(examples), labels, label_smoothing=self.label_smoothing)

    def prepared(self, batch: Examples) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the examples, mixed if enabled, and a function from logits `b k` to the loss, a scalar."""
        examples, labels = batch
        entropy = partial(F.cross_entropy, label_smoothing=self.label_smoothing)
        if not self.mixup and not self.cutmix:
            return examples, lambda logits: entropy(logits, labels)
        examples, own = mix(examples, mixup=self.mixup, cutmix=self.cutmix)
        others = neighbours(labels)
        return examples, lambda logits: own * entropy(logits, labels) + (1 - own) * entropy(logits, others)

    def measure(self, network: Network, batch: Examples) -> Mapping[str, Tensor]:
        examples, labels = batch
        logits = network(examples)
        return {
            "loss": F.cross_entropy(logits.float(), labels, reduction="sum"),
            "accuracy": (logits.argmax(dim=1) == labels).sum(),
        }

    def show(self, network: Network, batch: Examples) -> Picture | None:
        """Return a picture of images with labels and predictions, wrong ones first; None without images."""
        if self.pixels is None:
            return None
        images, labels = batch
        wanted: list[int] = labels.tolist()
        given: list[int] = network(images).argmax(dim=1).tolist()
        named, taken = ([self.classes[each] for each in numbers] for numbers in (wanted, given))
        return draw(self.pixels(images).numpy(), named, taken)
