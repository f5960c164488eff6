"""A metric of validations by which one is better than another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cn import UserError
from cn.errors import hint, lines

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Watched:
    """One that a validation itself measures, or that a callback adds to them."""

    name: str
    mode: Mode | None = None  # None: min where the name ends in `loss`, else max

    def of(self, metrics: dict[str, float]) -> float:
        """Its value, of which more is better; what is no number is worse than any. UserError where there is none."""
        if self.name not in metrics:
            known = [name for name in metrics if name not in ("step", "epoch")]
            measured = "a callback that measures it stands before the one that asks for it"
            raise UserError(lines(f"metric={self.name}: no validation measures it", hint(self.name, known), measured))
        less = self.mode == "min" or (self.mode is None and self.name.endswith("loss"))
        value = float(metrics[self.name])
        return -math.inf if math.isnan(value) else -value if less else value
