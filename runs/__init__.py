"""A run: one model, one data set, and how the first learns from the second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cn import CN
from data import Data
from models import Model
from runs.callbacks import Callback
from runs.launch import Launch
from runs.launch.local import Local
from runs.logger import Logger
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.parallel import Parallel
from runs.parallel.ddp import Ddp
from runs.schedule import Schedule
from runs.schedule.one_cycle import OneCycle

if TYPE_CHECKING:
    from torch import Tensor, nn


class Run(CN):
    """What every run has. A file of runs/ is one: `runs/cifar_vit.py` is `run=cifar_vit`."""

    model: Model
    data: Data
    optim: Optim = AdamW()
    schedule: Schedule = OneCycle()
    callbacks: dict[str, Callback] = {}
    logger: dict[str, Logger] = {}
    launch: Launch = Local()
    parallel: Parallel = Ddp()
    mode: Literal["train", "eval"] = "train"  # eval, with --from: only the test metric of that run
    epochs: int = 10  # passes over the training images
    steps: int | None = None  # optimiser steps; given, it is the length and epochs is not
    accumulate: int = 1  # batches whose gradients make one optimiser step
    clip: float | None = None  # largest norm of the gradient over all parameters
    label_smoothing: float = 0.0  # in [0, 1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # of the forward pass; auto: bf16 on a GPU
    compile: bool | None = None  # null: on a GPU, where the run has 1000 steps or more
    gpu: int | None = None  # its number, -1 for the CPU; null: the first, or the CPU where there is none
    seed: int = 1  # of the split, the weights, the order and the augmentation
    deterministic: bool = False  # the same bits on a GPU too, which costs speed
    validate_every: int = 1  # epochs
    log_every: int = 10  # optimiser steps
    save_every: int | None = None  # optimiser steps between checkpoints besides those after each validation
    folder: Path | None = None  # of this run; null: a new one in outputs/, named after the overrides

    def network(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        """What is trained: images `b c h w` (inputs = c h w) to logits `b classes`."""
        return self.model.build(inputs=inputs, classes=classes)

    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """From what the network gives while it trains, and labels `b`, to a scalar."""
        import functools

        import torch.nn.functional as F

        return functools.partial(F.cross_entropy, label_smoothing=self.label_smoothing)

    def check(self) -> None:
        for name, least in (("epochs", 1), ("steps", 1), ("accumulate", 1), ("validate_every", 1)):
            if (value := getattr(self, name)) is not None and value < least:
                raise ValueError(f"{name} is {value}, and must be at least {least}")
        for name in ("log_every", "save_every"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, and must be at least 1 optimiser step")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip is {self.clip}, and must be above 0; null clips nothing")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}, and must be at least 0 and below 1")
        if self.gpu is not None and self.gpu < -1:
            raise ValueError(f"gpu is {self.gpu}, and must be the number of a GPU, or -1 for the CPU")
        if self.precision == "fp16" and self.gpu == -1:
            raise ValueError("precision is fp16, which a CPU does not train in; nearest: bf16")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}, and must be at least 0 and below 2**63")
