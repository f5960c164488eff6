"""Regression losses, and RMSE, MAE and R2. b examples, t targets."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runs.task._objective import Network, Objective

LOSSES = {"squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss}
Examples = tuple[Tensor, Tensor]  # b ..., and targets b t


class Regression(Objective):
    """The network gives `b t`."""

    def __init__(self, network: nn.Module, *, targets: int, unit: Tensor | None, loss: str) -> None:
        super().__init__(network)
        self.unit = torch.ones(targets) if unit is None else unit.cpu()
        self.criterion = LOSSES[loss]
        self.outputs = (targets,)

    def loss(self, network: Network, batch: Examples) -> Tensor:
        examples, targets = batch
        return self.criterion(network(examples), targets)

    def measure(self, network: Network, batch: Examples) -> Mapping[str, Tensor]:
        examples, targets = batch
        found, targets = network(examples).double(), targets.double()
        error = found - targets  # b t
        return {
            "loss": self.criterion(found, targets, reduction="none").mean(dim=1).sum(),
            "squared": error.square().sum(dim=0),
            "absolute": error.abs().sum(dim=0),
            "sum": targets.sum(dim=0),
            "sum_squared": targets.square().sum(dim=0),
        }

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """Return means over the targets. R2, 1 - residual / total sum of squares, is omitted for constant targets."""
        unit = self.unit.double()
        spread = sums["sum_squared"] - sums["sum"].square() / examples  # t
        found = {
            "loss": float(sums["loss"] / examples),
            "rmse": float(((sums["squared"] / examples).sqrt() * unit).mean()),
            "mae": float((sums["absolute"] / examples * unit).mean()),
        }
        if bool((spread > 1e-12 * sums["sum_squared"]).all()):
            found["r2"] = float((1 - sums["squared"] / spread).mean())
        return found
