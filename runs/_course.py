"""The course of a run, computed without its data: the factor of each step, and what else its length decides."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cn.errors import CNError
from cn.nodes.to_json import plain
from cn.sweeping.course import Course
from cn.writing.record import unplain
from runs.schedule import Schedule

if TYPE_CHECKING:
    from runs import Run
    from runs.callbacks import Callback
    from runs.task import Task

NVIDIA = Path("/dev/nvidiactl")  # is there if a GPU is
COMPILES = 1000  # steps from which on a run is compiled on a GPU, unless it says so itself


def next_validation(run: Run, step: int, per_epoch: int) -> int:
    """Return the next step after this one that ends with a validation, if the run is long enough."""
    if (steps := run.validate_steps) is not None:
        between = Fraction(steps)
    else:
        between = Fraction(str(run.validate_every)) * per_epoch  # exact: 0.1 is a tenth, not the nearest float
    return math.ceil((step // between + 1) * between)


def steps_per_epoch(run: Run, examples: int) -> int:
    """Return the optimiser steps in an epoch of so many training examples."""
    return examples // (min(run.data.batch_size, examples) * run.accumulate)


def course(run: Run) -> Course | str:
    """Return the course of a run, or why it cannot be known before the run begins."""
    for name, each in (("task", run.task), *((f"callbacks.{name}", each) for name, each in run.callbacks.items())):
        if not any_length(type(each)):
            return f"{name}: {type(each).__name__} may do other things in a run of another length (_any_length_)"
    if type(run.schedule).build is not Schedule.build:
        return f"schedule: {type(run.schedule).__name__} decides its rates while the run goes on"
    if not run.parallel._whole:
        return f"parallel: {type(run.parallel).__name__} divides its checkpoints among processes"
    examples = run.data.examples()
    if examples is None:
        return f"data: {type(run.data).__name__} does not know how many training examples it has before it is read"
    per_epoch = steps_per_epoch(run, examples)
    if per_epoch == 0:
        return f"data: {examples} training examples are fewer than a step takes"
    steps = run.steps if run.steps is not None else run.epochs * per_epoch
    facts: dict[str, Any] = {"per_epoch": per_epoch, "log_every": run.log_every, "cpu": run.gpu == -1}
    if run.compile is None and run.gpu != -1 and NVIDIA.exists():  # elsewhere, the run itself finds this out
        facts["compiled"] = steps >= COMPILES
    try:
        rates = _rates(json.dumps(plain(run.schedule)), steps)
    except CNError as error:
        return str(error).partition("\n")[0]
    logged = not run.callbacks or steps % run.log_every == 0  # else a callback sees a log that a longer run has not
    return Course(rates, passed=logged and next_validation(run, steps - 1, per_epoch) == steps, facts=facts)


def any_length(cls: type[Task] | type[Callback]) -> bool:
    """Return whether a class says that it does the same at a step however long the run is.

    What a base class says does not cover the methods of a subclass: that has to say it too. `check` does nothing at a
    step.
    """
    for base in cls.__mro__:
        own = vars(base)
        if "_any_length_" in own:
            return bool(own["_any_length_"])
        if any(callable(value) and not name.startswith("__") and name != "check" for name, value in own.items()):
            return False
    return False


@functools.lru_cache(maxsize=256)
def _rates(schedule: str, steps: int) -> list[float]:
    rule = cast("Schedule", unplain(json.loads(schedule)))
    return [rule.factor(step, steps) for step in range(steps)]
