"""Counts the validations since the best one."""

from __future__ import annotations

from typing import Any

from cn.run_folder.watched import Watched
from runs._training.monitor import known
from runs._training.state import Training
from runs.callbacks._hooks import Hooks, Metrics


class Stopper(Hooks):
    adds = False

    def __init__(self, *, metric: Watched, patience: int, least: float) -> None:
        self.metric, self.patience, self.least = metric, patience, least
        self.best, self.since = float("-inf"), 0

    def on_start(self, training: Training) -> None:
        self.metric = self.metric.asked(training.name_of(self), known(training), training.run.task.goal())

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        value = self.metric.of(metrics)
        if value > self.best + self.least:
            self.best, self.since = value, 0
            return
        self.since += 1
        if self.since >= self.patience:
            training.stop(f"{self.metric.name} has not improved for {self.since} validations")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "since": self.since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.since = state["best"], state["since"]
