"""Networks of the library timm, built for the data's images and tested once; torch is imported on demand."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cn import UserError
from cn.errors import hint, short

if TYPE_CHECKING:
    from torch import nn

ALL = 'to see all: python -c "import timm; print(*timm.list_models())"'
ANY = "one for images of any size: model.name=resnet18"


def create(name: str, *, inputs: tuple[int, int, int], classes: int, dropout: float) -> nn.Module:
    """Return the architecture of that name with random weights, from images `b c h w` to logits `b classes`.

    An architecture with a fixed image size is configured for this size.
    Raises UserError for an unknown name, or if the architecture cannot be built or fails on such images.
    """
    import torch

    timm = library()
    names = timm.list_models()
    if name not in names:
        raise UserError(f"model.name={short(name)}: timm knows no such architecture", hint(name, names), ALL)
    published = timm.models.get_pretrained_cfg(name)
    more: dict[str, Any] = {"drop_rate": dropout} if dropout else {}
    if published is not None and published.fixed_input_size:
        more["img_size"] = inputs[1:]
    try:
        network = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=inputs[0], **more)
        with torch.no_grad():
            network.eval()(torch.zeros(2, *inputs))
    except Exception as error:  # each architecture raises its own errors: assertions, divisions by zero, ...
        dropped = f", with dropout={dropout}" if dropout else ""
        what = f"model.name={name} cannot take images of {_times(inputs)}{dropped}"
        why = short(f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": "))
        size = f"it was published for images of {_times(published.input_size)}" if published is not None else None
        raise UserError(what, why, size, ANY) from error
    return network.train()


@functools.cache
def library() -> ModuleType:
    """Import timm, with any installed torchvision.

    timm imports torchvision, whose import fails if its compiled operators do not match torch, such as a torchvision for
    GPUs with a torch for CPUs: it registers output shapes for two missing operators. Both detect boxes in images, and
    no
    classifier calls them; so they are declared without a kernel.
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
