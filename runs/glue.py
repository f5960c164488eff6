"""python train.py run=glue data=glue/cola data.root=DIR"""

from __future__ import annotations

from data import Data
from data.glue import Cola
from models import Model
from models.encoder.bert_family.tiny import Tiny
from runs import Run
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.task import Task
from runs.task.sentence import Sentence


class Glue(Run):
    """A BERT of two blocks learns a task of GLUE; with `init=RUN` from the weights of a pretrained run.

    Without these it learns next to nothing, in 2 minutes of one core: on CoLA Matthews' correlation is 0.00, and with
    data/tokenizer=wordpiece optim.lr=1e-3 it is 0.07.
    """

    model: Model = Tiny(d_model=128, heads=4, layers=2, feed_forward=512, vocabulary=None)
    data: Data = Cola()
    task: Task = Sentence()
    optim: Optim = AdamW(lr=5e-4)
    clip: float | None = 1.0  # largest norm of the gradient over all parameters
    epochs: int = 3  # passes over the training rows
