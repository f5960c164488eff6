"""Every option composes, and trains. `compose` and `keys` are fixtures of cn."""

from __future__ import annotations

from cn import Job
from data import Data
from models import Model
from runs import Run
from train import train


def test_every_model_learns_something_or_is_the_constant(compose, keys):
    constant = train(compose(Run, "model=constant"), Job())["rmse"]
    for key in keys(Model):
        assert train(compose(Run, f"model={key}"), Job())["rmse"] <= constant


def test_a_data_set_gives_the_same_points_for_the_same_seed(compose, keys):
    for key in keys(Data):
        data = compose(Run, f"data={key}").data
        assert data.points(3) == data.points(3) != data.points(4)
