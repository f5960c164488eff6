"""The metrics of a run in metrics.jsonl, and in other places with the same values."""

from __future__ import annotations

import csv
import json
import queue
import signal
import threading
import time
from pathlib import Path

import pytest

import runs.logger._thread
from cn.run_folder.metrics import Record, read
from runs._curves import curves, draw
from runs.logger._csv import CsvWriter
from runs.logger._thread import Thread
from runs.logger._writer import JsonLines, Writer
from tests.runs.conftest import WAIT
from tests.slides import assert_fit_for_a_slide


def table(folder: Path) -> list[dict[str, float]]:
    """metrics.csv as the records that it came from."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if v != ""} for row in csv.DictReader(file)]


def test_csv_has_the_values_of_metrics_jsonl_to_the_last_digit(go):
    run = go("run", "logger=csv", "callbacks=learning_rate", "epochs=2", "log_every=4")
    assert table(run.folder) == run.metrics
    assert (run.folder / "metrics.csv").read_text().splitlines()[0] == (
        "step,epoch,train/loss,lr,validation/loss,validation/accuracy"
    )


@pytest.mark.parametrize("at", [4, 9, 13])
def test_csv_has_them_after_a_resume_too(go, failed, after_step, at):
    """Columns that came before the stop, and ones that come after: at step 4 there was no validation yet."""
    words = ("logger=csv", "callbacks=learning_rate", "epochs=2", "log_every=4")
    whole = go("whole", *words)
    after_step(at, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", *words))
    run = go(source="run")
    assert table(run.folder) == run.metrics == whole.metrics
    assert (run.folder / "metrics.csv").read_bytes() == (whole.folder / "metrics.csv").read_bytes()


def test_csv_gives_earlier_rows_an_empty_cell_for_a_column_that_appears_later(here):
    writer = CsvWriter(here / "metrics.csv")
    for record in ({"step": 1, "a": 0.1}, {"step": 2, "b": 1e-300}, {"step": 3, "a": 3.0, "b": 4.0, "c,d": -0.0}):
        writer.write(record)
    assert (here / "metrics.csv").read_text().splitlines() == [
        'step,a,b,"c,d"',
        "1,0.1,,",
        "2,,1e-300,",
        "3,3.0,4.0,-0.0",
    ]
    assert not list(here.glob(".*"))


@pytest.mark.parametrize("tail", ["", "4", "4,0.", "4,0.5,", "4,0.5,1"], ids=str)
def test_a_row_that_was_cut_short_is_left_out(here, tail):
    path = here / "metrics.csv"
    path.write_text(f"step,a,b\r\n1,0.5,1\r\n2,0.25,2\r\n3,0.125,3\r\n{tail}")
    writer = CsvWriter(path)
    writer.resume(30)
    writer.write({"step": 31, "a": 1.0, "b": 2.0})
    assert path.read_text().splitlines() == ["step,a,b", "1,0.5,1", "2,0.25,2", "3,0.125,3", "31,1.0,2.0"]


@pytest.mark.parametrize("content", ["", "step", "step,a\r\n", "step,a\r\n7,1\r\n"], ids=repr)
def test_a_table_with_no_row_to_keep_begins_anew(here, content):
    (here / "metrics.csv").write_text(content)
    writer = CsvWriter(here / "metrics.csv")
    writer.resume(5)
    writer.write({"step": 6, "b": 1.0})
    assert (here / "metrics.csv").read_text().splitlines() == ["step,b", "6,1.0"]


def test_json_lines_leaves_out_a_last_line_that_was_cut_short(here):
    path = here / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 0.5}\n{"step": 2, "a": 0.')
    assert read(path) == [{"step": 1, "a": 0.5}]
    JsonLines(path).resume(9)
    JsonLines(path).write({"step": 3, "a": 1 / 3})
    assert path.read_text() == '{"step": 1, "a": 0.5}\n{"step": 3, "a": 0.3333333333333333}\n'


def test_json_lines_forgets_what_comes_after_a_checkpoint(here):
    path = here / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in (1, 2, 2, 3)))
    JsonLines(path).resume(2)
    assert [each["step"] for each in read(path)] == [1, 2, 2]


class _Slow(Writer):
    """Writes nothing until it is let."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.threads: set[str] = set()
        self.let = threading.Event()

    def write(self, record: Record) -> None:
        assert self.let.wait(WAIT)
        self.threads.add(threading.current_thread().name)
        self.records.append(record)


def test_putting_does_not_wait_and_flushing_does():
    slow = _Slow()
    thread = Thread(slow, print)
    thread.start(0, {})
    for step in range(10):
        thread.put({"step": step})
    assert slow.records == []
    threading.Timer(0.05, slow.let.set).start()
    thread.flush()
    assert [each["step"] for each in slow.records] == list(range(10))
    assert slow.threads == {"metrics"}
    thread.put({"step": 10})
    thread.close("finished")
    assert len(slow.records) == 11


class _Rests(threading.Event):
    """Tells when the writer thread has begun to rest, and whether somebody ended it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.ended: list[bool] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.begun.put(None)
        self.ended.append(super().wait(timeout))
        return self.ended[-1]


def test_records_are_written_together_after_a_rest_that_a_flush_ends(monkeypatch):
    monkeypatch.setattr(runs.logger._thread, "REST", float(WAIT))
    taker = _Slow()
    taker.let.set()
    thread = Thread(taker, print)
    thread.hurry = rests = _Rests()
    thread.start(0, {})
    thread.put({"step": 0})
    for steps in (range(1, 5), range(5, 9)):
        rests.begun.get(timeout=WAIT)
        for step in steps:
            thread.put({"step": step})
        time.sleep(0.05)
        assert len(taker.records) == steps[0]
        thread.flush()
        assert len(taker.records) == steps[-1] + 1
    thread.put({"step": 9})
    thread.close("finished")
    assert [each["step"] for each in taker.records] == list(range(10))
    assert all(rests.ended)


class _Unflushed(Writer):
    def flush(self) -> None:
        raise ConnectionError("no route")


def test_a_flush_that_fails_and_cannot_be_reported_does_not_hang():
    def report(text: str) -> None:
        raise OSError(28, "No space left on device")

    thread = Thread(Writer(), report)
    thread.start(0, {"mine": _Unflushed})
    with pytest.raises(OSError, match="No space left"):
        thread.flush()
    thread.close("failed")


class _Broken(Writer):
    def __init__(self) -> None:
        self.calls = 0

    def write(self, record: Record) -> None:
        self.calls += 1
        raise OSError(28, "No space left on device")


def test_after_its_own_file_fails_nothing_more_is_written_to_it():
    """A line cut short must stay the last one."""
    broken = _Broken()
    thread = Thread(broken, print)
    thread.start(0, {})
    thread.put({"step": 1})
    with pytest.raises(OSError, match="No space left"):
        thread.flush()
    with pytest.raises(OSError, match="No space left"):
        thread.put({"step": 2})
    thread.records.put({"step": 3})
    thread.close("finished")
    assert broken.calls == 1


def test_closing_a_thread_that_never_started_is_fine():
    Thread(_Slow(), print).close("failed")


def test_the_curves_of_a_run_that_has_none_yet_are_not_drawn(here):
    assert draw(here) is None
    (here / "metrics.jsonl").touch()
    assert draw(here) is None
    assert not (here / "curves.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "records",
    [
        [{"step": 1, "epoch": 1.0, "train/loss": 0.5}],
        [{"step": 1, "epoch": 1.0, "validation/loss": 0.5, "validation/accuracy": 0.5}],
        [{"step": step, "epoch": 1.0, "train/loss": 0.0} for step in range(50)],
        [{"step": 1, "epoch": 1.0, "train/loss": -1.0, "validation/loss": 1e300, "validation/accuracy": 1.0}],
        [{"step": 1, "epoch": 1.0, "mood": 3.0}],
    ],
    ids=["one log", "one validation", "zero", "negative", "neither"],
)
def test_curves_are_drawn_of_whatever_there_is(here, records):
    (here / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    (here / "summary.json").write_text(json.dumps({"command": "python train.py", "state": "running"}))
    path, figure = draw(here), curves(here)
    assert path is not None
    assert figure is not None
    assert_fit_for_a_slide(figure)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_curves_have_a_title_and_a_star_at_the_step_that_was_tested(here):
    steps = [
        {"step": step, "epoch": 1.0, "validation/loss": 1 / step, "validation/accuracy": step / 10}
        for step in (2, 4, 6)
    ]
    (here / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in steps))
    summary = {"command": "python train.py seed=$x", "goal": "maximize validation/accuracy", "best/step": 4}
    (here / "summary.json").write_text(json.dumps({**summary, "state": "finished", "test/accuracy": 0.5}))
    figure = curves(here)
    assert figure is not None
    tested = "test accuracy 0.5000, of the best validation, at step 4"
    assert figure.get_suptitle() == f"python train.py seed=\\$x\n{tested}"
    assert_fit_for_a_slide(figure)
    assert [panel.get_title() for panel in figure.axes] == ["loss", "accuracy"]
    stars = [[line.get_xydata().tolist() for line in panel.lines if line.get_marker() == "*"] for panel in figure.axes]
    assert stars == [[[[4, 0.25]]], [[[4, 0.4]]]]


def test_the_curves_of_a_run_that_goes_on_say_so(here):
    (here / "metrics.jsonl").write_text('{"step": 1, "epoch": 1.0, "train/loss": 0.5}\n')
    (here / "summary.json").write_text(json.dumps({"command": "python train.py", "state": "interrupted", "step": 1}))
    figure = curves(here)
    assert figure is not None
    assert figure.get_suptitle() == "python train.py\ninterrupted at step 1"


def test_no_panel_of_the_curves_is_empty(here):
    (here / "metrics.jsonl").write_text('{"step": 1, "epoch": 1.0, "mood": 3.0}\n')
    figure = curves(here)
    assert figure is not None
    assert [(panel.get_title(), len(panel.lines)) for panel in figure.axes] == [("mood", 1)]
