from __future__ import annotations

import pytest
import torch
from torch import nn

from cn import UserError
from models.fcnn import Fcnn


def test_its_parameters_do_not_depend_on_the_size_of_the_image(parameters):
    assert parameters(Fcnn(), (1, 8, 8)) == parameters(Fcnn(), (1, 28, 28)) == 94_186


def test_one_network_takes_images_of_every_size():
    network = Fcnn(widths=(4, 8)).build(inputs=(1, 8, 8), classes=10).eval()
    assert network(torch.randn(2, 1, 28, 20)).shape == (2, 10)


def test_it_has_no_linear_layer():
    network = Fcnn().build(inputs=(1, 8, 8), classes=10)
    assert not any(isinstance(module, nn.Linear) for module in network.modules())


def test_a_logit_is_the_mean_of_its_class_map():
    network = Fcnn(widths=(4,)).build(inputs=(1, 8, 8), classes=3).eval()
    x = torch.randn(2, 1, 8, 8)
    maps = network[:-1](x)
    assert maps.shape == (2, 3, 8, 8)
    torch.testing.assert_close(network(x), maps.mean(dim=(2, 3)))


def test_a_kernel_wider_than_the_image_is_refused():
    with pytest.raises(UserError) as refused:
        Fcnn(kernel_size=30).build(inputs=(1, 28, 28), classes=10)
    assert str(refused.value) == (
        "Fcnn.kernel_size is 30, wider than an image of 28 x 28 pixels: the widest that fits is kernel_size=28"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("widths", (), "Fcnn.widths is tuple[int >= 1, ...] with length >= 1, not ()"),
        ("widths", (8, -1), "Fcnn.widths is tuple[int >= 1, ...] with length >= 1, not (8, -1)"),
        ("kernel_size", 0, "Fcnn.kernel_size is int >= 1, not 0"),
    ],
    ids=["no layer", "no channel", "no pixel"],
)
def test_wrong_values_are_refused(outside, field, value, message):
    assert outside(Fcnn, **{field: value}) == message
