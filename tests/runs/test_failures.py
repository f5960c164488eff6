"""A run that fails says why in a few lines and how to go on, keeps what it had, and its folder tells all of it."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cn import RunError
from cn.run_folder.metrics import Record
from data.digits import Digits
from models import Model
from models.mlp import Mlp
from runs._checkpoint import Unreadable
from runs._training.loop import Diverged, Interrupted
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.default import Default
from runs.logger import Logger
from runs.logger._thread import Thread
from runs.logger._writer import JsonLines, State, Writer

ON = "\n  to go on from the last checkpoint: python train.py --from run"
NONE = "\n  the run is in run, which has no checkpoint yet"
TRACE = "\n  its traceback is above, and in run/log.txt"


class _FailingNet(nn.Module):
    """Fails in the forward pass after some of them, in a way that a test says."""

    failure: Exception | None = None

    def __init__(self, inside: nn.Module, after: int) -> None:
        super().__init__()
        self.inside, self.left = inside, after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.left -= 1
            if self.left < 0 and _FailingNet.failure is not None:
                raise _FailingNet.failure
        return self.inside(images)


class _Failing(Model):
    after: int = 12  # forward passes

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        return _FailingNet(Mlp(hidden_sizes=(8,)).build(inputs=inputs, classes=classes), self.after)


@pytest.fixture
def fail(go, failed, left, monkeypatch):
    """A run of 18 steps whose model fails so; the error, and what is left."""

    def fail(failure: Exception | None, *, after: int = 12) -> tuple[Any, Any]:
        monkeypatch.setattr(_FailingNet, "failure", failure)
        run = Default(model=_Failing(after=after), data=Digits(batch_size=128), epochs=2, log_every=4)
        error = failed(lambda: go("run", of=run))
        return error, left(Path("run"))

    return fail


@pytest.fixture
def goes_on(go, differences, monkeypatch):
    """That the run in `run`, once what ailed it is mended, ends as it would have ended without."""

    def goes_on() -> None:
        monkeypatch.setattr(_FailingNet, "failure", None)
        resumed = go(source="run")
        whole = go("whole", of=Default(model=_Failing(), data=Digits(batch_size=128), epochs=2, log_every=4))
        assert differences(whole.state(), resumed.state()) == []
        assert differences(whole.metrics, resumed.metrics) == []

    return goes_on


# defects


def test_an_exception_in_a_model_shows_its_traceback_and_where_the_run_is(fail, capsys, goes_on):
    error, run = fail(KeyError("no such layer"))
    assert str(error) == f"KeyError: 'no such layer'{TRACE}{ON}"
    assert error.status == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("raise _FailingNet.failure\nKeyError: 'no such layer'\n")
    assert run.log.endswith(f"{err}{error}\n")
    assert run.summary["state"] == "failed"
    assert run.summary["reason"] == "KeyError: 'no such layer'"
    assert run.state()["step"] == 9
    goes_on()


def test_an_exception_with_many_lines_and_one_with_none(fail):
    error, _ = fail(ValueError("first\n  second\n  third"))
    assert str(error) == f"ValueError: first{TRACE}{ON}"
    Path("run").rename("before")
    error, _ = fail(ValueError())
    assert str(error) == f"ValueError{TRACE}{ON}"


def test_an_exception_before_the_first_checkpoint(fail):
    error, run = fail(ZeroDivisionError("boom"), after=2)
    assert str(error) == f"ZeroDivisionError: boom{TRACE}{NONE}"
    assert run.summary["state"] == "failed"


def test_a_file_that_a_model_does_not_find_is_not_taken_for_a_full_disk(fail):
    error, _ = fail(FileNotFoundError(2, "No such file or directory", "weights.pt"))
    assert str(error) == f"FileNotFoundError: [Errno 2] No such file or directory: 'weights.pt'{TRACE}{ON}"


def test_another_disk_that_is_full_is_not_taken_for_that_of_the_run(fail):
    error, _ = fail(OSError(28, "No space left on device", "/cache/weights.pt"))
    assert str(error) == f"OSError: [Errno 28] No space left on device: '/cache/weights.pt'{TRACE}{ON}"


def test_the_same_on_the_command_line(here, shell):
    """Through the door: exit status 1, the traceback once, the message last."""
    script = here / "train.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from models.mlp import Mlp\n"
        "def build(self, *, inputs, classes):\n"
        "    raise TypeError('not today')\n"
        "Mlp.build = build\n"
        f"import runpy\nrunpy.run_path({str(Path(__file__).parents[2] / 'train.py')!r}, run_name='__main__')\n"
    )
    said = shell("model=mlp", "folder=run", script=script)
    assert said.status == 1
    assert said.out == ""
    assert said.err.count("Traceback (most recent call last):") == 1
    assert said.err.endswith(f"TypeError: not today\nTypeError: not today{TRACE}{NONE}\n")
    assert Path("run/log.txt").read_text() == said.err


# numbers


def test_a_loss_that_is_nan_ends_the_run_and_keeps_the_checkpoint_before(fail, monkeypatch, left, differences):
    def poisoned(self: _FailingNet, images: torch.Tensor) -> torch.Tensor:
        self.left -= self.training
        return self.inside(images) * (float("nan") if self.left < 0 else 1)

    monkeypatch.setattr(_FailingNet, "forward", poisoned)
    error, run = fail(None)
    assert str(error) == (
        "the loss is nan in the steps up to 16\n"
        "  to try again more calmly: python train.py --from run optim.lr=0.0002 clip=1\n"
        "  what it was before: python train.py --from run mode=eval"
    )
    assert error.status == 1
    assert run.summary["state"] == "failed"
    assert run.summary["reason"] == "the loss is nan in the steps up to 16"
    assert run.log.endswith(f"{error}\n")
    assert run.state()["step"] == 9
    assert all(each.isfinite().all() for each in run.state()["module"].values())
    assert [each["step"] for each in run.metrics] == [4, 8, 9, 12]


def test_a_huge_rate_is_told_by_the_loss(go, failed):
    words = ("optim=sgd", "optim.lr=1e30", "schedule=constant", "model=linear", "clip=null")
    error = failed(lambda: go("run", *words))
    what, calmer = str(error).splitlines()
    assert what in ("the loss is nan in the steps up to 10", "the validation loss is nan after step 9")
    assert calmer == "  to try again more calmly: python train.py --from run optim.lr=1e+29 clip=1"
    assert error.status == 1


def test_the_command_that_a_diverged_run_names_works(go, failed, shell):
    words = ("optim=sgd", "optim.lr=1e4", "schedule=constant", "model=mlp", "epochs=2", "data.validation=0.3")
    error = failed(lambda: go("run", *words, "model.hidden_sizes=[8,8,8]", "clip=1e30", "log_every=1"))
    command = str(error).splitlines()[1].partition("train.py ")[2]
    assert command == "--from run optim.lr=1000"
    assert shell(*command.split(), "optim.lr=0.1").status == 2  # said twice: the words are read
    said = shell(*command.replace("1000", "0.1").split(), "clip=1")
    assert (said.status, said.err) == (0, "")


def test_data_with_an_infinite_pixel(go, failed, monkeypatch):
    build = Digits.build

    def spoilt(self: Digits, *, seed: int) -> Any:
        dataset = build(self, seed=seed)
        dataset.train.shift[0] = float("inf")
        return dataset

    monkeypatch.setattr(Digits, "build", spoilt)
    error = failed(lambda: go("run", "log_every=3"))
    assert str(error) == (
        "the loss is nan in the steps up to 3\n"
        "  to try again more calmly: python train.py --from run optim.lr=0.0002 clip=1"
    )


# memory


@pytest.mark.parametrize(
    "failure",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["gpu", "python", "cpu"],
)
def test_out_of_memory_says_what_fits(failure, fail, goes_on, capsys):
    error, run = fail(failure)
    assert str(error) == f"out of memory\n  the same steps in less memory: data.batch_size=64 accumulate=2{ON}"
    assert error.status == 1
    assert capsys.readouterr().err == ""
    assert run.summary["state"] == "failed"
    assert run.summary["reason"] == "out of memory"
    goes_on()


def test_torch_itself_runs_out_of_memory_on_a_cpu(go, failed, monkeypatch):
    monkeypatch.setattr(_FailingNet, "forward", lambda self, images: torch.empty(2**60))
    error = failed(lambda: go("run", of=Default(model=_Failing(), data=Digits(batch_size=1), accumulate=3)))
    assert str(error) == f"out of memory{NONE}"  # a batch of one has no half
    Path("run").rename("before")
    error = failed(lambda: go("run", of=Default(model=_Failing(), data=Digits(batch_size=33))))
    assert str(error) == f"out of memory{NONE}"  # nor a batch of 33


# the disk


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass


@pytest.fixture
def disk(here: Path) -> Iterator[Path]:
    """A disk of 400 kB, at `disk`."""
    place = here / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_keeps_the_checkpoint_before(disk, go, failed, after_step, left, differences):
    whole = go("whole", "epochs=2")
    after_step(11, lambda: fill(disk))
    error = failed(lambda: go("disk/run", "epochs=2"))
    assert str(error) == (
        "cannot write to disk/run: [Errno 28] No space left on device\n"
        "  to go on from the last checkpoint: python train.py --from disk/run"
    )
    assert error.status == 1
    run = left(disk / "run")
    assert run.summary["state"] == "failed"
    assert run.summary["reason"] == "cannot write to disk/run: [Errno 28] No space left on device"
    assert run.state()["step"] == 9
    (disk / "filler").unlink()
    resumed = go(source="disk/run")
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []
    assert resumed.summary["state"] == "finished"


@pytest.mark.slow
def test_a_disk_too_full_for_a_second_checkpoint_has_room_for_the_summary(disk, go, failed, after_step, left):
    def nearly_full() -> None:
        fill(disk)
        with (disk / "filler").open("r+b") as file:
            file.truncate((disk / "filler").stat().st_size - 12_000)

    after_step(11, nearly_full)
    error = failed(lambda: go("disk/run", "epochs=2"))
    assert str(error) == (
        "cannot write to disk/run: [Errno 28] No space left on device\n"
        "  to go on from the last checkpoint: python train.py --from disk/run"
    )
    run = left(disk / "run")
    assert run.summary["state"] == "failed"
    assert run.summary["reason"] == "cannot write to disk/run: [Errno 28] No space left on device"
    assert run.log.endswith(f"{error}\n")
    assert not list(run.folder.glob(".*.*[0-9]"))


@pytest.mark.slow
def test_a_disk_that_is_full_from_the_start(disk, go, failed):
    fill(disk)
    error = failed(lambda: go("disk/run"))
    assert str(error) == (
        "cannot make a run folder: [Errno 28] No space left on device\n  to put it elsewhere: folder=PATH"
    )
    assert error.status == 1


def test_a_disk_that_can_only_be_read(disk, go, failed, shell, left):
    go("disk/run", "epochs=1")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    error = failed(lambda: go("disk/other"))
    assert str(error) == (
        "cannot make a run folder: [Errno 30] Read-only file system: 'disk/other'\n  to put it elsewhere: folder=PATH"
    )
    error = failed(lambda: go(source="disk/run"))
    assert str(error) == (
        "cannot write to disk/run: [Errno 30] Read-only file system: 'disk/run/.lock'\n"
        "  to test it all the same: python train.py --from disk/run mode=eval"
    )
    assert error.status == 1
    go("", "mode=eval", source="disk/run")


def test_a_file_that_may_grow_no_further_needs_no_root(go, failed, after_step, left, differences):
    """The same with a limit on the size of files, which every user may set."""
    whole = go("whole", "epochs=2")
    size = (whole.folder / "last.pt").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    after_step(11, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1])))
    try:
        error = failed(lambda: go("run", "epochs=2"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(error) == f"cannot write to run: [Errno 27] File too large{ON}"
    run = left(Path("run"))
    assert run.state()["step"] == 9
    assert run.summary["state"] == "failed"
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


def test_a_folder_that_is_moved_while_its_run_goes_on(go, failed, after_step, differences):
    whole = go("whole", "epochs=2")
    after_step(11, lambda: Path("run").rename("moved"))
    error = failed(lambda: go("run", "epochs=2"))
    assert str(error) == (
        "cannot write to run: [Errno 2] No such file or directory: 'run/metrics.jsonl'\n"
        "  run has been moved or removed; if it is elsewhere now: python train.py --from FOLDER"
    )
    assert not Path("run").exists()
    resumed = go(source="moved")
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


def test_outputs_that_is_no_folder(here, shell):
    Path("outputs").write_text("mine")
    said = shell("steps=1")
    assert said.err == (
        "cannot make a run folder: [Errno 17] File exists: 'outputs'\n  to put it elsewhere: folder=PATH\n"
    )
    assert (said.status, said.out) == (1, "")


def test_metrics_that_cannot_be_written_end_the_run(go, failed, after_step, left):
    def lose() -> None:
        Path("run/metrics.jsonl").unlink()
        Path("run/metrics.jsonl").mkdir()

    after_step(11, lose)
    error = failed(lambda: go("run", "epochs=2", "log_every=3"))
    assert str(error) == f"cannot write to run: [Errno 21] Is a directory: 'run/metrics.jsonl'{ON}"
    assert left(Path("run")).state()["step"] == 9


def test_a_reader_that_goes_away_is_told_nothing_and_gets_no_traceback(here, shell, left):
    words = "model=mlp epochs=100000 folder=run"  # more lines than a pipe holds
    command = f"{Path(__file__).parents[2] / 'train.py'} {words} | head -1"
    said = subprocess.run(
        ["bash", "-c", f"{sys.executable} {command}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (141, "")
    assert said.stdout.startswith("Mlp on Digits: ")
    assert left(Path("run")).summary["state"] == "failed"
    assert left(Path("run")).summary["reason"] == "[Errno 32] Broken pipe"


# callbacks and loggers


class _FailingHooks(Hooks):
    def __init__(self, moment: str) -> None:
        self.count = 0
        setattr(type(self), moment, type(self).fail)
        for each in ("on_start", "on_step", "on_log", "on_validation", "on_end", "on_test"):
            if each != moment:
                setattr(type(self), each, getattr(Hooks, each))

    def fail(self, *args: Any) -> None:
        raise LookupError("nothing there")


class _FailingCallback(Callback):
    moment: str = "on_step"

    def build(self) -> Hooks:
        return _FailingHooks(self.moment)


@pytest.mark.parametrize("moment", ["on_start", "on_step", "on_log", "on_validation", "on_end", "on_test"])
def test_a_callback_that_fails_is_named(moment, go, failed, left, capsys):
    run = Default(
        model=Mlp(hidden_sizes=(8,)),
        data=Digits(batch_size=128),
        callbacks={"mine": _FailingCallback(moment=moment)},
        steps=12,
    )
    error = failed(lambda: go("run", of=run))
    on = ON if moment in ("on_log", "on_end", "on_test") else NONE
    assert str(error) == f"callbacks.mine failed in {moment}: LookupError: nothing there{TRACE}{on}"
    assert error.status == 1
    assert "LookupError: nothing there\n\nThe above exception was the direct cause" in capsys.readouterr().err
    assert left(Path("run")).summary["state"] == "failed"
    assert left(Path("run")).summary["reason"] == f"callbacks.mine failed in {moment}: LookupError: nothing there"


class _WordHooks(Hooks):
    def on_log(self, training: Any, metrics: dict[str, Any]) -> None:
        metrics["mood"] = torch.tensor(1.0)


class _Word(Callback):
    def build(self) -> Hooks:
        return _WordHooks()


def test_a_metric_that_is_no_number_is_named(go, failed):
    run = Default(model=Mlp(hidden_sizes=(8,)), data=Digits(batch_size=128), callbacks={"mine": _Word()}, steps=12)
    error = failed(lambda: go("run", of=run))
    assert str(error) == f"callbacks.mine made the metric mood a Tensor, and must give an int or a float{TRACE}{ON}"


class _FailingWriter(Writer):
    def __init__(self, at: str) -> None:
        self.at, self.count = at, 0

    def resume(self, step: int) -> None:
        if self.at == "resume":
            raise ConnectionError("no route")

    def write(self, record: Record) -> None:
        self.count += 1
        if self.at == "write" and self.count >= 2:
            raise ConnectionError("no route")

    def close(self, state: State) -> None:
        if self.at == "close":
            raise ConnectionError("no route")


class _FailingLogger(Logger):
    at: str = "write"

    def build(self, folder: Path) -> Writer:
        return _FailingWriter(self.at)


@pytest.mark.parametrize("at", ["resume", "write", "close"])
def test_a_logger_that_fails_is_reported_once_and_the_run_goes_on(at, go, capsys):
    small = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128), "epochs": 2, "log_every": 2}
    run = go("run", of=Default(**small, logger={"mine": _FailingLogger(at=at)}))
    told = "logger.mine failed and is left out from here: ConnectionError: no route"
    assert capsys.readouterr().out.splitlines().count(told) == 1
    assert run.log.splitlines().count(told) == 1
    assert run.summary["state"] == "finished"
    assert run.metrics == go("plain", of=Default(**small)).metrics


def test_the_thread_of_a_logger_that_cannot_even_be_reported_does_not_hang(here):
    def report(text: str) -> None:
        raise OSError(28, "No space left on device")

    thread = Thread(JsonLines(here / "metrics.jsonl"), report)
    thread.start(0, {"mine": lambda: _FailingWriter("write")})
    for step in range(3):
        thread.put({"step": step})
    with pytest.raises(OSError, match="No space left"):
        thread.flush()
    thread.close("failed")


def test_a_failed_run_among_several_is_told_and_the_others_go_on(here, shell):
    said = shell("-m", "model=mlp", "steps=2", "accumulate=1,1000")
    assert said.status == 1
    why = "accumulate=1000: 1000 batches of 32 are more than the 1258 training images"
    assert said.out.splitlines()[-4:] == [
        "no.  accumulate  result",
        f"---  ----------  {'-' * len(f'failed: {why}')}",
        f"0    1           {said.out.split('test accuracy ')[1][:6]}",
        f"1    1000        failed: {why}",
    ]
    assert said.err == f"{why}\n  nearest: accumulate=39\n1 of 2 runs failed\n"


def test_all_errors_are_of_one_family():
    assert all(issubclass(each, RunError) for each in (Diverged, Interrupted, Unreadable))
