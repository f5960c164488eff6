"""Runs on data sets of the library `datasets`: what they learn, and the same bits however they are read."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from data.hub import Hub, Numbers, Table
from models.mlp import Mlp
from runs.default import Default
from runs.optim.adamw import AdamW
from runs.task.regress import Regress
from tests.data.pictures import write
from tests.data.tables import images, keep_in, numbers, write_parts


@pytest.fixture(autouse=True)
def _cache(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_in(here / "cache", monkeypatch)


def pictured(path: str = "root", workers: int = 0, **more: Any) -> Default:
    data = Hub(path=Path(path), size=8, batch_size=8, workers=workers)
    return Default(**{"model": Mlp(hidden_sizes=(8,)), "data": data, "epochs": 2, "log_every": 4, **more})


def counted(cls: Any = Table, **more: Any) -> Default:
    data = cls(path=Path("rows"), batch_size=32, features=["a", "b"], **more)
    task = {"task": Regress()} if cls is Numbers else {}
    return Default(model=Mlp(hidden_sizes=(16,)), data=data, optim=AdamW(lr=1e-2), epochs=8, **task)


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_images_are_learnt_and_the_same_with_any_number_of_workers(kind, go, differences):
    if kind == "folder":
        write(Path("root"), train=60, val=12)
    else:
        write_parts(Path("root"), images, train=60, validation=12)
    runs = [go(f"run{each}", of=pictured(workers=each, epochs=4)) for each in (0, 1, 2)]
    for other in runs[1:]:
        assert differences(runs[0].state(), other.state()) == []
        assert differences(runs[0].metrics, other.metrics) == []
    assert runs[0].summary["test/accuracy"] == 1


def test_classes_of_rows_are_learnt(go):
    write_parts(Path("rows"), numbers, train=800)
    assert go("run", of=counted()).summary["test/accuracy"] > 0.9


def test_numbers_of_rows_are_learnt(go):
    write_parts(Path("rows"), numbers, train=800)
    summary = go("run", of=counted(Numbers, target="sum")).summary
    assert summary["test/r2"] > 0.9
    assert summary["test/rmse"] < 0.4


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_run_goes_on_to_the_same_bits(workers, go, after_step, failed, differences):
    write_parts(Path("root"), images, train=60)
    whole = go("whole", of=pictured(workers=workers))  # 6 steps an epoch
    after_step(4, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", of=pictured(workers=workers)))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


def test_a_killed_run_goes_on_from_its_checkpoint(go, after_step, forked, die, differences):
    write_parts(Path("rows"), numbers, train=100)
    whole = go("whole", of=counted())

    def begin() -> None:
        after_step(7, die)
        go("run", of=counted())

    assert forked(begin) == -signal.SIGKILL
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


def test_two_processes_make_the_cache_at_once_and_learn_what_one_learns(go, together):
    write_parts(Path("root"), images, train=60, validation=12, test=12)
    one = go("one", of=pictured())
    shutil.rmtree("cache")
    two = together(2, "two", of=pictured())
    assert two.summary["processes"] == 2
    torch.testing.assert_close(one.weights(), two.weights())
    assert one.summary["test/accuracy"] == two.summary["test/accuracy"]


def test_the_command_of_two_processes_prints_a_run_and_nothing_else(shell, here, monkeypatch):
    write_parts(Path("rows"), numbers, train=200)
    monkeypatch.setenv("HF_HOME", str(here / "home"))
    words = ("data=hub/numbers", "data.path=rows/train.parquet", "data.target=sum", "task=regress", "model=mlp")
    done = shell(*words, "epochs=1", "folder=run", "gpu=-1", "launch.processes=2")
    assert (done.status, done.err) == (0, "")
    first, *_, last = done.out.splitlines()
    assert first.startswith("Mlp on Numbers: ")
    assert "160 rows" in first
    assert last == "run"
    assert os.listdir(here / "home") == ["datasets"]


def test_a_run_is_tested_where_the_data_have_moved_to(go, capsys):
    write_parts(Path("rows"), numbers, train=100)
    run = go("run", of=counted())
    Path("rows").rename("there")
    capsys.readouterr()
    go("", "mode=eval", "data.path=there", source="run")
    assert capsys.readouterr().out.startswith(f"test accuracy {run.summary['test/accuracy']:.4f} ")


def test_rows_of_numbers_are_not_for_a_model_of_images(shell):
    done = shell("data=hub/table", "data.path=rows", "model=cnn")
    assert done.status == 2
    assert done.err.splitlines()[0] == "model: Cnn needs images, and Table holds classes"
