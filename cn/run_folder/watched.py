"""The monitored metric of validations, which decides the best one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from cn.errors import UserError, hint, lines
from cn.immutable import Immutable

Mode = Literal["min", "max"]


class Watched(Immutable):
    """A metric that a validation measures, or that a callback adds."""

    name: str
    mode: Mode | None = None  # None: min if the name ends in `loss`, else max
    by: str = ""  # `callbacks.NAME.` of the callback that monitors it

    @classmethod
    def said(cls, text: str) -> Watched:
        """Parse the goal in a summary: `maximize validation/accuracy`, which is also the default, or `score`."""
        if text and " " not in text:
            return cls(text)
        way, _, name = text.partition(" ")
        return cls(name, "min" if way == "minimize" else "max") if name else cls("validation/accuracy", "max")

    def __str__(self) -> str:
        return f"{'minimize' if self.less else 'maximize'} {self.name}"

    @property
    def test(self) -> str:
        """The name of the same metric in the test; for a run's goal it is the score."""
        return self.name.replace("validation/", "test/", 1)

    def asked(self, by: str, measured: Iterable[str] | None) -> Watched:
        """Bind to the callback called `by`. UserError if no validation measures the metric.

        measured: the names of all metrics of validations; None if they are not known yet.
        """
        watched = self.replace(by=f"{by}.")
        if measured is not None:
            watched.of(dict.fromkeys(measured, 0.0))
        return watched

    def of(self, metrics: dict[str, float]) -> float:
        """Return the value, negated if less is better; -inf for nan. UserError if the metric is missing."""
        if self.name not in metrics:
            known = [name for name in metrics if name not in ("step", "epoch")]
            measured = "a callback that measures it stands before the one that asks for it"
            what = f"{self.by}metric={self.name}: no validation measures it"
            raise UserError(lines(what, hint(self.name, known), measured))
        value = float(metrics[self.name])
        return -math.inf if math.isnan(value) else -value if self.less else value

    @property
    def less(self) -> bool:
        """Whether smaller values are better."""
        return self.mode == "min" or (self.mode is None and self.name.endswith("loss"))
