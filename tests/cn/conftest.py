"""A small repository of nodes, written to a folder for one test: every kind of field, child and default.

Fixtures:

    tree          the folder of the small repository, whose modules can be imported in the test
    run           `run("model=mlp")`: the run that these overrides compose there
    refused       `refused("model=vitt")`: the text of the error with which they are refused
    program       `program("model=mlp")`: what `python train.py model=mlp` does there, in a process of its own

Functions: `start` runs Python in any folder, `on_terminal` on a terminal of a width; `python`, `node` and `MODEL` are
sources of small files, and `imported` is a name of a module.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cn.errors import CNError

REPOSITORY = Path(__file__).parents[2]
TREE = {
    "models/__init__.py": '''
from abc import abstractmethod

from cn import CN


class Model(CN):
    """A network."""

    @abstractmethod
    def build(self) -> str: ...
''',
    "models/head/__init__.py": '''
from cn import CN


class Head(CN):
    """How tokens become one vector."""
''',
    "models/head/mean_pool.py": """
from models.head import Head


class MeanPool(Head):
    scale: float = 1.0  # times the mean
""",
    "models/head/cls_token.py": """
from models.head import Head


class ClsToken(Head):
    dim: int = 8  # channels
    dropout: float = 0.0  # in [0, 1)
""",
    "models/mlp.py": """
from models import Model


class MLP(Model):
    width: int = 32  # channels

    def build(self) -> str:
        return "mlp"
""",
    "models/vit.py": '''
from models import Model
from models.head import Head
from models.head.mean_pool import MeanPool


class ViT(Model):
    """Vision transformer."""

    dim: int = 192  # channels
    depth: int = 9  # blocks
    heads: int = 3
    head: Head = MeanPool()

    def build(self) -> str:
        return "vit"

    def check(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} does not divide by {self.heads} heads")


class Small(ViT):
    dim: int = 384  # channels
    heads: int = 6
''',
    "runs/__init__.py": '''
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from cn import CN, derive
from models import Model
from models.head.cls_token import ClsToken
from models.vit import ViT
from runs.callbacks import Callback
from runs.callbacks.checkpoint import Checkpoint
from runs.optim import Optim


class Mode(Enum):
    train = 1
    eval = 2


class Run(CN):
    """One training."""

    model: Model = ViT(depth=12, head=ClsToken(dim=16))
    teacher: Model | None = None
    optim: Optim
    callbacks: dict[str, Callback] = {"checkpoint": Checkpoint(every=3)}
    steps: int = 100
    warmup: int = derive(lambda run: run.steps // 20)  # steps
    seed: int = 1
    name: str = "x"
    clip: float | None = None  # norm of the gradient
    mode: Mode = Mode.train
    precision: Literal["fp32", "bf16"] = "fp32"
    out: Path = Path("out")
    betas: tuple[float, float] = (0.9, 0.99)
    tasks: list[str] = ["cola"]
    opts: dict[str, int] = {"a": 1}
    flag: bool = False
    either: int | str = 3
    anything: Any = None
''',
    "runs/default.py": """
from runs import Run
from runs.optim import Optim
from runs.optim.adamw import AdamW


class Default(Run):
    optim: Optim = AdamW(decay=0.2)
""",
    "runs/bare.py": '''
from runs import Run


class Bare(Run):
    """No optimiser is chosen."""
''',
    "runs/cifar/vit.py": """
from models.vit import Small
from models import Model
from runs.default import Default


class ViT(Default):
    model: Model = Small(depth=3)
    seed: int = 7
""",
    "runs/callbacks/__init__.py": """
from cn import CN


class Callback(CN):
    every: int = 1  # epochs
""",
    "runs/callbacks/checkpoint.py": """
from runs.callbacks import Callback


class Checkpoint(Callback):
    keep: int = 2
""",
    "runs/callbacks/stop.py": """
from runs.callbacks import Callback


class Stop(Callback):
    patience: int = 5
""",
    "runs/optim/__init__.py": """
from cn import CN


class Optim(CN):
    lr: float = 1e-3  # step size
""",
    "runs/optim/adamw.py": """
from runs.optim import Optim


class AdamW(Optim):
    decay: float = 0.1
""",
    "train.py": """
from cn import Job, main
from runs import Run


def train(run: Run, job: Job) -> float:
    print(f"trained {type(run.model).__name__} with seed {run.seed}")
    return run.seed / 2


if __name__ == "__main__":
    main(train, folder=False)
""",
}


@pytest.fixture
def tree(node_tree: Any) -> Path:
    """The folder of the small repository; the test can import its modules."""
    return node_tree({path: source.lstrip("\n") for path, source in TREE.items()})


@pytest.fixture
def run(tree: Path, compose: Any) -> Callable[..., Any]:
    """`run("model=mlp")`: compose a run with these overrides."""

    def run(*overrides: str) -> Any:
        from runs import Run

        return compose(Run, *overrides)

    return run


@pytest.fixture
def refused(run: Callable[..., Any]) -> Callable[..., str]:
    """`refused("model=vitt")`: return the message of the UserError, which has at most six lines."""

    def refused(*overrides: str) -> str:
        with pytest.raises(CNError) as caught:
            run(*overrides)
        assert caught.value.status == 2
        assert len(str(caught.value).split("\n")) <= 6
        return str(caught.value)

    return refused


@pytest.fixture
def program(tree: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`program("model=mlp")`: run `python train.py model=mlp` in the small repository; importing torch is forbidden."""
    (tree / "torch.py").write_text("open('torch was imported', 'w')\n")

    def program(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = start(tree, "train.py", *words, **variables)  # type: ignore
        assert not (tree / "torch was imported").exists()
        assert "Traceback" not in done.stderr
        return done

    return program


def start(root: Path, *words: str, path: Path = REPOSITORY, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder; `path` is the PYTHONPATH with `cn`."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(path), "PYTHONWARNINGS": "error", **variables}
    command = [sys.executable, "-X", "utf8", *words]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600, check=False)


def run_its_tests(root: Path, path: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder. Its temporary folders are there too: in /tmp it would first delete those of others."""
    (root / ".temporary").mkdir()
    temporary = str(root / ".temporary")
    return start(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", path=path, PYTEST_DEBUG_TEMPROOT=temporary)


def on_terminal(root: Path, columns: int, *words: str, **variables: str) -> str:
    """Return the output of Python on a terminal with that many columns, stdout and stderr together."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "error", **variables}
    child = subprocess.Popen(
        [sys.executable, "-X", "utf8", *words], cwd=root, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):  # the last writer has closed the terminal
        while part := os.read(master, 65536):
            seen += part
    os.close(master)
    child.wait()
    return seen.decode().replace("\r\n", "\n")


def python(*lines: str) -> str:
    """Return lines as the text of one source file."""
    return "\n".join(lines) + "\n"


MODEL = python("from cn import CN", "class Model(CN):", "    size: int = 1")


def node(name: str, base: str = "models:Model") -> str:
    """Write a file with one class."""
    module, contract = base.split(":")
    return python(f"from {module} import {contract}", f"class {name}({contract}): ...")


def imported(module: str, name: str) -> Any:
    """Return the attribute of a module by name."""
    return getattr(importlib.import_module(module), name)
