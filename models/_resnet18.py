"""ResNet-18 in plain code: four stages of two residual blocks. b images, c channels."""

from __future__ import annotations

import torch.nn.functional as F
from einops.layers.torch import Reduce
from torch import Tensor, nn

from models._layers import conv_norm


class Residual(nn.Module):
    """Two convolutions and a shortcut, which is a 1 x 1 convolution if the shape changes."""

    def __init__(self, channels: int, features: int, *, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(channels, features, stride=stride)
        self.second = conv_norm(features, features)
        same = stride == 1 and channels == features
        self.shortcut = nn.Identity() if same else conv_norm(channels, features, kernel_size=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x)))
        return F.relu(y + self.shortcut(x))


class ResNet18Net(nn.Module):
    def __init__(self, *, inputs: tuple[int, int, int], classes: int, width: int) -> None:
        super().__init__()
        self.stem = conv_norm(inputs[0], width)
        blocks: list[Residual] = []
        channels = width
        for stage in range(4):
            features = width * 2**stage
            blocks.append(Residual(channels, features, stride=1 if stage == 0 else 2))
            blocks.append(Residual(features, features, stride=1))
            channels = features
        self.blocks = nn.Sequential(*blocks)
        self.pool = Reduce("b c h w -> b c", "mean")
        self.logits = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for block in blocks:  # each block begins as its shortcut (arXiv:1706.02677, section 5.1)
            norm = block.second[-1]
            assert isinstance(norm, nn.BatchNorm2d)
            nn.init.zeros_(norm.weight)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.stem(images)))
        return self.logits(self.pool(x))
