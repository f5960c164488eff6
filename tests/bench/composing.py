"""`compose` in a process where few, or many, nodes are registered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.measure import ENVIRONMENT, ratio
from tests.bench.table import Row, Setting, at_most
from tests.bench.trees import grow

SIZES = (10, 5000)
PROBE = '''\
"""Registers every node, then composes as often as each line of the input says, and answers with the seconds."""

import sys
import time

import cn
from cn.discovery import discover
from cn.hydra_compat.options import prepare
from hydra import compose, initialize
from models import Model
from runs import Run

prepare(Run)
print(len(discover.options((Model,))[0]), flush=True)
words = ["model=m0005", "model/head=largest", "model.width=96", "seed=3"]


def ours():
    assert cn.compose(Run, words).model.width == 96


def hydras():
    assert compose("config", words).model.width == 96


with initialize(version_base="1.3", config_path=None):
    for line in sys.stdin:
        name, times = line.split()
        call = {"cn": ours, "hydra": hydras}[name]
        began = time.perf_counter()
        for _ in range(int(times)):
            call()
        print(time.perf_counter() - began, flush=True)
'''


class Probe:
    """A process that holds a tree's nodes and composes when it is asked to."""

    def __init__(self, tree: Path, count: int) -> None:
        (tree / "probe.py").write_text(PROBE)
        self.process = subprocess.Popen(
            [sys.executable, "probe.py"],
            cwd=tree,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == count

    def seconds(self, call: str, times: int) -> float:
        """How long so many composes took."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{call} {times}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.communicate()

    def _answer(self) -> float:
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return float(line)
        raise RuntimeError(f"the probe ended with status {self.process.wait()}")


def compose(setting: Setting) -> Iterator[Row]:
    """Our compose, and Hydra's own on our ConfigStore."""
    few, many = (Probe(grow(setting.folder / str(count), count), count) for count in SIZES)
    for call, name, times in (("cn", "cn.composing.compose", 50), ("hydra", "hydra.compose", 2)):
        for probe in (few, many):
            probe.seconds(call, 1)
        pairs = [(few.seconds(call, times), many.seconds(call, times)) for _ in range(setting.rounds)]
        small, large = zip(*pairs, strict=True)
        note = f"{1e3 * median(large) / times:.2f} ms"
        yield at_most(f"{name}, 5000 nodes of 10", ratio(large, small), 1.2, note=note)
    for probe in (few, many):
        probe.close()
