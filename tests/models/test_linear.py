from __future__ import annotations

import torch

from models.linear import Linear


def test_7850_parameters_on_mnist(parameters):
    assert parameters(Linear(), (1, 28, 28)) == 7_850


def test_it_is_linear_in_the_pixels():
    network = Linear().build(inputs=(2, 3, 4), classes=5)
    a, b, zero = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
    torch.testing.assert_close(network(a + b) + network(zero), network(a) + network(b))
