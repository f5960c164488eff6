"""A run: a model, a data set, a task that says what the first learns from the second, and how."""
# pyright: reportPrivateUsage=false
# (_needs, _holds, _gives and _takes belong to the contracts; no user field may have these names)

from __future__ import annotations

import functools
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from cn import CN, Neutral
from cn.discovery import discover
from cn.discovery.source import place
from cn.errors import UserError, lines
from cn.lazy import lazily
from cn.nodes.field_types import Child
from cn.nodes.resolving import kinds_of
from cn.nodes.target import target_of
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
    from cn.sweeping.course import Course
    from cn.sweeping.goal import Goal
    from runs._training.state import Training as Training

__getattr__ = lazily(__name__, Training="runs._training.state")
Count = Annotated[int, Ge(1)]


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
    epochs: Count = 10  # passes over the training examples, without those at the end that fill no step
    steps: Count | None = None  # optimiser steps; given, it is the length and epochs is not
    accumulate: Count = 1  # batches whose gradients make one optimiser step
    clip: Annotated[float, Gt(0)] | None = None  # largest norm of the gradient over all parameters; null: any
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # of the forward pass; auto: bf16 on a GPU
    compile: bool | None = None  # null: on a GPU, where the run has 1000 steps or more
    gpu: Annotated[int, Ge(-1)] | None = None  # its number; -1: the CPU; null: the first, or the CPU if there is none
    seed: Annotated[int, Ge(0), Lt(2**63)] = 1  # of the split, the weights, the order and the augmentation
    deterministic: bool = False  # the same bits on a GPU too, which costs speed
    validate_every: Annotated[int | float, Gt(0), Lt(inf)] = 1  # epochs, or a part of one: 0.25
    validate_steps: Annotated[Count | None, Neutral()] = None  # optimiser steps between validations
    validate_batch: Annotated[Count | None, Neutral()] = None  # examples at once; null: a batch, or 500 each
    log_every: Count = 10  # optimiser steps
    save_every: Count | None = None  # optimiser steps between checkpoints besides those after each validation
    folder: Path | None = None  # of this run; null: a new one in outputs/, named after the overrides
    init: Annotated[Path | None, Neutral()] = None  # begin from the weights of this run, checkpoint or file
    freeze: Annotated[list[str], Neutral()] = []  # patterns of weights' names that are not trained: [features.*]

    # Fields that say where a run is computed and how it is followed. On the same hardware, by as many processes, none
    # changes a bit of the result. `parallel` does, as fsdp adds up in another order than ddp. A subclass adds its own.
    _where_: ClassVar[tuple[str, ...]] = ("folder", "launch", "mode", "gpu", "log_every", "save_every", "logger")
    _course_: ClassVar[tuple[str, ...]] = ("epochs", "steps", "schedule")  # fields that decide its length, see `course`
    _libraries_: ClassVar[tuple[str, ...]] = ("torch",)  # imported once for several processes of a run or a job
    # The processes of one run share these too: DDP and FSDP need torch's compiler.
    _libraries_of_several_: ClassVar[tuple[str, ...]] = ("torch._dynamo",)
    _moved_: ClassVar[dict[str, str]] = {"label_smoothing": "task.label_smoothing"}

    def goal(self) -> Goal:
        """Return by which of several runs the best is chosen: by the goal of its task."""
        from cn.sweeping.goal import maximize, minimize

        own = self.task.goal()[0]
        return (minimize if own.less else maximize)(own.name)

    def course(self) -> Course | str:
        """Return the factor of the learning rate at each step, and what else the length decides; or why it is unknown.

        Two runs that differ in the fields of `_course_` alone are one run up to the step at which this differs.
        """
        from runs._course import course

        return course(self)

    def check(self) -> None:
        from cn.run_folder.where import names

        names(type(self))
        for name in ("loss", "network"):
            if callable(getattr(type(self), name, None)):
                what = f"{type(self).__name__}.{name}() would never be called: the task has the network and the loss"
                raise ValueError(lines(what, "write: a class in runs/task/, chosen by task=NAME"))
        for name in _required_parts():
            if getattr(self, name) is None:
                raise ValueError(lines(f"{name} is null, and every run has one", f"write: {name}=NAME"))
        self._check_parts()
        if self.precision == "fp16" and self.gpu == -1:
            raise ValueError("precision is fp16, which a CPU does not train in; nearest: bf16")

    def _check_parts(self) -> None:
        """Refuse a task or model that needs missing parts of the data, or a model whose output the task cannot use."""
        data, task, model = type(self.data), type(self.task), type(self.model)
        for part, name in ((data, "_holds"), (task, "_feeds"), (task, "_needs"), (model, "_needs")):
            _refuse_text(part, name)
        if model.build is Model.build:
            target_of(self.model)
        _refuse_lack("task", task, Task, data._holds, f"{data.__name__} holds")
        given = data._holds if task._feeds is None else task._feeds
        giver = f"{data.__name__} holds" if task._feeds is None else f"{task.__name__} gives it"
        _refuse_lack("model", model, Model, given, giver)
        if not _reads(model, given):
            what = f"model: {model.__name__} reads no tokens, and {giver} {', '.join(given)}"
        elif model._gives != task._takes:
            what = f"model: {model.__name__} gives {model._gives}, and {task.__name__} takes {task._takes}"
        else:
            return
        fits = _options(Model, lambda each: each._gives == task._takes and _reads(each, given))
        if fits:
            raise ValueError(lines(what, _nearest("model", fits)))
        tasks = _options(Task, lambda each: each._takes == "tokens" and not _lacks(each, data._holds))
        raise ValueError(lines(what, _nearest("task", tasks)))


@functools.cache
def _required_parts() -> list[str]:
    """Return the fields of a run that hold a node, and may not be null."""
    kinds = kinds_of(Run)
    return [name for name, kind in kinds.items() if isinstance(kind, Child) and not kind.optional]


def _refuse_lack(name: str, part: Any, contract: type[CN], there: tuple[str, ...], giver: str) -> None:
    """Refuse a task or model whose needs are not met; `giver` names the provider in the message."""
    if lacks := _lacks(part, there):
        what = f"{name}: {part.__name__} needs {', '.join(lacks)}, and {giver} {', '.join(there)}"

        def fits(each: Any) -> bool:
            return _reads(each, there) if contract is Model else not _lacks(each, there)

        raise ValueError(lines(what, _nearest(name, _options(contract, fits))))


def _refuse_text(part: type[CN], name: str) -> None:
    """Refuse `_needs = "images"`, which is a text and would be read as its letters."""
    given: Any = getattr(part, name)
    if isinstance(given, str):
        holder = next(base for base in part.__mro__ if name in vars(base))
        what = f"{holder.__name__}.{name} is {given!r}, and not a tuple of texts"
        raise UserError(what, f'write: {name} = ("{given}",)', f"defined in {place(holder, name)}")


def _reads(model: Any, given: tuple[str, ...]) -> bool:
    """Return whether a model accepts this input: token models take only tokens, other models never do."""
    return not _lacks(model, given) and ("tokens" in model._needs) is ("tokens" in given)


def _lacks(part: Any, there: tuple[str, ...]) -> list[str]:
    """Return the unmet needs of a part; `classes or targets` is met by either."""
    return [each for each in part._needs if not set(each.split(" or ")) & set(there)]


def _options(contract: type[CN], fits: Callable[[Any], bool]) -> list[str]:
    return [name for name, cls in discover.options((contract,))[0].items() if fits(cls)]


def _nearest(name: str, options: list[str]) -> str | None:
    return f"nearest: {', '.join(f'{name}={each}' for each in options[:4])}" if options else None
