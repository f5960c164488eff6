"""What a step costs above a bare loop: ours and Lightning's, each with three callbacks and a csv file, in turn.

A tiny model and the same batches for all, so that nothing but the trainer differs. `python -m tests.bench.trainers
FOLDER ROUNDS` measures in one process, below FOLDER.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.bench.measure import Command, ratio
from tests.bench.steps import calls_a_step
from tests.bench.table import Row, Setting, at_most

BATCH = 2  # images: 629 steps an epoch, and one epoch
LOG = 10  # steps; of all that log
SKIPPED, BLOCK = 20, 20  # steps
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}  # the second counts all threads
OURS, BARE = "ours", "bare"
LIGHTNING, BAR, BAREBONES = "Lightning", "the same with its progress bar", "its barebones"


def trainers(setting: Setting) -> Iterator[Row]:
    """One row a trainer; ours as a share of Lightning's."""
    if importlib.util.find_spec("lightning") is None:
        yield Row("a step above the bare loop, of Lightning's", "not installed: pip install lightning")
        return
    rounds = max(5, setting.rounds // 2)
    told = Command(("-m", "tests.bench.trainers", str(setting.folder), str(rounds))).run().output
    found = json.loads(told.splitlines()[-1])
    seconds: dict[str, dict[str, list[float]]] = found["seconds"]  # by clock and trainer, one a round
    calls: dict[str, float] = found["calls"]

    def above(name: str, clock: str) -> list[float]:
        each = seconds[clock]
        return [a - b for a, b in zip(each[name], each[BARE], strict=True)]

    def cost(name: str) -> str:
        took = (f"{1e6 * median(above(name, clock)):.0f} us" for clock in CLOCKS)
        return f"{' / '.join(took)}, {calls[name] - calls[BARE]:.0f} calls"

    bare = " / ".join(f"{1e6 * median(seconds[clock][BARE]):.0f} us" for clock in CLOCKS)
    yield Row(f"a bare loop's step, {' / '.join(CLOCKS)} time", f"{bare}, {calls[BARE]:.0f} calls")
    version = importlib.metadata.version("lightning")
    yield Row(f"    above it: Lightning {version}, 3 callbacks, csv", cost(LIGHTNING))
    yield Row(f"    above it: {BAR}", cost(BAR))
    yield Row(f"    above it: {BAREBONES}", cost(BAREBONES))
    yield Row("    above it: ours, 3 callbacks, csv", cost(OURS))
    for clock in CLOCKS:
        share = 100 * ratio(above(OURS, clock), above(LIGHTNING, clock))
        yield at_most(f"    ours, of Lightning's {clock} time", share, 5, unit=" %", note="no progress bar")
    share = 100 * (calls[OURS] - calls[BARE]) / (calls[LIGHTNING] - calls[BARE])
    yield at_most("    ours, of Lightning's calls", share, 5, unit=" %", note="no progress bar")


def _main(folder: Path, rounds: int) -> None:
    import torch

    torch.set_num_threads(1)
    loops = _loops(folder)
    took: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in loops} for clock in CLOCKS}
    for loop in loops.values():  # what is imported or made once
        loop()
    for _ in range(rounds):
        for name, loop in loops.items():
            for clock, seconds in _seconds_a_step(loop).items():
                took[clock][name].append(seconds)
    print(json.dumps({"seconds": took, "calls": {name: calls_a_step(loop) for name, loop in loops.items()}}))


def _loops(folder: Path) -> dict[str, Callable[[], object]]:
    """Each trains a new model for one epoch, which it validates at the end."""
    import torch
    from torch.nn.functional import cross_entropy

    from cn import Job, compose
    from runs import Run
    from runs._train import build, train

    taken = 0
    words = [f"data.batch_size={BATCH}", "model=linear", "epochs=1", f"log_every={LOG}", "logger=csv"]

    def fresh() -> Path:
        nonlocal taken
        taken += 1
        return folder / str(taken)

    def ours() -> None:
        run = compose(Run, [*words, "callbacks=[learning_rate,early_stopping,checkpoint]", f"folder={fresh()}"])
        train(run, Job())

    def bare() -> None:
        training = build(compose(Run, words), fresh(), print)
        module, optimizer, split = training.module, training.optimizer, training.dataset.train
        module.train()
        for index in torch.randperm(len(split)).split(BATCH):
            images, labels = split.batch(index)
            loss = cross_entropy(module(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    def lightning(**settings: Any) -> Callable[[], None]:
        def loop() -> None:
            from tests.bench.rival_trainer import fit

            fit(build(compose(Run, words), fresh(), print), **settings)

        return loop

    return {
        BARE: bare,
        OURS: ours,
        LIGHTNING: lightning(enable_progress_bar=False),
        BAR: lightning(enable_progress_bar=True),
        BAREBONES: lightning(barebones=True),
    }


def _seconds_a_step(loop: Callable[[], object]) -> dict[str, float]:
    """By each clock, from one optimiser step to another, as a mean over a block; two logs are in each block.

    Of the blocks the one that a quarter are faster than: what else the machine does only makes them slower.
    """
    from torch.optim.optimizer import register_optimizer_step_post_hook

    marks: dict[str, list[float]] = {name: [] for name in CLOCKS}

    def mark(*_: object) -> None:
        for name, clock in CLOCKS.items():
            marks[name].append(clock())

    handle = register_optimizer_step_post_hook(mark)
    try:
        loop()
    finally:
        handle.remove()
    starts = range(SKIPPED, min(map(len, marks.values())) - BLOCK, BLOCK)
    blocks = {name: [(each[start + BLOCK] - each[start]) / BLOCK for start in starts] for name, each in marks.items()}
    return {name: quantiles(each, n=4)[0] for name, each in blocks.items()}


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
