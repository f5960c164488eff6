"""What fails in a network is told in a few lines: whose it is, what it was given, what failed, and where."""

from __future__ import annotations

import contextlib
import inspect
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from einops.layers.torch import Rearrange
from torch import nn

from data.digits import Digits
from models import Model
from models.mlp import Mlp
from runs.default import Default
from runs.distil import Distil
from runs.task._classify import Classification
from runs.task.classify import Classify

HERE = "tests/runs/test_network_error.py"
ROOT = Path(__file__).parents[2]


class Replacing(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = images.flatten(1)
        return images @ torch.zeros(60, 10)


class Net(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(60, 10))
        self.cut = Rearrange("b c (h p) w -> b (c h p w)", p=3)
        self.replacing, self.scale, self.calls = Replacing(), nn.Parameter(torch.ones(())), 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.how == "part":
            return self.body(images)
        if self.how == "own line":
            return images.flatten(1) @ torch.zeros(60, 10)
        if self.how == "einops":
            return self.cut(images)
        if self.how == "replaced":
            return self.replacing(images)
        if self.how == "later":
            self.calls += self.training
            if self.calls == 6:
                raise RuntimeError("the sixth batch")
            return images.flatten(1)[:, :10] * self.scale
        if self.how == "key":
            raise KeyError("no such layer")
        if self.how == "memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        raise RuntimeError("first\n  second")


class Wrong(Model):
    how: str = "part"

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        return Net(self.how)


def line(code: str) -> int:
    """The number of the line of this file that holds it."""
    return next(i for i, each in enumerate(Path(__file__).read_text().split("\n"), 1) if code in each)


DEFINED = f"  Wrong is defined in {HERE}:{inspect.getsourcelines(Wrong)[1]}"
IN = "\n  its traceback is in run/log.txt"
MULTIPLY = "mat1 and mat2 shapes cannot be multiplied (8x64 and 60x10)"


@pytest.mark.parametrize(
    ("how", "raised", "inside", "code"),
    [
        (
            "part",
            f"RuntimeError: {MULTIPLY}",
            "  in body.1, Linear(in_features=60, out_features=10, bias=True), given 8x64\n",
            "return self.body(images)",
        ),
        ("own line", f"RuntimeError: {MULTIPLY}", "", "return images.flatten(1) @ "),
        ("any other", "RuntimeError: first second", "", 'raise RuntimeError("first'),
    ],
)
def test_what_fails_in_a_network_is_told_in_a_few_lines(how, raised, inside, code, go, failed, capsys, left):
    error = failed(lambda: go("run", of=Default(model=Wrong(how=how), data=Digits(), steps=2)))
    assert str(error) == (
        f"model: the network of Wrong fails on 8x1x8x8: {raised}\n{inside}  at {HERE}:{line(code)}\n{DEFINED}{IN}"
    )
    assert error.status == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")  # the door says it, once
    log = left(Path("run")).log
    assert log.startswith("Traceback (most recent call last):\n")
    assert log.endswith(f"\n{error}\n")
    assert log.count("Traceback") == 1
    summary = left(Path("run")).summary
    assert (summary["state"], summary["reason"]) == ("failed", str(error).split("\n")[0])


def test_what_einops_says_is_told_on_one_line(go, failed):
    error = failed(lambda: go("run", of=Default(model=Wrong(how="einops"), data=Digits(), steps=2)))
    first, inside, *_ = str(error).split("\n")
    assert first.startswith(
        "model: the network of Wrong fails on 8x1x8x8: EinopsError: Shape mismatch, can't divide axis of "
    )
    assert inside == "  in cut, Rearrange('b c (h p) w -> b (c h p w)', p=3), given 8x1x8x8"


def test_what_a_network_was_given_is_known_though_it_has_put_something_else_for_it(go, failed):
    error = failed(lambda: go("run", of=Default(model=Wrong(how="replaced"), data=Digits(), steps=2)))
    assert str(error).split("\n")[:2] == [
        f"model: the network of Wrong fails on 8x1x8x8: RuntimeError: {MULTIPLY}",
        "  in replacing, Replacing(), given 8x1x8x8",
    ]


def test_a_teacher_that_fails_while_it_learns_is_named_as_the_teacher(go, failed):
    run = Distil(model=Mlp(hidden_sizes=(8,)), teacher=Wrong(), data=Digits(batch_size=16), steps=2)
    error = failed(lambda: go("run", of=run))
    multiply = MULTIPLY.replace("8x64", "16x64")
    assert str(error).split("\n")[:2] == [
        f"teacher: the network of Wrong fails on 16x1x8x8: RuntimeError: {multiply}",
        "  in teacher.body.1, Linear(in_features=60, out_features=10, bias=True), given 16x64",
    ]


def test_a_network_that_fails_after_a_checkpoint_tells_how_to_go_on(go, failed):
    number = line('RuntimeError("the sixth')
    run = Default(model=Wrong(how="later"), data=Digits(batch_size=64), steps=9, save_every=2)
    error = failed(lambda: go("run", of=run))
    assert str(error) == (
        "model: the network of Wrong fails on 64x1x8x8: RuntimeError: the sixth batch\n"
        f"  at {HERE}:{number}\n{DEFINED}{IN}\n"
        "  to go on from the last checkpoint: python train.py --from run"
    )


def test_memory_that_runs_out_there_is_told_as_it_is_elsewhere(go, failed):
    error = failed(lambda: go("run", of=Default(model=Wrong(how="memory"), data=Digits(), steps=2)))
    assert str(error).split("\n")[0] == "out of memory"


def test_what_fails_in_the_loss_is_no_fault_of_the_network(go, failed, capsys, monkeypatch):
    monkeypatch.setattr(Classification, "measure", lambda self, network, batch: {"loss": network(batch[0]) @ batch[0]})
    error = failed(lambda: go("run", of=Default(model=Mlp(hidden_sizes=(8,)), data=Digits(), steps=2)))
    assert str(error).startswith("RuntimeError: ")
    assert "Traceback (most recent call last):" in capsys.readouterr().err


def test_where_only_the_test_is_asked_for_the_traceback_is_shown(go, failed, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(Wrong, "build", lambda self, **sizes: Mlp(hidden_sizes=(8,)).build(**sizes))
        go("run", of=Default(model=Wrong(), data=Digits(batch_size=128), steps=2))
    before = Path("run/log.txt").read_text()
    capsys.readouterr()
    error = failed(lambda: go("run", "mode=eval", source="run"))
    assert str(error).startswith("model: the network of Wrong fails on 8x1x8x8: RuntimeError")
    assert str(error).endswith("\n  its traceback is above")
    assert capsys.readouterr().out.startswith("Traceback (most recent call last):\n")
    assert Path("run/log.txt").read_text() == before


class _Ranked(Classification):
    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.criterion = nn.CrossEntropyLoss()

    def loss(self, network: Any, batch: Any) -> torch.Tensor:
        examples, labels = batch
        return self.criterion(network(examples)[:, :3], labels)


class _Rank(Classify):
    def build(self, *, model: Model, data: Any) -> Any:
        network = model.build(inputs=data.inputs, classes=len(data.classes))
        return _Ranked(network=network, classes=data.classes, pixels=data.pixels, label_smoothing=0.0)


def test_another_module_than_the_network_is_not_taken_for_it(go, failed, capsys):
    run = Default(model=Mlp(hidden_sizes=(8,)), data=Digits(batch_size=128), task=_Rank(), steps=2)
    error = failed(lambda: go("run", of=run))
    assert str(error).startswith("IndexError: Target ")
    assert "self.criterion(network(examples)" in capsys.readouterr().err


@contextlib.contextmanager
def nothing() -> Any:
    """What Python's own library refuses: it never yields."""
    return
    yield


class _Library(nn.Module):
    def forward(self, images: torch.Tensor) -> Any:
        with nothing():
            return images


class Library(Model):
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        return _Library()


def test_of_an_error_of_another_kind_the_traceback_is_shown(go, failed, capsys):
    error = failed(lambda: go("run", of=Default(model=Wrong(how="key"), data=Digits(), steps=2)))
    assert str(error).startswith("KeyError: 'no such layer'\n  its traceback is above, and in run/log.txt")
    assert capsys.readouterr().err.count("Traceback (most recent call last):") == 1


class Narrow(Model):
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(60, classes))


def test_the_line_is_one_of_the_users_own(go, failed):
    error = failed(lambda: go("library", of=Default(model=Library(), data=Digits(), steps=2)))
    assert str(error).split("\n")[1] == f"  at {HERE}:{line('        with nothing():')}"
    error = failed(lambda: go("narrow", of=Default(model=Narrow(), data=Digits(), steps=2)))
    where = inspect.getsourcelines(Narrow)[1]
    assert str(error).split("\n")[1:3] == [
        "  in 1, Linear(in_features=60, out_features=10, bias=True), given 8x64",
        f"  Narrow is defined in {HERE}:{where}",
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_on_the_command_line_it_is_said_once(count, here, shell):
    for name in ("cn", "models", "data", "runs", "sweeps"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", here)
    (here / "models/short.py").write_text(
        "from models.mlp import Mlp\n\n\n"
        "class Short(Mlp):\n"
        "    def build(self, *, inputs, classes):\n"
        "        return super().build(inputs=(1, 7, 7), classes=classes)\n"
    )
    said = shell("model=short", "gpu=-1", f"launch.processes={count}", "folder=run", script=here / "train.py")
    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[0] == (
        "model: the network of Short fails on 8x1x8x8: "
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x64 and 49x128)"
    )
    assert len(said.err.splitlines()) <= 6
    assert said.err.count("cannot be multiplied") == 1
    assert said.err.count("Traceback") == 0
    assert "Traceback (most recent call last):" in (here / "run/log.txt").read_text()
