from __future__ import annotations

import pytest
from torch import nn

from models.fcn import Fcn


@pytest.mark.parametrize(("num_hidden", "count"), [(0, 7_850), (1, 7_960), (2, 8_070), (3, 8_180)])
def test_parameters_on_mnist_with_10_hidden_units(parameters, num_hidden, count):
    assert parameters(Fcn(num_hidden=num_hidden, hidden_dim=10), (1, 28, 28)) == count


def test_its_layers_are_those_it_is_given():
    model = Fcn(num_hidden=2, hidden_dim=10, activation="selu", dropout=0.1)
    network = model.build(inputs=(3, 8, 8), classes=4)
    kinds = [type(layer).__name__ for layer in network]
    assert kinds == ["Rearrange", *["Linear", "SELU", "Dropout"] * 2, "Linear"]
    assert {layer.p for layer in network if isinstance(layer, nn.Dropout)} == {0.1}


def test_no_dropout_is_no_layer():
    network = Fcn().build(inputs=(1, 8, 8), classes=10)
    assert not any(isinstance(layer, nn.Dropout) for layer in network)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_hidden", -1, "Fcn.num_hidden is int >= 0, not -1"),
        ("hidden_dim", 0, "Fcn.hidden_dim is int >= 1, not 0"),
        ("dropout", 1.0, "Fcn.dropout is 0 <= float < 1, not 1.0"),
        ("dropout", -0.1, "Fcn.dropout is 0 <= float < 1, not -0.1"),
        ("dropout", float("nan"), "Fcn.dropout is 0 <= float < 1, not nan"),
    ],
)
def test_wrong_values_are_refused(outside, field, value, message):
    assert outside(Fcn, **{field: value}) == message
