"""Programs of any size, written to a folder: one run, N models of six values and a child, two options of that child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]  # of the repository

PROGRAM = '''\
"""A program whose run is composed and never trained."""

from cn import Job, main
from runs import Run


def train(run: Run, job: Job) -> float:
    return float(run.seed)


if __name__ == "__main__":
    main(train, folder=False)
'''
MODELS = '''\
"""Models."""

from abc import abstractmethod

from cn import CN


class Model(CN):
    """What every model promises."""

    @abstractmethod
    def build(self) -> object: ...
'''
HEADS = '''\
"""Heads."""

from abc import abstractmethod

from cn import CN


class Head(CN):
    """What every head promises."""

    @abstractmethod
    def build(self) -> object: ...
'''
HEAD = '''\
"""One head."""

from models.head import Head


class {name}(Head):
    """A head of two values."""

    scale: float = {scale}  # of the logits, above 0
    bias: bool = True  # whether one is added

    def build(self) -> object:
        return self
'''
MODEL = '''\
"""Model {number}."""

from __future__ import annotations

from models import Model
from models.head import Head
from models.head.mean import Mean


class {name}(Model):
    """Model number {number}."""

    width: int = {width}  # channels
    depth: int = {depth}  # blocks
    dropout: float = {dropout}  # in [0, 1)
    activation: str = "relu"  # after each block
    bias: bool = True  # in each block
    stem: str = "conv"  # how images enter
    head: Head = Mean()

    def build(self) -> object:
        return self
'''
RUNS = '''\
"""Runs."""

from __future__ import annotations

from cn import CN
from models import Model


class Run(CN):
    """What every run has."""

    model: Model
    seed: int = 1  # of everything
    epochs: int = 10  # passes over the data
    rate: float = 1e-3  # learning rate
'''
DEFAULT = '''\
"""The run that is meant when none is named."""

from __future__ import annotations

from models import Model
from models.m0000 import M0000
from runs import Run


class Default(Run):
    """The first model."""

    model: Model = M0000()
'''


def numbers(count: int) -> Iterator[tuple[str, dict[str, object]]]:
    """The name of each model, and the values in which it differs from the others."""
    for number in range(count):
        yield f"M{number:04}", {"width": 32 + number, "depth": 2 + number % 24, "dropout": number % 10 / 10}


def grow(folder: Path, count: int) -> Path:
    """Write the program with `count` models to `folder`, which it returns; one file a model."""
    for part in ("models/head", "runs"):
        (folder / part).mkdir(parents=True)
    files = {
        "train.py": PROGRAM,
        "models/__init__.py": MODELS,
        "models/head/__init__.py": HEADS,
        "models/head/mean.py": HEAD.format(name="Mean", scale=1.0),
        "models/head/largest.py": HEAD.format(name="Largest", scale=0.5),
        "runs/__init__.py": RUNS,
        "runs/default.py": DEFAULT,
    }
    for number, (name, values) in enumerate(numbers(count)):
        files[f"models/{name.lower()}.py"] = MODEL.format(name=name, number=number, **values)
    for path, text in files.items():
        (folder / path).write_text(text)
    return folder
