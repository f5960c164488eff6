"""A run folder tells all of a run, has a name that says which, and belongs to one process."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import matplotlib.image
import pytest
import torch

import cn
from cn import Job
from cn.composing.compose import compose
from cn.run_folder import folder as _folder
from runs._train import train
from runs.default import Default
from tests.cn.conftest import on_terminal
from tests.runs.conftest import ROOT, WAIT, one_thread

WORDS = ("model=mlp", "model.hidden_sizes=[8]", "epochs=2")


@pytest.fixture
def noon(monkeypatch) -> str:
    """It is noon, and stays so."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 31, 12)

    monkeypatch.setattr(_folder.datetime, "datetime", Noon)
    return "2026-01-31_12-00-00"


def test_it_holds_the_whole_run(here, shell, capsys):
    said = shell(*WORDS, "callbacks=model_summary")
    (folder,) = Path("outputs").iterdir()
    assert (said.status, said.err) == (0, "")
    assert sorted(each.name for each in folder.iterdir()) == [
        ".lock", "best.pt", "command.txt", "config.json", "curves.png", "last.pt", "log.txt", "metrics.jsonl",
        "summary.json",
    ]  # fmt: skip
    assert cn.load(folder) == compose(Default, [*WORDS, "callbacks=model_summary"])
    command = (folder / "command.txt").read_text()
    assert command == f"python {ROOT}/train.py model=mlp 'model.hidden_sizes=[8]' epochs=2 callbacks=model_summary\n"
    assert (folder / "log.txt").read_text() == said.out
    assert said.out.splitlines()[-1] == str(folder)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["state"] == "finished"
    assert summary["command"] == command.strip()
    assert list(summary) == [
        "state", "command", "seconds", "parameters", "device", "steps", "goal", "step", "epoch", "best/step",
        "best/epoch",
        "validation/loss", "validation/accuracy", "test/loss", "test/accuracy",
    ]  # fmt: skip
    assert f"test accuracy {summary['test/accuracy']:.4f} (loss {summary['test/loss']:.4f})" in said.out
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 30, 39, 40, 50, 60, 70, 78, 78]
    assert torch.load(folder / "last.pt", weights_only=True)["step"] == 78
    assert not list(here.rglob("*.y*ml"))


@pytest.mark.slow
def test_the_curves_are_a_picture(here):
    train(compose(Default, [*WORDS, "folder=run"]), Job())
    assert Path("run/curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread("run/curves.png")  # h w c
    height, width, _ = pixels.shape
    assert height > 300
    assert width > 800
    assert pixels[..., :3].min() < 0.5  # something is drawn


def test_curves_that_cannot_be_drawn_do_not_fail_a_run(go, monkeypatch, left, capsys):
    def broken(folder: Path) -> None:
        raise RuntimeError("no fonts")

    run = go("first", "epochs=1")
    monkeypatch.setattr("runs._train.draw", broken)
    run = left(Path("run"))
    train(compose(Default, [*WORDS, "folder=run"]), Job())
    assert run.summary["state"] == "finished"
    assert run.log.endswith("curves.png cannot be drawn: RuntimeError: no fonts\n")


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ((), ""),
        (("model=vit", "optim.lr=3e-4"), "_model=vit,optim.lr=3e-4"),
        (("model/head=cls_token", "callbacks=[a,b]"), "_model-head=cls_token,callbacks=a,b"),
        (("~callbacks.a", "+callbacks=c"), "_callbacks.a,+callbacks=c"),
        (("data.root=/data/my set/$x;rm -rf *",), "_data.root=-data-myset-x-rm-rf-"),
        (("data.root='ünï\ncode'", 'x="q"'), "_data.root=-n-code,x=q"),
        (("data.root=../../up",), "_data.root=..-..-up"),
        (("model.hidden_sizes=[" + ",".join(["128"] * 100) + "]",), "_model.hidden_sizes=" + ("128," * 30)[:101]),
    ],
)
def test_its_name_is_the_time_and_the_overrides_and_needs_no_quotes(here, noon, overrides, name):
    folder = _folder._new(Job(overrides=overrides))
    assert folder == Path("outputs") / f"{noon}{name}"
    assert shlex.quote(str(folder)) == str(folder)
    assert len(folder.name) < 150
    assert folder.is_dir()


def test_two_in_one_second_are_numbered(here, noon):
    folders = [_folder._new(Job(overrides=("seed=1",))) for _ in range(3)]
    assert [each.name for each in folders] == [f"{noon}_seed=1", f"{noon}_seed=1_2", f"{noon}_seed=1_3"]


def test_the_runs_of_one_m_share_a_folder(here, shell):
    said = shell("-m", *WORDS[:2], "steps=5", "seed=1,2", "optim=sgd,adam")
    assert (said.status, said.err) == (0, "")
    (group,) = Path("outputs").iterdir()
    runs = [each for each in group.iterdir() if "=" in each.name]
    assert sorted(each.name for each in runs) == [
        f"model=mlp,model.hidden_sizes=8,steps=5,seed={seed},optim={optim}"
        for seed in (1, 2)
        for optim in ("adam", "sgd")
    ]
    commands = {(each / "command.txt").read_text() for each in runs}  # of each run, not of them all
    assert "python train.py model=mlp 'model.hidden_sizes=[8]' steps=5 seed=1 optim=sgd\n" in commands
    assert len(commands) == 4
    scores = [json.loads((each / "summary.json").read_text())["test/accuracy"] for each in runs]
    table = [line.split()[-1] for line in said.out.splitlines()[-4:]]
    assert sorted(table) == sorted(f"{score:.4f}" for score in scores)
    named = [Path(line) for line in said.out.splitlines() if line.startswith("outputs/")]  # as one run names its own
    assert sorted(named) == sorted(runs)
    assert str(here) not in said.out + said.err


def test_a_run_after_another_in_one_process_is_as_it_would_be_alone(go, left):
    alone = go("alone", "epochs=1", "model=fcn", "model.dropout=0.5")
    go("other", "epochs=1", "seed=7", "precision=bf16", "deterministic=true")
    after = go("after", "epochs=1", "model=fcn", "model.dropout=0.5")
    assert torch.equal(alone.weights(), after.weights())


def test_a_folder_of_a_run_of_several_with_no_override_is_called_default(here):
    assert _folder._new(Job(group="g")) == Path("outputs/g/default")


def test_folder_is_taken_as_it_is(go, here):
    run = go("a b/é/[c]", "steps=1")
    assert run.folder.is_dir()
    assert run.summary["state"] == "finished"
    assert not Path("outputs").exists()


def test_a_folder_with_a_run_in_it_is_refused(go, failed):
    before = go("my run", "steps=1").files()
    error = failed(lambda: go("my run", "steps=2"))
    assert str(error) == (
        "folder=my run: a run is there already\n"
        "  to go on with it: python train.py --from 'my run'\n"
        "  for a new run: another folder"
    )
    assert error.status == 2
    assert go(source="my run").files().keys() == before.keys()


def test_a_folder_that_is_a_file_is_refused(go, failed):
    Path("run").write_text("mine")
    error = failed(lambda: go("run"))
    assert str(error) == ("cannot make a run folder: [Errno 17] File exists: 'run'\n  to put it elsewhere: folder=PATH")
    assert error.status == 1
    assert Path("run").read_text() == "mine"


def test_a_second_process_on_a_folder_is_refused(go, failed, after_step, forked):
    """While the first trains; and the first goes on undisturbed."""
    seen: list[str] = []

    def second() -> None:
        before = Path("run/log.txt").read_text()
        error = failed(lambda: go(source="run"))
        seen.append(str(error))
        seen.append(str(error.status))
        assert Path("run/log.txt").read_text() == before

    after_step(4, second)
    assert go("run", "epochs=1").summary["state"] == "finished"
    assert seen == ["run is being written to by another process\n  wait for it to end, or stop it", "1"]


def test_a_folder_is_free_again_when_its_process_is_killed(go, forked, after_step, die):
    def killed() -> None:
        after_step(3, die)
        go("run", "epochs=1")

    forked(killed)
    assert go(source="run").summary["state"] == "finished"


def test_a_file_system_without_locks_is_named(go, failed, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    error = failed(lambda: go("run", "steps=1"))
    assert str(error) == (
        "run cannot be locked, so two processes could write to it: [Errno 38] Function not implemented\n"
        "  choose a folder on another file system: folder=PATH"
    )


def test_where_a_file_can_have_no_second_name_a_run_keeps_its_checkpoints(go, left, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    run = go("run", "epochs=2")
    assert run.summary["state"] == "finished"
    assert {"best.pt", "last.pt"} <= {each.name for each in run.folder.iterdir()}


def test_an_epoch_that_leaves_out_many_examples_says_so(go):
    assert ", 1258 images (896 an epoch), 1 steps on " in go("run", "accumulate=7", "epochs=1").log.splitlines()[0]
    assert ", 1258 images, 9 steps on " in go("other", "epochs=1").log.splitlines()[0]


@pytest.mark.slow
def test_another_process_holds_the_lock(go, failed, here):
    """The kernel's lock, not ours: held from outside, in a process that has nothing to do with us."""
    go("run", "steps=1")
    hold = "import fcntl, sys; fcntl.flock(lock := open('run/.lock'), fcntl.LOCK_EX)"
    code = f"{hold}; print('held', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    error = failed(lambda: go(source="run"))
    child.communicate()
    assert str(error) == "run is being written to by another process\n  wait for it to end, or stop it"
    with Path("run/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_summary_says_running_while_it_does(go, after_step, left):
    seen: list[dict[str, object]] = []
    after_step(2, lambda: seen.append(left(Path("run")).summary))
    go("run", "steps=3")
    assert seen[0]["state"] == "running"


@pytest.mark.slow
def test_a_path_that_the_locale_cannot_read_is_refused_before_anything_is_made(here):
    words = [sys.executable, str(ROOT / "train.py"), *WORDS, 'folder="outputs/é5"']
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    environment = {name: value for name, value in one_thread().items() if name != "PYTHONIOENCODING"}
    done = subprocess.run(words, capture_output=True, check=False, env=environment | plain, timeout=WAIT)
    escaped = "outputs/\\udcc3\\udca95"
    assert done.stderr.decode() == (
        f"{here}/{escaped}: some letters of this path are none in the locale of this shell\n"
        "  type first: export PYTHONUTF8=1\n"
    )
    assert (done.returncode, done.stdout, list(here.iterdir())) == (2, b"", [])
    done = subprocess.run(words, capture_output=True, check=False, env=environment | {**plain, "PYTHONUTF8": "1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads((here / "outputs/é5/summary.json").read_text())["state"] == "finished"
    assert "outputs/é5" in (here / "outputs/é5/command.txt").read_text(encoding="utf-8")


def test_a_folder_whose_making_failed_counts_as_no_run(here, monkeypatch):
    """A full disk: the configuration comes last, and none of it is left."""

    def full(path: Path) -> None:
        os.truncate(path, 40)
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("cn.files.sync", full)
        with pytest.raises(cn.RunError, match=r"^cannot make a run folder: "):
            train(compose(Default, [*WORDS, "folder=run"]), Job())
    assert sorted(path.name for path in Path("run").iterdir()) == [".lock", "command.txt"]
    assert train(compose(Default, [*WORDS, "folder=run", "steps=2"]), Job()) > 0


@pytest.mark.slow
def test_what_is_being_loaded_is_said_on_a_terminal_at_once_and_nowhere_else(here):
    """Nor in a pipe: test_it_holds_the_whole_run."""
    said = on_terminal(here, 100, str(ROOT / "train.py"), *WORDS, "steps=2", OMP_NUM_THREADS="1")
    assert said.startswith("loading torch, Digits, Mlp\nMlp(hidden_sizes=(8,)) on Digits: ")
    refused = on_terminal(here, 100, str(ROOT / "train.py"), *WORDS, "mode=eval", OMP_NUM_THREADS="1")
    assert "loading" not in refused
