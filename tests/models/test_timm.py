from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from cn import UserError
from models.timm import Timm

pytestmark = [
    pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed: .[hub]"),
    pytest.mark.slow,  # to import timm takes seconds
]


def refused(model: Timm, inputs: tuple[int, int, int] = (1, 8, 8)) -> str:
    with pytest.raises(UserError) as error:
        model.build(inputs=inputs, classes=10)
    return str(error.value)


def test_the_first_layer_and_the_head_are_made_for_the_data():
    network = Timm().build(inputs=(2, 8, 8), classes=7)
    assert network.training
    assert isinstance(network.conv1, nn.Conv2d)
    assert isinstance(network.fc, nn.Linear)
    assert (network.conv1.in_channels, network.fc.out_features) == (2, 7)
    assert sum(each.numel() for each in network.parameters()) == 11_176_967


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s32_224"])
def test_an_architecture_of_fixed_images_is_told_the_size_of_these(name):
    network = Timm(name=name).build(inputs=(1, 32, 32), classes=10)
    assert network(torch.randn(2, 1, 32, 32)).shape == (2, 10)


def test_dropout_is_that_before_the_head():
    assert Timm(dropout=0.25).build(inputs=(1, 8, 8), classes=10).drop_rate == 0.25


def test_a_seed_makes_the_same_weights_and_weights_are_random():
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(Timm().build(inputs=(1, 8, 8), classes=10).conv1.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_name_that_timm_does_not_know_is_refused_with_the_nearest():
    assert refused(Timm(name="resnet118")) == (
        "model.name=resnet118: timm knows no such architecture\n"
        "  nearest: resnet18, resnet18d, resnet101\n"
        '  to see all: python -c "import timm; print(*timm.list_models())"'
    )
    for remote in ("hf-hub:timm/resnet18.a1_in1k", "resnet18.a1_in1k"):  # the first would be downloaded
        assert refused(Timm(name=remote)).startswith(f"model.name={remote}: timm knows no such architecture\n")


def test_images_that_it_cannot_take_are_refused_with_the_reason():
    assert refused(Timm(name="vit_tiny_patch16_224")) == (
        "model.name=vit_tiny_patch16_224 cannot take images of 1x8x8\n"
        "  RuntimeError: Calculated padded input size per channel: (8 x 8). Kernel size: (16 x 16). "
        "Kernel size can't be greater than actual input size\n"
        "  it was published for images of 3x224x224\n"
        "  one for images of any size: model.name=resnet18"
    )


def test_a_dropout_outside_its_range_is_refused(outside):
    assert outside(Timm, dropout=1.0) == "Timm.dropout is 0 <= float < 1, not 1.0"


def test_the_library_is_not_our_file_of_that_name():
    Timm().build(inputs=(1, 8, 8), classes=10)
    assert hasattr(sys.modules["timm"], "list_models")
    assert sys.modules["timm"] is not sys.modules["models.timm"]
