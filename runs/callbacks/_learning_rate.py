"""Reads the rates of the step that a log ends with."""

from __future__ import annotations

from runs._training import Training
from runs.callbacks._hooks import Hooks, Metrics


class Rates(Hooks):
    def on_log(self, training: Training, metrics: Metrics) -> None:
        now = (float(group["lr"]) for group in training.optimizer.param_groups)
        rates = dict(zip(training.bases, now, strict=True))
        for number, rate in enumerate(rates.values()):  # one for each base: those that share it never part
            metrics[f"lr/{number}" if number else "lr"] = rate
