"""The digits in scikit-learn's wheel, as bytes."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from data._split import Part


def read_digits() -> Part:
    """Images `n 1 8 8`, whose 17 levels are spread over 0 to 255, and their digits."""
    digits, labels = cast("tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]", load_digits(return_X_y=True))
    return np.round(digits * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8), labels.astype(np.int64)
