"""A run and the script, a block of steps each in turn, in one process: what each took, and whether they agree."""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from data import Dataset, Images
from runs._training.device import place
from runs._training.order import order
from runs._training.state import Training
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks, Metrics
from tests.bench.script import Script

if TYPE_CHECKING:
    from collections.abc import Callable

TOLD = "turns.json"  # in the run's folder


class Coloured(Images):
    """As CIFAR-10 in shape: 10 classes of 32x32 pixels, each a colour and a pattern of its own, in noise."""

    images: int = 50_000  # in all: nine tenths to train on, one to validate and to test

    def side(self) -> int:
        return 32

    def build(self, *, seed: int) -> Dataset:
        from data._split import divide

        random = np.random.default_rng(seed)
        labels = np.arange(self.images) % 10
        patterns = random.integers(64, 192, (10, 3, 32, 32))
        noise = random.integers(-64, 64, (self.images, 3, 32, 32), dtype=np.int16)
        test, validation, train = divide(((patterns[labels] + noise).astype(np.uint8), labels), 0.05, 0.05, seed=seed)
        return self.assemble(train=train, validation=validation, test=test, classes="0123456789")


class Turns(Callback):
    """After each block of the run's steps, as many of the script's. The last of a run's callbacks."""

    block: int = 10  # steps
    counted: bool = False  # calls, rather than seconds by the wall and of the processor

    def build(self) -> Hooks:
        return PictureTurns(block=self.block, counted=self.counted)


class TakesTurns(Hooks, ABC):
    """What is told of both, whatever they train; `begin` makes the script."""

    network: nn.Module  # of the script, with the names of the run's weights

    def __init__(self, *, block: int, counted: bool) -> None:
        self.block = block
        self.calls = 0
        seconds = {"wall": self._seconds, "processor": time.process_time}  # the second counts all threads
        self.clocks: dict[str, Callable[[], float]] = {"calls": self._calls} if counted else seconds
        self.ours: dict[str, list[float]] = {name: [] for name in self.clocks}  # of each block
        self.bare: dict[str, list[float]] = {name: [] for name in self.clocks}
        self.counted = counted

    @abstractmethod
    def begin(self, training: Training) -> Iterator[None]:
        """Set `network`, and return the script's steps."""

    @abstractmethod
    def losses(self) -> list[float]:
        """Return the script's losses, each the mean since the last."""

    def averages(self) -> dict[str, torch.Tensor]:
        """Return the averages of the script's weights, if it has any, by name."""
        return {}

    def on_start(self, training: Training) -> None:
        """Begin the script from the run's seed; each keeps the random numbers that come after it."""
        self.cuda = training.device.device.type == "cuda"
        ours = self._random()
        torch.manual_seed(training.run.seed)
        self.steps = self.begin(training)
        self.theirs = self._random()
        self._set_random(ours)
        if self.counted:
            sys.setprofile(self._note)
        self._start()

    def on_step(self, training: Training) -> None:
        if training.step % self.block:
            return
        self._stop(self.ours)
        ours = self._random()
        self._set_random(self.theirs)
        self._start()
        for _ in range(self.block):
            next(self.steps)
        self._stop(self.bare)
        self.theirs = self._random()
        self._set_random(ours)
        self._start()

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        assert training.step == training.steps, "a validation is none of the steps that are compared"

    def on_end(self, training: Training) -> None:
        sys.setprofile(None)
        ours, averaged = training.module.state_dict(), training.evaluated.state_dict()
        pairs = [(ours[name], each) for name, each in self.network.state_dict().items()]
        pairs += [(averaged[name], each) for name, each in self.averages().items() if each.is_floating_point()]
        told = {
            "examples": self.block * training.batch,
            "device": str(training.device),
            "ours": self.ours,
            "bare": self.bare,
            "losses": self.losses(),
            "apart": max(float((a - b).abs().max()) for a, b in pairs),  # 0: the same weights and averages
        }
        (training.folder / TOLD).write_text(json.dumps(told))

    def _start(self) -> None:
        self.began = {name: clock() for name, clock in self.clocks.items()}

    def _stop(self, took: dict[str, list[float]]) -> None:
        for name, clock in self.clocks.items():
            took[name].append(clock() - self.began[name])

    def _seconds(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def _calls(self) -> float:
        return self.calls

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        self.calls += event in ("call", "c_call")

    def _random(self) -> list[Any]:
        return [torch.get_rng_state(), torch.cuda.get_rng_state() if self.cuda else None]

    def _set_random(self, state: list[Any]) -> None:
        torch.set_rng_state(state[0])
        if self.cuda:
            torch.cuda.set_rng_state(state[1])


class PictureTurns(TakesTurns):
    """The script of images."""

    def begin(self, training: Training) -> Iterator[None]:
        run, data, where = training.run, training.dataset, training.device
        self.network = place(run.task.build(model=run.model, data=data).network, where)
        self.script = Script(self.network, autocast=where.autocast, compiled=where.compiled)
        return self.script.train(
            data.train.images,
            data.train.labels,
            scale=data.train.scale,
            shift=data.train.shift,
            order=lambda epoch: order(run.seed, epoch, len(data.train)),
            batch=training.batch,
            steps=training.steps,
        )

    def losses(self) -> list[float]:
        return [float(each) for each in self.script.losses]

    def averages(self) -> dict[str, torch.Tensor]:
        return self.script.averaged
