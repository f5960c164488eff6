from __future__ import annotations

import torch
import torch.nn.functional as F

from models.resnet9 import ResNet9


def test_6573120_parameters_on_cifar(parameters):
    assert parameters(ResNet9(), (3, 32, 32)) == 6_573_120


def test_each_stage_halves_the_image_and_doubles_the_channels():
    network = ResNet9(width=4).build(inputs=(3, 32, 32), classes=10)
    shapes = []
    x = F.relu(network.stem(torch.randn(2, 3, 32, 32)))
    for stage in network.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(8, 16, 16), (16, 8, 8), (32, 4, 4)]


def test_the_first_and_the_last_stage_have_a_shortcut():
    network = ResNet9(width=4).build(inputs=(3, 32, 32), classes=10)
    x = torch.randn(2, 4, 32, 32)
    for stage, residual in zip(network.stages, (True, False, True), strict=True):
        assert (stage.first is not None) == (stage.second is not None) == residual
        short = F.relu(stage.norm(F.max_pool2d(stage.convolution(x), 2)))
        longer = stage(x)
        assert torch.equal(longer, short) != residual
        if residual:
            torch.testing.assert_close(longer - short, F.relu(stage.second(F.relu(stage.first(short)))))
        x = longer


def test_scale_multiplies_the_logits():
    networks = []
    for scale in (1.0, 0.25):
        torch.manual_seed(0)
        networks.append(ResNet9(width=4, scale=scale).build(inputs=(1, 8, 8), classes=10).eval())
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(networks[1](x), networks[0](x) / 4)


def test_wrong_values_are_refused(outside):
    assert outside(ResNet9, width=0) == "ResNet9.width is int >= 1, not 0"
    assert outside(ResNet9, scale=0.0) == "ResNet9.scale is 0 < float < inf, not 0.0"
    assert outside(ResNet9, scale=float("inf")) == "ResNet9.scale is 0 < float < inf, not inf"
