"""python train.py run=language model=encoder/bert_family/base training=depth_time"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, Le

from cn import derive
from cn.run_folder.watched import Watched
from models import Language as LanguageModel
from models import Model
from runs.task import Task, minimize
from runs.training import Training
from runs.training.classical import Classical

if TYPE_CHECKING:
    from data import Dataset
    from runs.task import Objective


def _training(run: Any) -> Training:
    own = getattr(run, "training", None)
    return own if isinstance(own, Training) else Classical()


class Language(Task):
    """Tokens of a text: an encoder learns those that are hidden from it, a decoder learns each from those before."""

    training: Training = derive(_training)  # without a value: the run's own `training`, or the classical one
    rate: Annotated[float, Gt(0), Le(1)] = 0.15  # fraction of tokens that are hidden from an encoder

    _needs = ("text",)
    _takes = "tokens"

    def goal(self) -> tuple[Watched, ...]:
        return (minimize("loss"),)

    def build(self, *, model: Model, data: Dataset) -> Objective:
        assert isinstance(model, LanguageModel)  # it takes tokens
        assert data.vocabulary is not None
        (length,) = data.inputs
        body = model.build(inputs=(length,), classes=data.vocabulary.size)
        return self.training.build(body, model=model, vocabulary=data.vocabulary, length=length, rate=self.rate)
