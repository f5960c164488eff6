"""Adds the learning rates of a log's last step to its metrics."""

from __future__ import annotations

from runs._training.state import Training
from runs.callbacks._hooks import Hooks, Metrics


class Rates(Hooks):
    def on_log(self, training: Training, metrics: Metrics) -> None:
        rates = {(base, id(factors)): float(group["lr"]) for group, base, factors in training.groups}
        for number, rate in enumerate(rates.values()):  # one for each base rate and schedule
            metrics[f"lr/{number}" if number else "lr"] = rate
