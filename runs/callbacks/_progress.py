"""Reads the clock after each step, and nothing of the device: the loss is the last that a log has read.

Seconds are those of the clock on the wall, so what validations and checkpoints take is in them.
"""

from __future__ import annotations

import datetime
import sys
from time import monotonic
from typing import NamedTuple

from cn.run_folder.shown import number
from runs._training.state import Training
from runs.callbacks._hooks import Hooks, Metrics


class Moment(NamedTuple):
    """When so many steps had been taken."""

    time: float  # seconds of the monotonic clock
    step: int


class Pace(Hooks):
    """Counts from the end of this process's first step, which may have compiled the network."""

    def __init__(self, *, every: float) -> None:
        self.every = every
        self.due = 0.0  # when the next line is
        self.first: Moment | None = None
        self.told = self.logged = Moment(0.0, 0)  # at the last line, and at the last log

    def on_start(self, training: Training) -> None:
        if sys.stderr.isatty():  # which shows a bar
            self.every = float("inf")

    def on_step(self, training: Training) -> None:
        now = monotonic()
        if now < self.due:
            return
        self.due = now + self.every
        moment = Moment(now, training.step)
        if self.first is None:
            self.first = self.told = self.logged = moment
        else:
            training.say(self._line(training, moment, self.first))
            self.told = moment

    def on_log(self, training: Training, metrics: Metrics) -> None:
        moment = Moment(monotonic(), training.step)
        if moment.step > self.logged.step and moment.time > self.logged.time:
            metrics[f"train/{training.dataset.noun}_per_second"] = round(_speed(training, self.logged, moment), 1)
        self.logged = moment

    def _line(self, training: Training, now: Moment, first: Moment) -> str:
        part = f"step {now.step}/{training.steps} ({100 * now.step // training.steps} %)"
        loss = f", train loss {number(training.loss)}" if training.loss is not None else ""
        seconds = (now.time - first.time) / (now.step - first.step) * (training.steps - now.step)
        left = datetime.timedelta(seconds=round(seconds))
        return f"{part}{loss}, {_speed(training, self.told, now):.0f} {training.dataset.noun}/s, {left} left"


def _speed(training: Training, start: Moment, end: Moment) -> float:
    """Examples a second, of all processes together."""
    steps = end.step - start.step
    return steps * training.batch * training.run.accumulate / (end.time - start.time)
