"""Writers of metrics, and the thread that feeds them so that training never waits for a file."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from pathlib import Path

Record = dict[str, float]  # metrics by name, and with them `step` and `epoch`


class Writer:
    """One place that metrics go to; called on the writer thread only, after `resume`."""

    def resume(self, step: int) -> None:
        """Forget what was written after this step: the run goes on from there."""

    def write(self, record: Record) -> None:
        """Take one record."""

    def close(self) -> None:
        """No more records come."""


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
        self.records: queue.SimpleQueue[Record | threading.Event | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def start(self, step: int, others: dict[str, Writer]) -> None:
        """Begin, with all that was written after `step` forgotten."""
        self.others = dict(others)
        self.own.resume(step)
        for name in list(self.others):
            self._try(name, lambda name=name: self.others[name].resume(step))
        self.thread.start()

    def put(self, record: Record) -> None:
        """Take a record and return at once; raises what an earlier one of the run's own file met."""
        self._check()
        for name, value in record.items():
            if not isinstance(value, (int, float)):
                raise TypeError(f"the metric {name} is a {type(value).__name__}, and must be an int or a float")
        self.records.put(record)

    def flush(self) -> None:
        """Wait until all that was put is written."""
        done = threading.Event()
        self.records.put(done)
        while self.thread.is_alive() and not done.wait(1):
            pass
        self._check()

    def close(self) -> None:
        """Write what is left and end the thread."""
        if self.thread.is_alive():
            self.records.put(None)
            self.thread.join()
        for name in list(self.others):
            self._try(name, self.others[name].close)

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        while (record := self.records.get()) is not None:
            if isinstance(record, threading.Event):
                record.set()
                continue
            try:
                if self.error is None:
                    self.own.write(record)
                for name in list(self.others):
                    self._try(name, lambda name=name, record=record: self.others[name].write(record))
            except Exception as error:  # the loop raises it
                self.error = self.error or error

    def _try(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            del self.others[name]
            self.report(f"logger.{name} failed and is left out from here: {type(error).__name__}: {error}")
