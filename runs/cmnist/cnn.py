"""python train.py run=cmnist/cnn"""

from __future__ import annotations

from data import Data
from data.cmnist import Cmnist
from models import Model
from models.cnn import Cnn as Network
from runs import Run


class Cnn(Run):
    """Coloured MNIST, where the colour tells the label in training and lies in the test."""

    model: Model = Network()
    data: Data = Cmnist()
    epochs: int = 5  # passes over the training examples
