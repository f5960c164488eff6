"""Networks of the library timm: made for the images at hand, and tried once; torch is imported as one is made."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cn import UserError
from cn.errors import hint, lines, short

if TYPE_CHECKING:
    from torch import nn

ALL = 'to see all: python -c "import timm; print(*timm.list_models())"'
ANY = "one for images of any size: model.name=resnet18"


def create(name: str, *, inputs: tuple[int, int, int], classes: int, dropout: float) -> nn.Module:
    """The architecture of that name with random weights, from images `b c h w` to logits `b classes`.

    An architecture that fixes the size of its images is told theirs.
    Raises UserError for an unknown name, and where the architecture cannot be built or fails on such images.
    """
    import torch

    timm = library()
    names = timm.list_models()
    if name not in names:
        raise UserError(lines(f"model.name={short(name)}: timm knows no such architecture", hint(name, names), ALL))
    published = timm.models.get_pretrained_cfg(name)
    more: dict[str, Any] = {"drop_rate": dropout} if dropout else {}
    if published is not None and published.fixed_input_size:
        more["img_size"] = inputs[1:]
    try:
        network = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=inputs[0], **more)
        with torch.no_grad():
            network.eval()(torch.zeros(2, *inputs))
    except Exception as error:  # each architecture refuses in its own way: by an assertion, a division by zero, ...
        dropped = f", with dropout={dropout}" if dropout else ""
        what = f"model.name={name} cannot take images of {_times(inputs)}{dropped}"
        why = short(f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": "))
        size = f"it was published for images of {_times(published.input_size)}" if published is not None else None
        raise UserError(lines(what, why, size, ANY)) from error
    return network.train()


@functools.cache
def library() -> ModuleType:
    """The library timm, with whatever torchvision there is.

    timm imports torchvision, which cannot be imported where its compiled operators do not fit torch, as those of a
    torchvision for GPUs do not fit a torch for CPUs alone: it registers output shapes for two operators that are not
    there. Both find boxes in images, and no classifier calls them; so they are declared, and stay without a kernel.
    """
    try:
        import torchvision as torchvision
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        import torch

        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm

    return timm


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
