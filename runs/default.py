"""python train.py"""

from __future__ import annotations

from data import Data
from data.digits import Digits
from models import Model
from models.cnn import Cnn
from runs import Run


class Default(Run):
    """Handwritten digits of 8x8 pixels, which come with scikit-learn."""

    model: Model = Cnn()
    data: Data = Digits()
    epochs: int = 20  # passes over the training images
