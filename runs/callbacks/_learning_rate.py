"""Adds the learning rates of a log's last step to its metrics."""

from __future__ import annotations

from runs._training.state import Training
from runs.callbacks._hooks import Hooks, Metrics


class Rates(Hooks):
    def on_log(self, training: Training, metrics: Metrics) -> None:
        now = (float(group["lr"]) for group in training.optimizer.param_groups)
        rates = dict(zip(training.bases, now, strict=True))
        for number, rate in enumerate(rates.values()):  # one for each base rate
            metrics[f"lr/{number}" if number else "lr"] = rate
