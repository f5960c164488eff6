from __future__ import annotations

import pytest
from torch import nn

from models.dense import Dense


def test_67978_parameters_on_mnist(parameters):
    assert parameters(Dense(), (1, 28, 28)) == 67_978


def test_it_is_784_64_128_64_10_with_batch_norm_after_each_hidden_layer():
    network = Dense().build(inputs=(1, 28, 28), classes=10)
    kinds = [type(layer).__name__ for layer in network]
    assert kinds == ["Rearrange", *["Linear", "BatchNorm1d", "ReLU"] * 3, "Linear"]
    shapes = [tuple(layer.weight.shape) for layer in network if isinstance(layer, nn.Linear)]
    assert shapes == [(64, 784), (128, 64), (64, 128), (10, 64)]


def test_its_sizes_can_be_set():
    network = Dense(lin1_size=256, lin2_size=3, lin3_size=2).build(inputs=(1, 8, 8), classes=10)
    sizes = [layer.out_features for layer in network if isinstance(layer, nn.Linear)]
    assert sizes == [256, 3, 2, 10]


@pytest.mark.parametrize("field", ["lin1_size", "lin2_size", "lin3_size"])
def test_a_layer_without_units_is_refused(outside, field):
    assert outside(Dense, **{field: 0}) == f"Dense.{field} is int >= 1, not 0"
