"""python train.py callbacks=profile callbacks.profile.start=100"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._profile import Profiler


class Profile(Callback):
    """Writes what a few steps spend their time on to trace.json, for ui.perfetto.dev or chrome://tracing."""

    start: int = 10  # optimiser steps before those that are watched
    steps: int = 5  # optimiser steps that are watched

    def build(self) -> Profiler:
        from runs.callbacks._profile import Profiler

        return Profiler(start=self.start, steps=self.steps)

    def check(self) -> None:
        if self.start < 0:
            raise ValueError(f"start is {self.start}, and must be at least 0 optimiser steps")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}, and must be at least 1 optimiser step")
