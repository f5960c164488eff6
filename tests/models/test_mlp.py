from __future__ import annotations

from torch import nn

from models.mlp import Mlp


def test_118282_parameters_on_mnist(parameters):
    assert parameters(Mlp(), (1, 28, 28)) == 118_282


def test_each_hidden_layer_has_the_units_it_is_given():
    network = Mlp(hidden_sizes=(7, 5, 3)).build(inputs=(1, 8, 8), classes=10)
    shapes = [tuple(layer.weight.shape) for layer in network if isinstance(layer, nn.Linear)]
    assert shapes == [(7, 64), (5, 7), (3, 5), (10, 3)]


def test_the_activation_is_the_one_chosen():
    network = Mlp(activation="gelu").build(inputs=(1, 8, 8), classes=10)
    assert sum(isinstance(layer, nn.GELU) for layer in network) == 2


def test_a_layer_without_units_is_refused(outside):
    assert outside(Mlp, hidden_sizes=(128, 0)) == "Mlp.hidden_sizes is tuple[int >= 1, ...], not (128, 0)"


def test_no_hidden_layer_is_a_linear_model(parameters):
    assert parameters(Mlp(hidden_sizes=()), (1, 28, 28)) == 7_850
