"""Holding out: disjoint, whole, in proportion, and a function of the seed alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cn import UserError
from data._split import divide, shuffle


def parts(labels: np.ndarray, *fractions: float, seed: int = 0) -> list[list[int]]:
    """The indices of each part: every image here is its own number."""
    images = np.arange(len(labels))
    return [list(index) for index, _ in divide((images, labels), *fractions, seed=seed)]  # pyright: ignore[reportArgumentType]


@given(
    counts=st.lists(st.integers(0, 60), min_size=1, max_size=10).filter(lambda counts: sum(counts) >= 20),
    fractions=st.lists(st.floats(0.1, 0.4), min_size=1, max_size=2),
    seed=st.integers(0, 2**64),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_parts_are_disjoint_and_make_the_whole_in_proportion(counts, fractions, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    held = parts(labels, *fractions, seed=seed)
    assert sorted(index for part in held for index in part) == list(range(len(labels)))
    for fraction, part in zip(fractions, held, strict=False):
        assert len(part) in (int(fraction * len(labels)), int(fraction * len(labels)) + 1)
        for label, count in enumerate(counts):
            # A part lies between two prefixes, in each of which a class is within half an image of its own quantile.
            # The other classes shift the quantile by half an image each, and rounding the part's length by one in all.
            allowed = 1 + (len(counts) - 1) * count / len(labels)
            assert abs(np.count_nonzero(labels[part] == label) - fraction * count) <= allowed + 1e-9


def test_the_seed_decides_and_nothing_else():
    labels = np.arange(500) % 10
    first = parts(labels, 0.1, 0.2, seed=3)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    state = global_generators()
    assert parts(labels, 0.1, 0.2, seed=3) == first
    assert global_generators() == state
    assert parts(labels, 0.1, 0.2, seed=4) != first


def global_generators() -> tuple[object, ...]:
    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()


def test_a_year_later_the_split_is_the_same():
    assert shuffle(8, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    assert parts(np.arange(20) % 2, 0.3, seed=1)[0] == [2, 9, 16, 17, 18, 19]


def test_images_and_labels_stay_together():
    images, labels = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), np.arange(100) % 7
    for part_images, part_labels in divide((images, labels), 0.3, seed=0):
        assert (part_images.ravel() % 7 == part_labels).all()


def test_too_few_images():
    with pytest.raises(UserError) as error:
        divide((np.zeros((4, 1, 2, 2), np.uint8), np.arange(4)), 0.1, seed=0)
    assert str(error.value) == "4 images are too few to hold out 0.1 of them: the parts would have 0, 4"
