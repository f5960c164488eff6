"""A metric of validations by which one is better than another."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cn import UserError
from cn.errors import hint, lines

if TYPE_CHECKING:
    from runs._training import Training
    from runs.callbacks._hooks import Hooks

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Watched:
    """One that a validation itself measures, or that a callback adds to them."""

    name: str
    mode: Mode | None = None  # None: min where the name ends in `loss`, else max
    by: str = ""  # `callbacks.NAME.` of the one that asks for it

    def asked(self, hooks: Hooks, training: Training) -> Watched:
        """The same, of these hooks. UserError where it is known before the first step that nothing measures it."""
        watched = replace(self, by=f"{training.name_of(hooks)}.")
        if not any(each.adds for each in training.hooks.values()):
            watched.of(dict.fromkeys(training.measured, 0.0))
        return watched

    def of(self, metrics: dict[str, float]) -> float:
        """Its value, of which more is better; what is no number is worse than any. UserError where there is none."""
        if self.name not in metrics:
            known = [name for name in metrics if name not in ("step", "epoch")]
            measured = "a callback that measures it stands before the one that asks for it"
            what = f"{self.by}metric={self.name}: no validation measures it"
            raise UserError(lines(what, hint(self.name, known), measured))
        value = float(metrics[self.name])
        return -math.inf if math.isnan(value) else -value if self.less else value

    @property
    def less(self) -> bool:
        """Whether less is better."""
        return self.mode == "min" or (self.mode is None and self.name.endswith("loss"))
