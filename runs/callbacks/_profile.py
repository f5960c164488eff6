"""Runs torch.profiler between two steps of a run."""

from __future__ import annotations

import os

from torch.profiler import ProfilerActivity, profile

from cn import UserError
from runs._training.state import Training
from runs.callbacks._hooks import Hooks


class Profiler(Hooks):
    def __init__(self, *, start: int, steps: int) -> None:
        self.start, self.end = start, start + steps
        self.first = start  # a run that goes on may begin later
        self.watching: profile | None = None

    def on_start(self, training: Training) -> None:
        if self.start >= training.steps:
            start = f"{training.name_of(self)}.start"
            what = f"{start}={self.start}: the run has {training.steps} steps, so none would be watched"
            raise UserError(what, f"nearest: {start}={training.steps - 1}")
        self._begin(training)

    def on_step(self, training: Training) -> None:
        if self.watching is None:
            self._begin(training)
        elif training.step == self.end:
            self._write(training)

    def on_end(self, training: Training) -> None:
        if self.watching is not None:
            self._write(training)

    def _begin(self, training: Training) -> None:
        if self.start <= training.step < self.end:
            self.first = training.step
            os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # silences kineto
            gpu = [ProfilerActivity.CUDA] if training.device.device.type == "cuda" else []
            self.watching = profile(activities=[ProfilerActivity.CPU, *gpu])
            self.watching.start()

    def _write(self, training: Training) -> None:
        assert self.watching is not None
        self.watching.stop()
        path = training.folder / "trace.json"
        if training.ranks.first:
            self.watching.export_chrome_trace(str(path))
        training.say(f"what steps {self.first + 1} to {training.step} spent their time on: {path}")
        self.watching = None
