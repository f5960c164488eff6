"""Tables of numbers on one device. n rows in all, b in a batch, f features, t targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn import datasets
from torch import Tensor

from cn import UserError
from data._dataset import Dataset, Split
from data._split import shuffle

Numbers = npt.NDArray[np.float64]


class Rows(Split):
    """Features `n f` and targets `n t`, both fp32, of deviation 1 in the training part."""

    def __init__(self, features: Tensor, targets: Tensor) -> None:
        assert len(features) == len(targets)
        self.features, self.targets = features, targets

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Features `b f` and targets `b t`."""
        return self.features.index_select(0, index), self.targets.index_select(0, index)

    def to(self, device: torch.device | str) -> Rows:
        return Rows(self.features.to(device), self.targets.to(device))


def assemble(
    features: Numbers, values: Numbers, *, targets: Sequence[str], validation: float, test: float, seed: int
) -> Dataset:
    """A Dataset of rows; features and targets are scaled by the mean and deviation of the training part alone."""
    ends = np.cumsum([round(share * len(values)) for share in (validation, test)])
    parts = [np.sort(part) for part in np.split(shuffle(len(values), seed), ends)]
    if not all(map(len, parts)):
        sizes = ", ".join(str(len(part)) for part in parts)
        what = f"{len(values)} rows are too few to hold out {validation}, {test} of them: the parts would have {sizes}"
        raise UserError(what)
    held, tested, train = parts
    scaled, unit = zip(*(_scaled(table, train) for table in (features, values)), strict=True)

    def rows(part: Any) -> Rows:
        return Rows(*(torch.from_numpy(table[part]).float() for table in scaled))

    return Dataset(
        rows(train),
        rows(held),
        rows(tested),
        (features.shape[1],),
        targets=tuple(targets),
        unit=torch.from_numpy(unit[1]),
        noun="rows",
    )


def _scaled(table: Numbers, train: Any) -> tuple[Numbers, Numbers]:
    """The columns, of mean 0 and deviation 1 over the training rows, and those deviations; a constant stays one."""
    deviation = table[train].std(axis=0)
    deviation[deviation == 0] = 1
    return (table - table[train].mean(axis=0)) / deviation, deviation


def read_diabetes() -> tuple[Numbers, Numbers]:
    """Features 442 x 10, as they were measured, and the progression 442 x 1."""
    found: Any = datasets.load_diabetes(scaled=False)
    return found.data, found.target[:, None]


def read_linnerud() -> tuple[Numbers, Numbers]:
    """Exercises 20 x 3, and body measurements 20 x 3."""
    found: Any = datasets.load_linnerud()
    return found.data, found.target
