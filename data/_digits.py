"""The digits in scikit-learn's wheel, as bytes."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from data._split import Part


def read_digits() -> Part:
    """Images `n 1 8 8`, whose 17 levels are spread over 0 to 255, and their digits."""
    digits, labels = load_digits(return_X_y=True)
    return np.round(digits * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8), np.asarray(labels, dtype=np.int64)
