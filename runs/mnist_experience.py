"""python train.py run=mnist_experience model.lin1_size=256 data.batch_size=32"""

from __future__ import annotations

from data import Data
from data.mnist import Mnist
from models import Model
from models.dense import Dense
from runs import Run
from runs.callbacks import Callback
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.learning_rate import LearningRate
from runs.callbacks.model_summary import ModelSummary
from runs.logger import Logger
from runs.logger.csv import Csv
from runs.optim import Optim
from runs.optim.adam import Adam


class MnistExperience(Run):
    """Every part of a run chosen in one class."""

    model: Model = Dense()
    data: Data = Mnist(batch_size=64)
    optim: Optim = Adam(lr=1e-3)
    callbacks: dict[str, Callback] = {
        "early_stopping": EarlyStopping(patience=3),
        "model_summary": ModelSummary(),
        "learning_rate": LearningRate(),
    }
    logger: dict[str, Logger] = {"csv": Csv()}
    epochs: int = 20  # passes over the training examples, at most
    clip: float | None = 1.0  # largest norm of the gradient over all parameters
