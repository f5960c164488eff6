"""Regression beside scikit-learn's own least squares and metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from data.diabetes import Diabetes
from data.linnerud import Linnerud
from models.linear import Linear
from runs import _train
from runs.default import Default
from runs.optim.adamw import AdamW
from runs.task._regress import Regression
from runs.task.regress import Regress


@pytest.mark.slow
@pytest.mark.parametrize("data", [Diabetes(), Linnerud()], ids=lambda data: type(data).__name__)
def test_its_metrics_are_those_of_scikit_learn_in_the_targets_own_units(data):
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    training = _train.build(Default(task=Regress(), data=data, model=Linear()), Path("run"), print)
    split, unit = training.dataset.test, training.dataset.unit
    assert unit is not None
    features, targets = split.batch(torch.arange(len(split)))
    with torch.no_grad():
        given = training.module(features).double()
    found = _train.evaluate(training, split)
    assert found["r2"] == pytest.approx(r2_score(targets.double(), given), rel=1e-6)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(targets * unit, given * unit), rel=1e-6)
    assert found["mae"] == pytest.approx(mean_absolute_error(targets * unit, given * unit), rel=1e-6)


def test_a_linear_model_comes_near_least_squares_on_the_same_split(go):
    """R2 on the test part within 0.05."""
    from sklearn.linear_model import LinearRegression

    run = go("run", of=Default(task=Regress(), data=Diabetes(batch_size=32), model=Linear(), optim=AdamW(lr=0.02)))
    data = Diabetes().build(seed=1)
    train, test = (split.batch(torch.arange(len(split))) for split in (data.train, data.test))
    best = LinearRegression().fit(*train).score(*test)
    assert best > 0.4
    assert run.summary["test/r2"] == pytest.approx(best, abs=0.05)


def test_r2_of_a_constant_target_is_left_out():
    objective = Regression(nn.Identity(), targets=1, unit=None, loss="squared")
    constant, other = torch.ones(4, 1), torch.rand(4, 1)
    for targets, measured in ((constant, False), (other, True)):
        sums = {name: each.double() for name, each in objective.measure(lambda x: x, (other, targets)).items()}
        assert ("r2" in objective.metrics(sums, 4)) == measured


@pytest.mark.parametrize(
    ("loss", "function"),
    [("squared", nn.functional.mse_loss), ("absolute", nn.functional.l1_loss), ("huber", nn.functional.huber_loss)],
)
def test_each_loss_is_the_one_that_is_trained_and_measured(loss, function):
    objective = Regression(nn.Identity(), targets=2, unit=None, loss=loss)
    given, targets = 3 * torch.randn(5, 2), torch.randn(5, 2)
    assert objective.loss(lambda x: x, (given, targets)) == function(given, targets)
    sums = {name: each.double() for name, each in objective.measure(lambda x: x, (given, targets)).items()}
    assert objective.metrics(sums, 5)["loss"] == pytest.approx(function(given, targets).item(), rel=1e-6)
