"""Whether what a node built is what a run is made of."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cn import CN, UserError, source
from cn.errors import lines, short
from runs._device import Device

Part = TypeVar("Part")


def expect(kind: type[Part], part: Any, address: str, node: CN) -> Part:
    """The part that the node at that address built; UserError for what is none, as after a forgotten `return`."""
    if isinstance(part, kind):
        return part
    raise _wrong(address, node, f"gave {short(repr(part))}, and must give {_article(kind.__name__)}")


def expect_logits(network: nn.Module, inputs: tuple[int, int, int], classes: int, device: Device, node: CN) -> None:
    """UserError where an image has not one logit for each class, which a GPU tells as an assertion that failed there.

    inputs: c h w. No random number of the run is used for it.
    """
    where = device.device
    lower = torch.autocast(where.type, device.autocast, enabled=device.autocast is not None)
    with torch.no_grad(), lower, torch.random.fork_rng([where] if where.type == "cuda" else []):
        logits = network.eval()(torch.zeros(1, *inputs, device=where))
    network.train()
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != (1, classes):
        raise _wrong("model", node, f"gave a network that makes {shape} of 1 image, and must make {(1, classes)}")


def _wrong(address: str, node: CN, what: str) -> UserError:
    cls = type(node)
    text = f"{address}: {cls.__name__}.build() {what}"
    return UserError(lines(text, f"{cls.__name__} is defined in {source.place(cls)}"))


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
