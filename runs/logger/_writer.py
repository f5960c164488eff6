"""Writers of metrics, and the thread that feeds them so that training never waits for a file."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

Record = dict[str, float]  # metrics by name, and with them `step` and `epoch`
State = Literal["finished", "interrupted", "failed"]
REST = 0.1  # seconds between writings: the training thread loses some 0.2 ms each time that it wakes this one


class Writer:
    """One place that metrics go to; called on the writer thread only, between `resume` and `close`."""

    def resume(self, step: int) -> None:
        """Forget what was written after this step: the run goes on from there."""

    def write(self, record: Record) -> None:
        """Take one record."""

    def picture(self, name: str, image: Any, step: int) -> None:
        """Take one picture, an array `h w 3` of bytes; what has no place for it leaves it."""

    def result(self, result: dict[str, Any]) -> None:
        """Take what the summary of a run that was trained and tested says of it."""

    def flush(self) -> None:
        """See to it that what was taken outlives a kill: a checkpoint is about to be saved."""

    def close(self, state: State) -> None:
        """Nothing more comes; `state` is how the run ended."""


Told = Callable[[Writer], None]


class JsonLines(Writer):
    """metrics.jsonl: one JSON object a line, each whole on disk once written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resume(self, step: int) -> None:
        kept = [json.dumps(record) + "\n" for record in read(self.path) if record["step"] <= step]
        partial = self.path.with_name(f".{self.path.name}")
        partial.write_text("".join(kept))
        partial.replace(self.path)

    def write(self, record: Record) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[Record]:
    """The records of a metrics.jsonl; a last line that a kill or a full disk cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]


class Thread:
    """Hands records to writers on a thread of its own.

    The first writer is the run's own: where it fails, the loop is told at its next record, and nothing is written
    after what failed. Another that fails is reported once and left out from then on.
    """

    def __init__(self, own: Writer, report: Callable[[str], None]) -> None:
        self.own, self.report = own, report
        self.others: dict[str, Writer] = {}
        self.error: Exception | None = None
        self.records: queue.SimpleQueue[Record | Told | threading.Event | None] = queue.SimpleQueue()
        self.hurry = threading.Event()  # somebody waits for what is in the queue
        self.thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def start(self, step: int, others: dict[str, Callable[[], Writer]]) -> None:
        """Begin, with all that was written after `step` forgotten; `others` are what makes the other writers."""
        self.own.resume(step)
        for name, build in others.items():
            self._try(name, lambda build=build, name=name: self.others.update({name: build()}))
        self._tell(lambda writer: writer.resume(step))
        self.thread.start()

    def put(self, record: Record) -> None:
        """Take a record and return at once; raises what an earlier one of the run's own file met."""
        self._check()
        for name, value in record.items():
            if not isinstance(value, (int, float)):
                raise TypeError(f"the metric {name} is a {type(value).__name__}, and must be an int or a float")
        self.records.put(record)

    def show(self, name: str, image: Any, step: int) -> None:
        """Take a picture for the other writers, an array `h w 3` of bytes, and return at once."""
        self.records.put(lambda writer: writer.picture(name, image, step))

    def finish(self, result: dict[str, Any]) -> None:
        """Take what came of the run, for the other writers."""
        self.records.put(lambda writer: writer.result(result))

    def flush(self) -> None:
        """Wait until all that was put is written."""
        done = threading.Event()
        self.hurry.set()
        self.records.put(done)
        while self.thread.is_alive() and not done.wait(1):
            pass
        self._check()

    def close(self, state: State) -> None:
        """Write what is left and end the thread."""
        if self.thread.is_alive():
            self.hurry.set()
            self.records.put(None)
            self.thread.join()
        self._tell(lambda writer: writer.close(state))

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        while (item := self.records.get()) is not None:
            try:
                if isinstance(item, threading.Event):
                    self._tell(lambda writer: writer.flush())
                elif callable(item):
                    self._tell(item)
                else:
                    self._write(item)
            except Exception as error:  # the loop raises it
                self.error = self.error or error
            if isinstance(item, threading.Event):
                self.hurry.clear()
                item.set()
            if self.records.empty():
                self.hurry.wait(REST)

    def _write(self, record: Record) -> None:
        if self.error is None:
            self.own.write(record)
        self._tell(lambda writer: writer.write(dict(record)))

    def _tell(self, action: Told) -> None:
        for name, writer in list(self.others.items()):
            self._try(name, lambda writer=writer: action(writer))

    def _try(self, name: str, action: Callable[[], None]) -> None:
        """Whatever a logger does, the run goes on; a library that wants to end the process included."""
        try:
            action()
        except BaseException as error:
            self.others.pop(name, None)
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            told = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".removesuffix(": ")
            self.report(f"logger.{name} failed and is left out from here: {told}")
