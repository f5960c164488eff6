from __future__ import annotations

import pytest
import torch
from torch import nn

from models.cnn import Cnn


def test_parameters_on_mnist(parameters):
    convolutions = 9 * (1 * 16 + 16 * 32 + 32 * 64)
    norms = 2 * (16 + 32 + 64)
    assert parameters(Cnn(), (1, 28, 28)) == convolutions + norms + 64 * 4 * 4 * 10 + 10 == 33_658


def test_each_layer_halves_the_image():
    network = Cnn(widths=(2, 3, 4)).build(inputs=(1, 28, 20), classes=10)
    assert network[:9](torch.randn(2, 1, 28, 20)).shape == (2, 4, 4, 3)


def test_its_activation_can_be_set():
    network = Cnn(activation="gelu").build(inputs=(1, 8, 8), classes=10)
    assert sum(isinstance(layer, nn.GELU) for layer in network) == 3


@pytest.mark.parametrize("widths", [(), (16, 0)], ids=["no layer", "no channel"])
def test_wrong_widths_are_refused(outside, widths):
    assert outside(Cnn, widths=widths) == f"Cnn.widths is tuple[int >= 1, ...] with length >= 1, not {widths}"
