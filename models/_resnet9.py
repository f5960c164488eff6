"""A residual network of three stages, two of them with one residual block. b images, c channels."""

from __future__ import annotations

import torch.nn.functional as F
from einops.layers.torch import Reduce
from torch import Tensor, nn

from models._layers import conv_norm


class Stage(nn.Module):
    """A convolution that doubles the channels and halves the image; with `residual`, two more with a shortcut."""

    def __init__(self, channels: int, features: int, *, residual: bool) -> None:
        super().__init__()
        self.convolution, self.norm = conv_norm(channels, features)
        self.first = conv_norm(features, features) if residual else None
        self.second = conv_norm(features, features) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.convolution(x), 2, ceil_mode=True)  # pool first: a quarter of the work is left
        x = F.relu(self.norm(x))
        if self.first is None or self.second is None:
            return x
        return x + F.relu(self.second(F.relu(self.first(x))))


class ResNet9Net(nn.Module):
    def __init__(self, *, inputs: tuple[int, int, int], classes: int, width: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.stem = conv_norm(inputs[0], width)
        self.stages = nn.Sequential(
            Stage(width, 2 * width, residual=True),
            Stage(2 * width, 4 * width, residual=False),
            Stage(4 * width, 8 * width, residual=True),
        )
        self.pool = Reduce("b c h w -> b c", "max")
        self.logits = nn.Linear(8 * width, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stages(F.relu(self.stem(images)))
        return self.logits(self.pool(x)) * self.scale
