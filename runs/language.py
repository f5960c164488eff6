"""python train.py run=language model=encoder/bert_family/tiny training.batch_size=4 training.max_steps=100"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Literal

from cn import derive
from cn.errors import lines
from data import Data
from data._text import Text
from data.text.python import Python
from models import Language as LanguageModel
from models import Model
from models.encoder.bert_family.tiny import Tiny
from runs import Run
from runs.benchmark import Benchmark
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.schedule import Schedule
from runs.schedule.cosine import Cosine
from runs.task import Task
from runs.task import language as tasks
from runs.training import Training
from runs.training.classical import Classical


def _steps(run: Language) -> int:
    if isinstance(run.data, Text) and isinstance(run.model, LanguageModel) and isinstance(run.task, tasks.Language):
        return run.training.steps(run.model, length=run.data.length, rate=run.task.rate)
    return run.training.max_steps  # for a run that is refused later


class Language(Run):
    """A language model learns from a text that ships with Python."""

    model: Model = Tiny()
    data: Data = Python()
    task: Task = tasks.Language()
    training: Training = Classical()
    budget: Literal["steps", "flops"] = "steps"  # training.max_steps are steps, or operations of as many classical ones
    benchmark: Benchmark | None = None  # what is measured besides the test
    optim: Optim = AdamW(lr=5e-4, weight_decay=0.1)
    schedule: Schedule = Cosine(warmup=0.1)
    steps: int | None = derive(_steps)  # optimiser steps; without a value: as many as its training says
    validate_batch: int | None = derive(lambda run: run.data.batch_size)  # windows measured at once; without: a batch
    clip: float | None = 1.0  # largest norm of the gradient over all parameters

    def check(self) -> None:
        super().check()
        if self.benchmark is None or not isinstance(self.model, LanguageModel):
            return
        kind, fits = type(self.benchmark), self.benchmark._causal
        if fits is not None and fits != self.model._causal:
            which = "decoders" if fits else "encoders"
            near = "model=decoder/gpt2_family/small" if fits else "model=encoder/bert_family/tiny"
            what = f"benchmark: {kind.__name__} measures {which}, and {type(self.model).__name__} is none"
            raise ValueError(lines(what, f"nearest: {near}"))
