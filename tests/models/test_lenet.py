from __future__ import annotations

import pytest
import torch
from torch import nn

from cn import UserError
from models.lenet import LeNet
from tests.on_meta import on_meta


def test_parameters_on_mnist(parameters):
    convolutions = (25 * 1 * 6 + 6) + (25 * 6 * 16 + 16)
    linears = (16 * 7 * 7 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)
    assert parameters(LeNet(), (1, 28, 28)) == convolutions + linears == 107_786


@pytest.mark.parametrize("kernel_size", range(1, 9))
def test_every_kernel_that_fits_runs(kernel_size, each_inputs):
    with on_meta():
        network = LeNet(kernel_size=kernel_size).build(inputs=each_inputs, classes=10)
        assert network(torch.randn(2, *each_inputs)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("relu", nn.ReLU), ("selu", nn.SELU), ("gelu", nn.GELU), ("tanh", nn.Tanh)],
)
def test_the_activation_is_the_one_chosen(name, kind):
    network = LeNet(activation=name).build(inputs=(1, 8, 8), classes=10)
    assert sum(isinstance(layer, kind) for layer in network) == 4


def test_a_kernel_wider_than_the_image_is_refused():
    with pytest.raises(UserError) as refused:
        LeNet(kernel_size=9).build(inputs=(1, 8, 28), classes=10)
    assert str(refused.value) == (
        "LeNet.kernel_size is 9, wider than an image of 8 x 28 pixels: the widest that fits is kernel_size=8"
    )


def test_a_kernel_without_pixels_is_refused(outside):
    assert outside(LeNet, kernel_size=0) == "LeNet.kernel_size is int >= 1, not 0"


def test_an_activation_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match=r"LeNet\.activation is one of 'relu', .*, not 'reluu'"):
        LeNet(activation="reluu")  # pyright: ignore[reportArgumentType]


def test_it_has_no_hidden_dim():
    with pytest.raises(UserError, match="LeNet has no field 'hidden_dim'"):
        LeNet(hidden_dim=10)  # pyright: ignore[reportCallIssue]
