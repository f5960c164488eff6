"""Processes started in turn, and what each took: on a busy machine a time says little, a ratio of neighbours more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.trees import ROOT

# This repository's cn before any that is installed; and bytecode is kept, as it is wherever nobody forbade it
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass(frozen=True)
class Command:
    """One process: this Python with some words, in a folder."""

    words: tuple[str, ...]
    folder: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def run(self) -> Cost:
        """Start it, wait for it, and require that it succeeds."""
        environment = {**ENVIRONMENT, **self.environment}
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *self.words],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        with process.stdout as stream:
            output = stream.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"python {' '.join(self.words)} failed in {self.folder}:\n{output}")
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output)


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float  # from before it starts to after it ends
    processor: float  # seconds of processor time, of the process and of those that it waited for
    bytes: int  # largest resident set
    output: str


IMPORT_HYDRA = Command(("-c", "import hydra"))


def in_turn(commands: Sequence[Command], rounds: int) -> list[list[Cost]]:
    """The costs of each command over the rounds: each in turn, in every round; one round before them fills caches."""
    for command in commands:
        command.run()
    table = [[command.run() for command in commands] for _ in range(rounds)]
    return [list(column) for column in zip(*table, strict=True)]


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of neighbours."""
    return median(a / b for a, b in zip(over, under, strict=True))


def seconds(costs: Sequence[Cost]) -> list[float]:
    return [cost.seconds for cost in costs]


def processor(costs: Sequence[Cost]) -> list[float]:
    return [cost.processor for cost in costs]
