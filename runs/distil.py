"""python train.py run=distil teacher=vit/small teacher.depth=3 model=mlp"""

from __future__ import annotations

from typing import ClassVar

from models import Model
from models.cnn import Cnn
from models.mlp import Mlp
from runs import Run
from runs.default import Default
from runs.task import Task
from runs.task import distil as tasks


class Distil(Default):
    """A model that learns from a second one, which learns beside it (arXiv:1804.03235)."""

    model: Model = Mlp()
    teacher: Model = Cnn()
    task: Task = tasks.Distil()

    _moved_: ClassVar[dict[str, str]] = {**Run._moved_, "weight": "task.weight", "temperature": "task.temperature"}
