"""python train.py"""

from __future__ import annotations

from data import Data
from data.digits import Digits
from models import Model
from models.fcn import Fcn
from runs import Run
from runs.optim import Optim
from runs.optim.adamw import AdamW


class Default(Run):
    """Handwritten digits of 8x8 pixels, which come with scikit-learn."""

    model: Model = Fcn(dropout=0.2)
    data: Data = Digits(batch_size=32)
    optim: Optim = AdamW(lr=2e-3)
    epochs: int = 40  # passes over the training examples
