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
    ("model", "message"),
    [
        (Fcn(num_hidden=-1), "num_hidden must be at least 0, a single linear layer, not -1"),
        (Fcn(hidden_dim=0), "hidden_dim must be at least 1, not 0"),
        (Fcn(dropout=1.0), "dropout must be at least 0 and below 1, not 1.0"),
        (Fcn(dropout=-0.1), "dropout must be at least 0 and below 1, not -0.1"),
        (Fcn(dropout=float("nan")), "dropout must be at least 0 and below 1, not nan"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_values_are_refused(refusal, model, message):
    assert refusal(model.check) == message
