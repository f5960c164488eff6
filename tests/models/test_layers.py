from __future__ import annotations

import pytest
import torch
from torch import nn

from models._layers import conv_norm, fully_connected


def test_fully_connected_reads_pixels_channel_by_channel():
    network = fully_connected(inputs=(2, 2, 2), hidden=(), classes=3)
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert network[0](x).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_batch_norm_stands_before_the_activation_and_dropout_after():
    network = fully_connected(inputs=(1, 2, 2), hidden=[3], classes=2, activation="silu", dropout=0.5, batch_norm=True)
    kinds = [type(layer) for layer in list(network)[1:]]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.SiLU, nn.Dropout, nn.Linear]


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_conv_norm_keeps_the_image_and_its_stride_halves_it(kernel_size):
    x = torch.randn(2, 3, 8, 6)
    assert conv_norm(3, 4, kernel_size=kernel_size)(x).shape == (2, 4, 8, 6)
    assert conv_norm(3, 4, kernel_size=kernel_size, stride=2)(x).shape == (2, 4, 4, 3)


def test_conv_norm_has_no_bias_that_the_norm_would_remove():
    assert conv_norm(3, 4)[0].bias is None
