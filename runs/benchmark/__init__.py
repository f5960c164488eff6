"""Benchmarks of a trained language model, in addition to its test, chosen as `benchmark=...`."""

from __future__ import annotations

from typing import ClassVar

from runs.callbacks import Callback


class Benchmark(Callback):
    """A callback that measures after the test; it leaves a JSON file and a Markdown table in the run's folder."""

    _causal: ClassVar[bool | None] = None  # True: decoders only, False: encoders only, None: all
