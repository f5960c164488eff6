"""Lower the rate when the validation loss stops falling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.schedule import Schedule
from runs.schedule._length import check_share

if TYPE_CHECKING:
    from runs.schedule._rule import Rule


class Plateau(Schedule):
    """The base rate, multiplied by `gamma` whenever the validation loss stops falling."""

    gamma: float = 0.1  # times the rate, in (0, 1)
    patience: int = 10  # validations without progress that are borne, at least 0
    threshold: float = 1e-4  # share by which the loss must fall to count, in [0, 1)
    floor: float = 0.0  # share of the base rate that it does not fall below, in [0, 1]

    def check(self) -> None:
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma={self.gamma} is outside (0, 1): 0.1 is usual")
        if self.patience < 0:
            raise ValueError(f"patience={self.patience} is below 0: 0 bears no validation in vain")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold={self.threshold} is outside [0, 1): 0.0001 is usual")
        check_share("floor", self.floor, usual=0.0)

    def factor(self, step: int, steps: int) -> float:
        """What it is until a validation is observed."""
        return 1.0

    def build(self, *, steps: int) -> Rule:
        from runs.schedule._plateau import PlateauRule

        return PlateauRule(
            steps,
            gamma=self.gamma,
            patience=self.patience,
            threshold=self.threshold,
            floor=self.floor,
        )
