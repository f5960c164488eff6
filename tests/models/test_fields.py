from __future__ import annotations

from typing import get_args

import pytest

from models._fields import Activation, listed, nearest
from models._layers import ACTIVATIONS


def test_every_activation_that_can_be_chosen_can_be_built():
    assert list(get_args(Activation)) == list(ACTIVATIONS)


@pytest.mark.parametrize(
    ("value", "choices", "near"),
    [(5, [1, 2, 4, 7, 14], (4, 7)), (0, [1, 2], (1,)), (9, [1, 2], (2,)), (2, [1, 2, 3], (1, 3))],
)
def test_nearest_is_one_below_and_one_above(value, choices, near):
    assert nearest(value, choices) == near


def test_listed_reads_as_a_sentence():
    assert listed("dim", (504, 516)) == "the nearest that do are dim=504 and dim=516"
    assert listed("dim", (3,)) == "the nearest that does is dim=3"
