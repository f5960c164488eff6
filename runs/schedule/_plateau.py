"""The rule of a schedule that waits for the validation loss to stop falling."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from runs.schedule._rule import Factors, Rule


class PlateauRule(Rule):
    """Multiplies the factor by `gamma` once more than `patience` validations brought no progress.

    Progress is a loss below `1 - threshold` times the best so far; a loss that is not a number is
    none. The factor does not fall below `floor`.
    """

    observes = True

    def __init__(self, steps: int, *, gamma: float, patience: int, threshold: float, floor: float) -> None:
        self.level = 1.0
        super().__init__(Factors(lambda step: self.level, steps))
        self.gamma = gamma
        self.patience = patience
        self.threshold = threshold
        self.floor = floor
        self.best = inf
        self.waited = 0

    def observe(self, validation_loss: float) -> None:
        if validation_loss < self.best * (1 - self.threshold):
            self.best = validation_loss
            self.waited = 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.waited = 0
            self._set_level(max(self.level * self.gamma, self.floor))

    def state_dict(self) -> dict[str, float]:
        return {"level": self.level, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        super().load_state_dict(state)
        self._set_level(state["level"])
        self.best = state["best"]
        self.waited = int(state["waited"])

    def _set_level(self, level: float) -> None:
        self.level = level
        self.factors.clear()  # they are computed again, with this level
