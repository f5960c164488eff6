"""Training methods of a language model, chosen as `training=...`: the order in which blocks learn, and the length."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge

from cn import CN, UserError
from cn.nodes.traversal import values
from runs.schedule import Length, Schedule

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from data.tokenizer._vocabulary import Vocabulary
    from models import Language
    from runs.schedule._rule import Rule
    from runs.task import Objective


class Training(CN):
    """What every way of training has. A value that is null is left to the run's data, optim or schedule."""

    max_steps: Annotated[int, Ge(1)] = 300  # optimiser steps
    batch_size: Annotated[int, Ge(1)] | None = None  # windows a step
    learning_rate: Annotated[float, Ge(0)] | None = None  # base rate of every group of the optimiser
    warmup: Length | None = None  # int: optimiser steps; float: share of all steps
    weight_decay: Annotated[float, Ge(0)] | None = None  # of matrices and embeddings alone

    @abstractmethod
    def build(self, body: nn.Module, *, model: Language, vocabulary: Vocabulary, length: int, rate: float) -> Objective:
        """Return the objective of the network that `model` built; rate: fraction of masked tokens in windows of
        `length`.
        """

    def steps(self, model: Language, *, length: int, rate: float) -> int:
        """Return the number of optimiser steps; length and rate as in `build`."""
        return self.max_steps

    def changed(self, optimizer: Optimizer) -> Optimizer:
        """Set the learning rate and weight decay of the optimiser, if they are given."""
        for group in optimizer.param_groups:
            if self.learning_rate is not None:
                group["lr"] = self.learning_rate
            if self.weight_decay is not None and any(each.ndim > 1 for each in group["params"]):
                if "weight_decay" not in group:
                    what = f"training.weight_decay is {self.weight_decay}, and {type(optimizer).__name__} has none"
                    raise UserError(what, "nearest: optim=adamw")
                group["weight_decay"] = self.weight_decay
        return optimizer

    def rule(self, schedule: Schedule, *, steps: int) -> Rule:
        """Return the learning rate factors, with this warm-up if it is given."""
        if self.warmup is None:
            return schedule.build(steps=steps)
        own: dict[str, Any] = values(schedule)
        if "warmup" not in own:
            what = f"training.warmup is {self.warmup}, and schedule: {type(schedule).__name__} has none"
            raise UserError(what, "nearest: schedule=cosine, schedule=trapezoid")
        return type(schedule)(**{**own, "warmup": self.warmup}).build(steps=steps)
