"""python train.py callbacks=profile callbacks.profile.start=100"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._profile import Profiler


class Profile(Callback):
    """Writes what a few steps spend their time on to trace.json, for ui.perfetto.dev or chrome://tracing."""

    start: Annotated[int, Ge(0)] = 10  # optimiser steps before those that are watched
    steps: Annotated[int, Ge(1)] = 5  # optimiser steps that are watched

    def build(self) -> Profiler:
        from runs.callbacks._profile import Profiler

        return Profiler(start=self.start, steps=self.steps)
