"""Tasks: a task defines the loss, the metrics, and which metric decides the best validation."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from cn import CN
from cn.lazy import lazily
from cn.run_folder.watched import Watched
from models import Model

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._objective import Objective as Objective

__getattr__ = lazily(__name__, Objective="runs.task._objective")


class Task(CN):
    """One of `task=classify`, `task=regress`, ...: it makes an `Objective` of a model and a data set."""

    _needs: ClassVar[tuple[str, ...]] = ()  # required parts of the data: images, text, `classes or targets`
    _takes: ClassVar[Literal["numbers", "maps", "tokens"]] = "numbers"  # of a model: per example, pixel or token

    _feeds: ClassVar[tuple[str, ...] | None] = None  # the model's input, if it is not the data's examples

    _exact: ClassVar[bool] = False  # whether precision=auto is fp32

    _any_length_: ClassVar[bool] = False  # whether its steps are the same, however long the run is

    @abstractmethod
    def goal(self) -> tuple[Watched, ...]:
        """Return the metrics that decide the best validation, in order; the run's score is the first."""

    @abstractmethod
    def build(self, *, model: Model, data: Dataset) -> Objective:
        """Return the objective, with the network that `model` builds for the data."""


def maximize(metric: str) -> Watched:
    """Return a goal with larger values better, such as `accuracy`."""
    return Watched(f"validation/{metric}", "max")


def minimize(metric: str) -> Watched:
    """Return a goal with smaller values better, such as `loss`."""
    return Watched(f"validation/{metric}", "min")
