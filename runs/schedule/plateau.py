"""Lower the rate when the validation loss stops falling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from runs.schedule import Schedule, Share

if TYPE_CHECKING:
    from runs.schedule._rule import Rule


class Plateau(Schedule):
    """The base rate, multiplied by `gamma` whenever the validation loss stops falling."""

    gamma: Annotated[float, Gt(0), Lt(1)] = 0.1  # times the rate
    patience: Annotated[int, Ge(0)] = 10  # validations without progress that are borne
    threshold: Annotated[float, Ge(0), Lt(1)] = 1e-4  # share by which the loss must fall to count
    floor: Share = 0.0  # share of the base rate that it does not fall below

    def factor(self, step: int, steps: int) -> float:
        """Return the initial factor, before any validation."""
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
