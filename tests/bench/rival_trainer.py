"""A run's model, data, optimiser and schedule in Lightning's Trainer, as its documentation writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import (
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from data._images import ImageSplit
from runs._training.state import Training


class Batches:
    """Ours, ready made: no DataLoader, whose cost is not the Trainer's."""

    def __init__(self, split: ImageSplit, size: int, *, shuffled: bool) -> None:
        self.split, self.size, self.shuffled = split, size, shuffled

    def __len__(self) -> int:
        return -(-len(self.split) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.split)) if self.shuffled else torch.arange(len(self.split))
        return (self.split.batch(index) for index in order.split(self.size))


class Classifier(pl.LightningModule):
    def __init__(self, training: Training, *, logs: bool) -> None:
        super().__init__()
        self.module, self.logs = training.module, logs
        self.optimizer, self.factors = training.optimizer, training.rule.factors

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, labels = batch
        loss = cross_entropy(self.module(images), labels)
        if self.logs:
            self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, labels = batch
        if self.logs:
            self.log("validation/loss", cross_entropy(self.module(images), labels))

    def configure_optimizers(self) -> Any:
        factors = self.factors
        schedule = LambdaLR(self.optimizer, lambda step: factors[min(step, len(factors) - 1)])
        return {"optimizer": self.optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(training: Training, *, barebones: bool = False, **settings: Any) -> None:
    """Train for the run's epochs, on one CPU: with three callbacks and a csv file, or with nothing."""
    if not barebones:
        settings |= {
            "logger": CSVLogger(training.folder),
            "callbacks": [
                LearningRateMonitor(logging_interval="step"),
                EarlyStopping("validation/loss", patience=5),
                ModelCheckpoint(training.folder, monitor="validation/loss", save_last=True),
            ],
            "log_every_n_steps": training.run.log_every,
        }
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=training.run.epochs,
        default_root_dir=training.folder,
        barebones=barebones,
        **settings,
    )
    data = training.dataset
    trainer.fit(
        Classifier(training, logs=not barebones),
        Batches(data.train, training.batch, shuffled=True),
        Batches(data.validation, 500, shuffled=False),
    )
