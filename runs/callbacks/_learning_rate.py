"""Reads the rates that the optimiser used last."""

from __future__ import annotations

from runs._training import Training
from runs.callbacks._hooks import Hooks, Metrics


class Rates(Hooks):
    def on_log(self, training: Training, metrics: Metrics) -> None:
        rates = list(dict.fromkeys(float(group["lr"]) for group in training.optimizer.param_groups))
        metrics["lr"] = rates[0]
        metrics.update({f"lr/{number}": rate for number, rate in enumerate(rates[1:], 1)})
