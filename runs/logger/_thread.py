"""Writer threads for metrics, so that training waits neither for files nor for a hanging server."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from cn.run_folder.metrics import Record
from cn.run_folder.status import RunStatus
from runs.logger._writer import State, Writer

REST = 0.1  # s between writes: each wake-up costs the training thread about 0.2 ms
# timeouts of a logger, in seconds
STARTING = 30.0  # to start, before the first step: importing MLflow and creating tables takes 10 s on a busy machine
SOON = 5.0  # for a flush at a checkpoint, and to close after an interruption: SLURM allows 30 s
ENDING = 60.0  # for each single action at the end of a run
HANGS = 300.0  # for each single action during training; MLflow itself gives up after 240 s, with a reason

Told = Callable[[Writer], None]


class Thread:
    """Passes records to the run's own writer on one thread, and to each logger on a thread of its own.

    If the own writer fails, the next record raises the error, and nothing further is written. A logger that fails, or
    hangs, is reported once and dropped.
    """

    def __init__(self, own: Writer, report: Callable[[str], None]) -> None:
        self.own, self.report = own, report
        self.others: dict[str, Lane] = {}
        self.leaving = threading.RLock()
        self.error: Exception | None = None
        self.records: queue.SimpleQueue[Record | Told | threading.Event | None] = queue.SimpleQueue()
        self.hurry = threading.Event()  # a caller waits for the queue
        self.thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def start(self, step: int, others: dict[str, Callable[[], Writer]]) -> None:
        """Start the threads and discard records after `step`; `others` builds the loggers' writers."""
        self.own.resume(step)
        self.others = {name: Lane(name, build, self._failed) for name, build in others.items()}
        for lane in list(self.others.values()):
            lane.thread.start()
        self._ask(STARTING, lambda writer: writer.resume(step))
        self.thread.start()

    def put(self, record: Record) -> None:
        """Queue a record without waiting; raises the error of an earlier write to the run's own file."""
        self._check()
        for name, value in record.items():
            if not isinstance(value, (int, float)):
                raise TypeError(f"the metric {name} is a {type(value).__name__}, and must be an int or a float")
        self.records.put(record)

    def leave(self, record: Record) -> None:
        """Write a record only to the run's own file: a resumed run will discard it, which some loggers cannot."""
        self.flush()
        self.own.write(record)

    def show(self, name: str, shown: Any, step: int) -> None:
        """Queue a picture `h w 3` of bytes, or a text, for the loggers without waiting."""
        if isinstance(shown, str):
            self.records.put(lambda writer: writer.text(name, shown, step))
        else:
            self.records.put(lambda writer: writer.picture(name, shown, step))

    def finish(self, result: dict[str, Any]) -> None:
        """Queue the run's result for the loggers."""
        self.records.put(lambda writer: writer.result(result))

    def flush(self) -> None:
        """Wait until all records are in the run's own file, and in the loggers that do not hang."""
        done = threading.Event()
        self.hurry.set()
        self.records.put(done)
        while self.thread.is_alive() and not done.wait(1):
            pass
        self._ask(SOON, lambda writer: writer.flush())
        self._check()
        self.own.flush()

    def close(self, state: State) -> None:
        """Write the remaining records and end the threads; a hanging thread ends with the process."""
        if self.thread.is_alive():
            self.hurry.set()
            self.records.put(None)
            self.thread.join()
        one = state != RunStatus.INTERRUPTED  # each pending action may take up to ENDING
        most = ENDING if one else SOON
        for name in self._ask(most, lambda writer: writer.close(state), one=one):
            self._leave_late(name, most)
        for lane in list(self.others.values()):
            lane.end()

    def _ask(self, most: float, action: Told, *, one: bool = False) -> list[str]:
        """Let all loggers run an action, and wait; return those that time out.

        one: the timeout applies to each pending action, not to all together.
        """
        end = math.inf if one else time.monotonic() + most
        asked = [(name, lane, lane.ask(action)) for name, lane in list(self.others.items())]
        return [name for name, lane, done in asked if not lane.wait(done, most, end)]

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        while (item := self.records.get()) is not None:
            if isinstance(item, threading.Event):
                self.hurry.clear()
                item.set()
            elif callable(item):
                self._tell(item)
            else:
                self._write(item)
            if self.records.empty():
                self.hurry.wait(REST)

    def _write(self, record: Record) -> None:
        try:
            if self.error is None:
                self.own.write(record)
        except Exception as error:  # the loop raises it
            self.error = error
        self._tell(lambda writer: writer.write(dict(record)))

    def _tell(self, action: Told) -> None:
        for name, lane in list(self.others.items()):
            lane.todo.put(action)
            if lane.busy() > HANGS:
                self._leave_late(name, HANGS)

    def _failed(self, name: str, error: BaseException) -> None:
        told = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".removesuffix(": ")
        self._leave(name, f"failed and is left out from here: {told}")

    def _leave_late(self, name: str, most: float) -> None:
        if (lane := self.others.get(name)) is not None:
            stuck = lane.busy() > most / 2  # one action took most of the timeout
            late = f"has not answered for {lane.busy():.0f} seconds" if stuck else "is far behind"
            self._leave(name, f"{late} and is left out from here")

    def _leave(self, name: str, why: str) -> None:
        with self.leaving:
            if name in self.others:
                try:
                    self.report(f"logger.{name} {why}")
                except Exception as error:  # a full disk, which the loop reports
                    self.error = self.error or error
                self.others.pop(name).end()


class Lane:
    """A logger's writer on its own thread, which runs actions in order."""

    def __init__(self, name: str, build: Callable[[], Writer], failed: Callable[[str, BaseException], None]) -> None:
        self.todo: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self.hurry = threading.Event()  # a caller waits for the queue
        self.since: float | None = time.monotonic()  # start of the current action; None: idle
        self.ended = False
        self.thread = threading.Thread(target=self._serve, args=(name, build, failed), name=name, daemon=True)

    def busy(self) -> float:
        """Return the duration of the current action in seconds."""
        since = self.since
        return 0.0 if since is None else time.monotonic() - since

    def ask(self, action: Told) -> threading.Event:
        """Queue an action to run soon; return an event that is set when it is done."""
        done = threading.Event()

        def do(writer: Writer) -> None:
            self.hurry.clear()
            action(writer)
            done.set()

        self.hurry.set()
        self.todo.put(do)
        return done

    def wait(self, done: threading.Event, most: float, end: float) -> bool:
        """Wait until the event is set or the thread ends; False if an action takes `most` s, or at time `end`."""
        while self.thread.is_alive() and self.busy() < most and time.monotonic() < end:
            if done.wait(0.1):
                return True
        return done.is_set() or not self.thread.is_alive()

    def end(self) -> None:
        """End the thread after its current action; remaining actions are dropped."""
        self.ended = True
        self.hurry.set()
        self.todo.put(None)

    def _serve(self, name: str, build: Callable[[], Writer], failed: Callable[[str, BaseException], None]) -> None:
        """Run actions; an error, even SystemExit from a library, drops only this logger."""
        try:
            writer = build()
            while not self.ended:
                self.since = None
                if self.todo.empty():
                    self.hurry.wait(REST)
                action = self.todo.get()
                self.since = time.monotonic()
                if action is not None:
                    action(writer)
        except BaseException as error:
            failed(name, error)
