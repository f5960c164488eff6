"""SVHN's MATLAB files: `X` is height, width, channel, image, and `y` is 1 to 10, where 10 is the digit 0."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from einops import rearrange
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from cn import UserError
from data._split import Part


def read_svhn(path: Path) -> Part:
    """Return images `n 3 32 32` and their digits."""
    try:
        content = loadmat(path, variable_names=["X", "y"])
        x, y = content["X"], content["y"].ravel()
    except KeyError as error:
        raise UserError(f"'{path}' holds no variable {error}: it is not a file of SVHN's cropped digits") from None
    except (MatReadError, ValueError, TypeError, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"'{path}' is damaged, cut short, or no MATLAB 5 file: {error}") from None
    if x.dtype != np.uint8 or x.ndim != 4 or y.shape != x.shape[3:]:
        raise UserError(f"'{path}' holds X {x.shape} and y {y.shape}, which are not images and their labels")
    return np.ascontiguousarray(rearrange(x, "h w c n -> n c h w")), y % 10
