from __future__ import annotations

from models.fcn import Fcn
from models.single_linear_layer import SingleLinearLayer


def test_it_is_fcn_without_a_hidden_layer(parameters):
    assert issubclass(SingleLinearLayer, Fcn)
    assert parameters(SingleLinearLayer(), (1, 28, 28)) == 7_850


def test_it_can_be_given_a_hidden_layer(parameters):
    assert parameters(SingleLinearLayer(num_hidden=1, hidden_dim=10), (1, 28, 28)) == 7_960
