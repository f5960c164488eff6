"""A run: a model, a data set, a task that says what the first learns from the second, and how."""
# pyright: reportPrivateUsage=false
# (_needs, _holds, _gives and _takes belong to the contracts, and have names that no field may have)

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cn import CN, discover
from cn.errors import lines
from cn.lazy import lazily
from data import Data
from models import Model
from runs.callbacks import Callback
from runs.launch import Launch
from runs.launch.local import Local
from runs.logger import Logger
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.parallel import Parallel
from runs.parallel.ddp import Ddp
from runs.schedule import Schedule
from runs.schedule.one_cycle import OneCycle
from runs.task import Task
from runs.task.classify import Classify

if TYPE_CHECKING:
    from runs._training import Training as Training

__getattr__ = lazily(__name__, Training="runs._training")


class Run(CN):
    """What every run has. A file of runs/ is one: `runs/cifar_vit.py` is `run=cifar_vit`."""

    model: Model
    data: Data
    task: Task = Classify()
    optim: Optim = AdamW()
    schedule: Schedule = OneCycle()
    callbacks: dict[str, Callback] = {}
    logger: dict[str, Logger] = {}
    launch: Launch = Local()
    parallel: Parallel = Ddp()
    mode: Literal["train", "eval"] = "train"  # eval, with --from: only the test metric of that run
    epochs: int = 10  # passes over the training examples
    steps: int | None = None  # optimiser steps; given, it is the length and epochs is not
    accumulate: int = 1  # batches whose gradients make one optimiser step
    clip: float | None = None  # largest norm of the gradient over all parameters
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # of the forward pass; auto: bf16 on a GPU
    compile: bool | None = None  # null: on a GPU, where the run has 1000 steps or more
    gpu: int | None = None  # its number, -1 for the CPU; null: the first, or the CPU where there is none
    seed: int = 1  # of the split, the weights, the order and the augmentation
    deterministic: bool = False  # the same bits on a GPU too, which costs speed
    validate_every: int | float = 1  # epochs, or a part of one: 0.25
    validate_steps: int | None = None  # optimiser steps; given, it is what lies between validations
    validate_batch: int | None = None  # examples measured at once, in all processes; null: a batch, or 500 each
    log_every: int = 10  # optimiser steps
    save_every: int | None = None  # optimiser steps between checkpoints besides those after each validation
    folder: Path | None = None  # of this run; null: a new one in outputs/, named after the overrides
    init: Path | None = None  # begin from the weights of this run, checkpoint or file
    freeze: list[str] = []  # patterns of weights' names that are not trained: [features.*]

    _moved_: ClassVar[dict[str, str]] = {"label_smoothing": "task.label_smoothing"}
    _added_: ClassVar[tuple[str, ...]] = ("validate_steps", "validate_batch", "init", "freeze")

    def check(self) -> None:
        for name in ("loss", "network"):
            if callable(getattr(type(self), name, None)):
                what = f"{type(self).__name__}.{name}() would never be called: the task has the network and the loss"
                raise ValueError(lines(what, "write: a class in runs/task/, chosen by task=NAME"))
        self._check_parts()
        for name, least in (("epochs", 1), ("steps", 1), ("accumulate", 1), ("validate_batch", 1)):
            if (value := getattr(self, name)) is not None and value < least:
                raise ValueError(f"{name} is {value}, and must be at least {least}")
        if not 0 < self.validate_every < math.inf:
            raise ValueError(f"validate_every is {self.validate_every}, and must be above 0 epochs")
        for name in ("log_every", "save_every", "validate_steps"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, and must be at least 1 optimiser step")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip is {self.clip}, and must be above 0; null clips nothing")
        if self.gpu is not None and self.gpu < -1:
            raise ValueError(f"gpu is {self.gpu}, and must be the number of a GPU, or -1 for the CPU")
        if self.precision == "fp16" and self.gpu == -1:
            raise ValueError("precision is fp16, which a CPU does not train in; nearest: bf16")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}, and must be at least 0 and below 2**63")

    def _check_parts(self) -> None:
        """Refuse a task or a model that needs what the data set does not hold, or a model that the task cannot use."""
        data, task, model = type(self.data), type(self.task), type(self.model)
        _refuse_lack("task", task, Task, data._holds, f"{data.__name__} holds")
        given = data._holds if task._feeds is None else task._feeds
        giver = f"{data.__name__} holds" if task._feeds is None else f"{task.__name__} gives it"
        _refuse_lack("model", model, Model, given, giver)
        if model._gives != task._takes:
            fits = _options(Model, lambda each: each._gives == task._takes and set(each._needs) <= set(given))
            what = f"model: {model.__name__} gives {model._gives}, and {task.__name__} takes {task._takes}"
            raise ValueError(lines(what, _nearest("model", fits)))


def _refuse_lack(name: str, part: Any, contract: type[CN], there: tuple[str, ...], giver: str) -> None:
    """Refuse a task or a model that needs what is not there; `giver` names who has what is."""
    if lacks := [each for each in part._needs if each not in there]:
        what = f"{name}: {part.__name__} needs {', '.join(lacks)}, and {giver} {', '.join(there)}"
        raise ValueError(lines(what, _nearest(name, _options(contract, lambda each: set(each._needs) <= set(there)))))


def _options(contract: type[CN], fits: Callable[[Any], bool]) -> list[str]:
    return [name for name, cls in discover.options((contract,))[0].items() if fits(cls)]


def _nearest(name: str, options: list[str]) -> str | None:
    return f"nearest: {', '.join(f'{name}={each}' for each in options[:4])}" if options else None
