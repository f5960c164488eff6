from __future__ import annotations

import torch
import torch.nn.functional as F

from models._resnet18 import Residual
from models.resnet18 import ResNet18


def test_11173962_parameters_on_cifar(parameters):
    assert parameters(ResNet18(), (3, 32, 32)) == 11_173_962


def test_each_stage_but_the_first_halves_the_image_and_doubles_the_channels():
    network = ResNet18(width=4).build(inputs=(3, 32, 32), classes=10)
    shapes = []
    x = F.relu(network.stem(torch.randn(2, 3, 32, 32)))
    for block in network.blocks:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    expected = [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]
    assert shapes == [shape for shape in expected for _ in range(2)]


def test_a_block_begins_as_its_shortcut():
    network = ResNet18(width=4).build(inputs=(1, 8, 8), classes=10)
    block = network.blocks[0]
    assert isinstance(block, Residual)
    x = torch.randn(2, 4, 8, 8).relu()
    torch.testing.assert_close(block(x), x)


def test_a_width_without_channels_is_refused(outside):
    assert outside(ResNet18, width=0) == "ResNet18.width is int >= 1, not 0"
