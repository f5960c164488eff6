"""python train.py run=glue task=sentence task.metrics=[f1,accuracy]"""
# pyright: reportPrivateUsage=false
# (_metrics and _holds belong to the contract of data, and have names that no field may have)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from annotated_types import Ge, Lt, MinLen

from cn import UserError, derive
from cn.run_folder.watched import Watched
from data import Data
from models import Model
from runs.task import Task, maximize, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._sentence import Judged

Metric = Literal["accuracy", "f1", "matthews", "pearson", "spearman"]
Metrics = Annotated[list[Metric], MinLen(1)]
SCORES = ("pearson", "spearman")  # of numbers; the others are of classes


def _metrics(run: Any) -> list[Metric]:
    """Return the metrics of the run's data, or a default."""
    data = getattr(run, "data", None)
    if isinstance(data, Data) and data._metrics:
        return cast("list[Metric]", list(data._metrics))
    return ["pearson"] if isinstance(data, Data) and "targets" in data._holds else ["accuracy"]


class Sentence(Task):
    """One label or one number for each sequence of tokens, from a language model that is trained further.

    With `init=RUN` the language model begins from that run's. An encoder is read at its first token, through a layer
    of its own (Devlin et al. 2019, arXiv:1810.04805), a decoder at its last.
    """

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.1  # of the vector that the label is read from
    metrics: Metrics = derive(_metrics)  # the first decides which validation is the best, the next a tie

    _needs = ("tokens", "classes or targets")
    _takes = "tokens"

    def goal(self) -> tuple[Watched, ...]:
        return *(maximize(each) for each in self.metrics), minimize("loss")

    def build(self, *, model: Model, data: Dataset) -> Judged:
        from runs.task._sentence import Classes, Numbers, Sentences

        self.refuse(data)
        assert data.vocabulary is not None
        body = model.build(inputs=data.inputs, classes=data.vocabulary.size)
        if not body.causal:
            for token in ("[CLS]", "[SEP]"):
                data.vocabulary.need(token)
        network = Sentences(body, outputs=max(len(data.classes), 1), dropout=self.dropout)
        if data.classes:
            return Classes(network, classes=len(data.classes), metrics=self.metrics)
        splits = (data.validation, data.test, *data.others.values())
        return Numbers(network, metrics=self.metrics, rows=max(map(len, splits)))

    def refuse(self, data: Dataset) -> None:
        """Raise UserError for metrics that do not suit the data's labels."""
        held = "classes" if data.classes else "numbers"
        fits = [each for each in self.metrics if (each in SCORES) is (held == "numbers")]
        if len(data.classes) > 2:
            fits = [each for each in fits if each != "f1"]
        if wrong := [each for each in self.metrics if each not in fits]:
            many = f"{len(data.classes)} classes" if data.classes else "numbers"
            nearest = ",".join(fits) or ("accuracy" if data.classes else "pearson")
            what = f"task.metrics has {', '.join(wrong)}, which is no metric of {many}"
            raise UserError(what, f"nearest: task.metrics=[{nearest}]")
