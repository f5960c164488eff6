"""Tells the loop which checkpoints to keep; only runs/_checkpoint.py writes files."""

from __future__ import annotations

from typing import Any

from cn.run_folder.watched import Watched
from runs._training.monitor import known
from runs._training.state import Training
from runs.callbacks._hooks import Hooks, Metrics


class Keeper(Hooks):
    adds = False

    def __init__(self, *, metric: Watched | None, every: int | None) -> None:
        self.metric, self.every = metric, every
        self.validations = 0

    def on_start(self, training: Training) -> None:
        if self.metric is not None:
            first = self.metric.asked(training.name_of(self), known(training), training.run.task.goal())
            training.goal = (first, *(each for each in training.goal if each.name != first.name))

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        self.validations += 1
        training.kept = training.kept or (self.every is not None and self.validations % self.every == 0)

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.validations = state["validations"]
