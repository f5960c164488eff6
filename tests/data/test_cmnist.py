"""Coloured MNIST: the digits stay, and colour goes with the label in exactly the asked fraction."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from cn import UserError
from data._cmnist import PALETTE, colours_for, paint
from data._idx import read_pair
from data.cmnist import Cmnist
from data.mnist import TEST


def colour_of(images: torch.Tensor) -> np.ndarray:
    """The number of each image's colour, from its brightest pixel."""
    brightest = images.sum(1).flatten(1).argmax(1)
    colours = images.flatten(2)[torch.arange(len(images)), :, brightest].numpy() > 64
    return np.array([[tuple(rgb > 64) for rgb in PALETTE].index(tuple(colour)) for colour in colours])


def test_by_default_colour_helps_in_training_and_misleads_in_the_test(mnist_root):
    data = Cmnist(root=mnist_root).build(seed=0)
    assert (data.inputs, data.classes) == ((3, 28, 28), ("0-4", "5-9"))
    for split, own, of in ((data.train, 81, 90), (data.validation, 9, 10), (data.test, 5, 50)):
        colours = colour_of(split.images)
        for label in (0, 1):
            assert Counter(colours[split.labels.numpy() == label]) == {label: own, 1 - label: of - own}


@pytest.mark.parametrize(
    ("labels", "classes"), [("half", ("0-4", "5-9")), ("parity", ("even", "odd")), ("digit", tuple("0123456789"))]
)
def test_the_label_map(mnist_root, labels, classes):
    data = Cmnist(root=mnist_root, labels=labels).build(seed=0)
    _, digits = read_pair(*(mnist_root / name for name in TEST))
    expected = {"half": digits >= 5, "parity": digits % 2, "digit": digits}[labels]
    assert data.classes == classes
    assert data.test.labels.tolist() == expected.tolist()


@pytest.mark.parametrize("colours", [2, 3, 7, 10])
@pytest.mark.parametrize("correlation", [0.0, 0.25, 1.0])
def test_the_counts_are_exact_for_any_number_of_colours(colours, correlation):
    labels = np.arange(1000) % 10
    chosen = colours_for(labels, colours=colours, correlation=correlation, seed=3)
    for label in range(10):
        counts = Counter(chosen[labels == label])
        assert counts.pop(label % colours, 0) == correlation * 100
        assert set(counts) <= set(range(colours))
        assert not counts or (len(counts) == colours - 1 and max(counts.values()) - min(counts.values()) <= 1)


def test_the_seed_draws_the_training_colours_and_never_the_test():
    labels = np.arange(100) % 2
    one, again, other = (colours_for(labels, colours=2, correlation=0.5, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_the_test_is_the_same_for_every_seed(mnist_root):
    one, other = (Cmnist(root=mnist_root).build(seed=seed) for seed in (1, 2))
    assert torch.equal(one.test.images, other.test.images)
    assert not torch.equal(one.train.images, other.train.images)


def test_paint_keeps_the_shape_of_the_digit():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    orange = paint(grey, np.array([6]))
    assert (orange[0, 0] == grey[0, 0]).all()
    assert (orange[0, 1] == grey[0, 0].astype(int) * 128 // 255).all()
    assert not orange[0, 2].any()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"colours": 1}, "Cmnist.colours is 2 <= int <= 10, not 1"),
        ({"colours": 11}, "Cmnist.colours is 2 <= int <= 10, not 11"),
        ({"train_correlation": 1.5}, "Cmnist.train_correlation is 0 <= float <= 1, not 1.5"),
        ({"test_correlation": -0.1}, "Cmnist.test_correlation is 0 <= float <= 1, not -0.1"),
    ],
)
def test_values_out_of_range(values, text):
    with pytest.raises(UserError) as error:
        Cmnist(**values)
    assert str(error.value).split("\n")[0] == text
