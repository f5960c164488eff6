"""A logger that fails, in whatever way, is reported once, and the run and the other loggers go on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from cn import Job, UserError
from cn.run_folder.metrics import Record, read
from data.digits import Digits
from models.mlp import Mlp
from runs._request import asked
from runs.default import Default
from runs.logger import Logger
from runs.logger._thread import Thread
from runs.logger._writer import JsonLines, State, Writer
from runs.logger.csv import Csv
from runs.logger.tensorboard import Tensorboard


class Failing(Writer):
    def __init__(self, where: str, error: BaseException) -> None:
        self.where, self.error = where, error

    def _at(self, where: str) -> None:
        if where == self.where:
            raise self.error

    def resume(self, step: int) -> None:
        self._at("resume")

    def write(self, record: Record) -> None:
        self._at("write")

    def result(self, result: dict[str, Any]) -> None:
        self._at("result")

    def flush(self) -> None:
        self._at("flush")

    def close(self, state: State) -> None:
        self._at("close")


class Own(Logger):
    how: Any = None

    def build(self, folder: Path) -> Writer:
        return HOW[self.how](folder)

    def packages(self) -> tuple[str, ...]:
        return tuple(PACKAGES)


HOW: dict[str, Any] = {}
PACKAGES: list[str] = []


def run(**loggers: Logger) -> Default:
    small = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128), "epochs": 2, "log_every": 4}
    return Default(**small, logger={"mine": Own(how="it"), "csv": Csv(), **loggers})


@pytest.fixture
def whole(go: Any) -> Any:
    """A run with a logger that writes nothing."""
    HOW["it"] = lambda folder: Writer()
    return go("whole", of=run())


def check(done: Any, whole: Any, told: str) -> None:
    assert [line for line in done.log.splitlines() if "logger" in line] == [told]
    assert done.summary["state"] == "finished"
    assert done.metrics == whole.metrics
    assert (done.folder / "metrics.csv").read_bytes() == (whole.folder / "metrics.csv").read_bytes()


ERRORS = {
    "OSError: [Errno 5] broken": OSError(5, "broken"),
    "ValueError: one": ValueError("one\ntwo\nthree"),
    "RuntimeError": RuntimeError(),
    "SystemExit: 1": SystemExit(1),
    "UserError: mine": UserError("mine\n  and more"),
}


@pytest.mark.parametrize("where", ["build", "resume", "write", "flush", "result", "close"])
@pytest.mark.parametrize("told", ERRORS)
def test_wherever_it_fails(where, told, go, whole):
    def build(folder: Path) -> Writer:
        if where == "build":
            raise ERRORS[told]
        return Failing(where, ERRORS[told])

    HOW["it"] = build
    check(go("run", of=run()), whole, f"logger.mine failed and is left out from here: {told}")


def test_one_that_gives_no_writer(go, whole):
    HOW["it"] = lambda folder: None
    why = "AttributeError: 'NoneType' object has no attribute 'resume'"
    check(go("run", of=run()), whole, f"logger.mine failed and is left out from here: {why}")


def test_one_that_takes_the_records_apart_takes_them_from_nobody(go, whole):
    class Clearing(Writer):
        def write(self, record: Record) -> None:
            record.clear()

    HOW["it"] = lambda folder: Clearing()
    done = go("run", of=run())
    assert (done.folder / "metrics.csv").read_bytes() == (whole.folder / "metrics.csv").read_bytes()


def test_on_its_thread_it_interrupts_nobody(tmp_path):
    said: list[str] = []
    thread = Thread(JsonLines(tmp_path / "metrics.jsonl"), said.append)
    thread.start(0, {"mine": lambda: Failing("write", KeyboardInterrupt())})
    for step in (1, 2):
        thread.put({"step": step})
    thread.flush()
    thread.close("finished")
    assert [each["step"] for each in read(tmp_path / "metrics.jsonl")] == [1, 2]
    assert said == ["logger.mine failed and is left out from here: KeyboardInterrupt"]


def test_a_file_that_is_taken_away_while_it_is_written(go, after_step):
    """The folder of the table, which then cannot be written; metrics.jsonl is the run's own and elsewhere."""

    class Elsewhere(Logger):
        def build(self, folder: Path) -> Writer:
            Path("apart").mkdir()
            return Csv().build(Path("apart"))

    after_step(6, lambda: shutil.rmtree("apart"))
    done = go("run", of=run(mine=Elsewhere()))
    reported = [re.sub(r"csv\.\d+", "csv.THREAD", line) for line in done.log.splitlines() if "logger" in line]
    assert reported == [
        "logger.mine failed and is left out from here: "
        "FileNotFoundError: [Errno 2] No such file or directory: 'apart/.metrics.csv.THREAD'"
    ]
    assert len(done.metrics) == 7


def test_a_folder_that_takes_no_events(go):
    """Where the name of TensorBoard's folder is that of a file."""
    pytest.importorskip("tensorboard")

    class Blocked(Tensorboard):
        def build(self, folder: Path) -> Any:
            Path("file").touch()
            return Tensorboard().build(Path("file/events"))

    done = go("run", of=run(mine=Blocked()))
    reported = [line for line in done.log.splitlines() if "logger" in line]
    assert len(reported) == 1
    assert reported[0].startswith("logger.mine failed and is left out from here: ")
    assert done.summary["state"] == "finished"


@pytest.mark.parametrize(("package", "told"), [("absent.part", "absent.part"), ("absent", "absent")])
def test_a_package_that_is_not_there(package, told, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGES", [package])
    with pytest.raises(UserError) as refused:
        asked(run(), Job())
    assert str(refused.value).splitlines()[0] == f"logger.mine: {told} is not installed"
