"""What is learnt from the data: a task owns the loss, the metrics, and by which of them a validation is the best."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from cn import CN
from cn.lazy import lazily
from models import Model
from runs._watched import Watched

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._objective import Objective as Objective

__getattr__ = lazily(__name__, Objective="runs.task._objective")


class Task(CN):
    """One of `task=classify`, `task=regress`, ...: it makes an `Objective` of a model and a data set."""

    _needs: ClassVar[tuple[str, ...]] = ()  # of what a data set holds: images, classes, targets, masks
    _takes: ClassVar[Literal["numbers", "maps"]] = "numbers"  # of a model: for each example, or for each pixel

    _feeds: ClassVar[tuple[str, ...] | None] = None  # what it gives the model, where that is not the data's examples

    @abstractmethod
    def goal(self) -> tuple[Watched, ...]:
        """The metric by which a validation is the best, then those that decide a tie; the run's score is the first."""

    @abstractmethod
    def build(self, *, model: Model, data: Dataset) -> Objective:
        """The objective, with the network that `model` builds for what `data` holds."""


def maximize(metric: str) -> Watched:
    """More is better of this metric, such as `accuracy`."""
    return Watched(f"validation/{metric}", "max")


def minimize(metric: str) -> Watched:
    """Less is better of this metric, such as `loss`."""
    return Watched(f"validation/{metric}", "min")
