"""The monitored metric of validations, which decides the best one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal

from cn.errors import UserError, hint
from cn.immutable import Immutable

Mode = Literal["min", "max"]
# Last words of the names of metrics of which less, or more, is better.
LESS = ("error", "rmse", "mse", "mae", "nll", "perplexity", "distance", "brier_score", "bits_per_byte", "seconds")
MORE = (
    *("accuracy", "precision", "recall", "f1", "auc", "matthews", "pearson", "spearman", "correlation", "iou", "miou"),
    *("dice", "score", "return", "reward", "bleu", "r2", "psnr", "ssim"),
)
OF_LESS = re.compile(rf"loss$|(^|[/_])({'|'.join(LESS)})$")
OF_MORE = re.compile(rf"(^|[/_])({'|'.join(MORE)})$")


def of_less(name: str) -> bool | None:
    """Return whether less of a metric is better, as its name says; None if it says nothing."""
    return True if OF_LESS.search(name) else False if OF_MORE.search(name) else None


class Watched(Immutable):
    """A metric that a validation measures, or that a callback adds."""

    name: str
    mode: Mode | None = None  # None: min if the name matches OF_LESS, else max
    by: str = ""  # `callbacks.NAME.` of the callback that monitors it

    @classmethod
    def said(cls, text: str) -> Watched:
        """Parse the goal in a summary: `maximize validation/accuracy`, which is also the default, or `score`."""
        way, _, name = text.partition(" ")
        if name and way in ("minimize", "maximize"):
            return cls(name, "min" if way == "minimize" else "max")
        return cls(text) if text else cls("validation/accuracy", "max")

    def __str__(self) -> str:
        return f"{'minimize' if self.less else 'maximize'} {self.name}"

    @property
    def test(self) -> str:
        """The name of the same metric in the test; for a run's goal it is the score."""
        return self.name.replace("validation/", "test/", 1)

    @property
    def metrics(self) -> tuple[str, str]:
        """The names of the metric in the validation and in the test."""
        return self.name, self.test

    def asked(self, by: str, measured: Iterable[str] | None, goals: Iterable[Watched]) -> Watched:
        """Bind to the callback called `by`.

        UserError if no validation measures the metric, or if nothing says whether less of it is better.

        measured: the names of all metrics of validations; None if they are not known yet.
        goals: those of the task, which say whether less of a metric is better.
        """
        modes = {each.name: each.mode for each in goals}
        watched = self.replace(by=f"{by}.", mode=self.mode or modes.get(self.name))
        if measured is not None:
            watched.of(dict.fromkeys(measured, 0.0))
        if watched.mode is None and of_less(self.name) is None:
            what = f"{by}.metric={self.name}: its name does not say whether less of it is better"
            raise UserError(what, f"write: {by}.mode=min or {by}.mode=max")
        return watched

    def of(self, metrics: dict[str, float]) -> float:
        """Return the value, negated if less is better; -inf for nan. UserError if the metric is missing."""
        if self.name not in metrics:
            known = [name for name in metrics if name not in ("step", "epoch")]
            measured = "a callback that measures it stands before the one that asks for it"
            what = f"{self.by}metric={self.name}: no validation measures it"
            raise UserError(what, hint(self.name, known), measured)
        value = float(metrics[self.name])
        return -math.inf if math.isnan(value) else -value if self.less else value

    @property
    def less(self) -> bool:
        """Whether smaller values are better."""
        return self.mode == "min" or (self.mode is None and of_less(self.name) is True)
