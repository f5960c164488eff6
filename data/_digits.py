"""Reads the digits in scikit-learn's wheel as bytes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from data._split import Part

FILE = "datasets/data/digits.csv.gz"  # of scikit-learn


def read_digits() -> Part:
    """Return images `n 1 8 8`, their 17 levels scaled to 0 to 255, and their digits."""
    digits, labels = _read()
    return np.round(digits * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8), labels.astype(np.int64)


def _read() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the arrays of `load_digits`; the file is read directly, since importing scikit-learn takes seconds."""
    spec = find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, FILE)).is_file():
            rows = np.loadtxt(path, delimiter=",")
            return rows[:, :-1], rows[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    return cast("tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]", load_digits(return_X_y=True))
