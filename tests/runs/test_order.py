"""The order of the data is a function of the seed and the epoch."""

from __future__ import annotations

import random

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from data._images import ImageSplit
from runs._training.order import order


@given(some.integers(0, 2**63 - 1), some.integers(0, 10**6), some.integers(1, 200))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_is_a_permutation(seed, epoch, length):
    assert sorted(order(seed, epoch, length).tolist()) == list(range(length))


def test_it_neither_reads_nor_moves_a_global_generator():
    torch.manual_seed(1)
    first = order(1, 0, 50)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    torch.manual_seed(2)
    assert torch.equal(order(1, 0, 50), first)
    torch.manual_seed(1)
    order(1, 0, 50)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()


def test_it_stays_the_same():
    """A checkpoint of today must find its order in a year."""
    assert order(1, 0, 10).tolist() == [1, 6, 5, 7, 3, 8, 4, 9, 0, 2]


def test_another_seed_or_epoch_is_another_order():
    orders = {tuple(order(seed, epoch, 30).tolist()) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


def test_each_image_comes_first_about_as_often():
    """Over seeds and epochs, the mean position of an image is the middle, to four standard errors."""
    places = torch.stack([order(seed, epoch, 20).argsort() for seed in range(30) for epoch in range(30)]).double()
    error = (20**2 - 1) ** 0.5 / 12**0.5 / 30  # of a mean over 900
    assert (places.mean(0) - 9.5).abs().max() < 4 * error


def test_a_run_sees_each_image_at_most_once_an_epoch_in_that_order(go, monkeypatch):
    seen: list[int] = []
    batch = ImageSplit.batch

    def spy(self: ImageSplit, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(self) == 1258:
            seen.extend(index.tolist())
        return batch(self, index)

    monkeypatch.setattr(ImageSplit, "batch", spy)
    go("run", "epochs=2", "data.batch_size=100", "seed=9")
    assert seen == [*order(9, 0, 1258)[:1200].tolist(), *order(9, 1, 1258)[:1200].tolist()]
