"""Tables of numbers on one device. n rows in all, b in a batch, f features, t targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cn import UserError
from data._dataset import Dataset, Split
from data._split import shuffle

Numbers = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


class Rows(Split):
    """Features `n f`, and targets `n t` or labels `n`; all but labels are fp32, of deviation 1 in the training part."""

    def __init__(self, features: Tensor, targets: Tensor) -> None:
        assert len(features) == len(targets)
        self.features, self.targets = features, targets

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return features `b f`, and targets `b t` or labels `b`."""
        return self.features.index_select(0, index), self.targets.index_select(0, index)

    def to(self, device: torch.device | str) -> Rows:
        return Rows(self.features.to(device), self.targets.to(device))


def assemble(
    features: Numbers, values: Numbers, *, targets: Sequence[str], validation: float, test: float, seed: int
) -> Dataset:
    """Return a Dataset of rows; features and targets are scaled by the training part's mean and deviation."""
    ends = np.cumsum([round(share * len(values)) for share in (validation, test)])
    parts = [np.sort(part) for part in np.split(shuffle(len(values), seed), ends)]
    if not all(map(len, parts)):
        sizes = ", ".join(str(len(part)) for part in parts)
        what = f"{len(values)} rows are too few to hold out {validation}, {test} of them: the parts would have {sizes}"
        raise UserError(what)
    held, tested, train = parts
    return measured(features, values, (train, held, tested), targets=targets)


def measured(features: Numbers, values: Numbers, parts: Sequence[Index], *, targets: Sequence[str]) -> Dataset:
    """Return a Dataset of rows with numbers `n t` to predict. parts: the row indices of train, validation and test."""
    scaled, unit = zip(*(_scaled(table, parts[0]) for table in (features, values)), strict=True)
    splits = [Rows(*(torch.from_numpy(table[part]).float() for table in scaled)) for part in parts]
    unit = torch.from_numpy(unit[1])
    return Dataset(*splits, inputs=(features.shape[1],), targets=tuple(targets), unit=unit, noun="rows")


def classified(features: Numbers, labels: Index, parts: Sequence[Index], *, classes: Sequence[str]) -> Dataset:
    """Return a Dataset of rows with labels `n`; features are scaled by the training part. parts: as in `measured`."""
    scaled, _ = _scaled(features, parts[0])
    splits = [Rows(torch.from_numpy(scaled[part]).float(), torch.from_numpy(labels[part])) for part in parts]
    return Dataset(*splits, inputs=(features.shape[1],), classes=tuple(classes), noun="rows")


def _scaled(table: Numbers, train: Index) -> tuple[Numbers, Numbers]:
    """Return the columns scaled to mean 0 and deviation 1 over the training rows, and the deviations.

    A column that is constant over the training rows is only centred.
    """
    mean, deviation = table[train].mean(axis=0), table[train].std(axis=0)
    deviation[deviation <= 1e-12 * abs(mean)] = 1  # equal numbers have a mean that is rounded, and so a deviation
    return (table - mean) / deviation, deviation


def read_diabetes() -> tuple[Numbers, Numbers]:
    """Return the features 442 x 10, unscaled, and the progression 442 x 1."""
    from sklearn.datasets import load_diabetes

    found: Any = load_diabetes(scaled=False)
    return found.data, found.target[:, None]


def read_linnerud() -> tuple[Numbers, Numbers]:
    """Return the exercises 20 x 3 and the body measurements 20 x 3."""
    from sklearn.datasets import load_linnerud

    found: Any = load_linnerud()
    return found.data, found.target
