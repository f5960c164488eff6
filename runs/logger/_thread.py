"""The threads that metrics are written on, so that training waits for no file, and for no server that hangs."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from runs.logger._writer import Record, State, Writer

REST = 0.1  # seconds between writings: the training thread loses some 0.2 ms each time that it wakes one of these
# seconds after which, of a logger,
STARTING = 30.0  # the first step does not wait for it: to import MLflow and make its tables takes 10 on a busy machine
SOON = 5.0  # a checkpoint does not wait for all it has to do, and a run that was stopped leaves it out: SLURM gives 30
ENDING = 60.0  # a run that ended does not wait for one thing that it does, and leaves it out
HANGS = 300.0  # training does not, and leaves it out; MLflow gives up by itself after 240, and says why

Told = Callable[[Writer], None]


class Thread:
    """Hands records to the writer of the run's own file on one thread, and to each logger's on another.

    Where the own one fails, the loop is told at its next record, and nothing is written after what failed. A logger
    that fails, or does not answer, is reported once and left out from then on.
    """

    def __init__(self, own: Writer, report: Callable[[str], None]) -> None:
        self.own, self.report = own, report
        self.others: dict[str, Lane] = {}
        self.leaving = threading.RLock()
        self.error: Exception | None = None
        self.records: queue.SimpleQueue[Record | Told | threading.Event | None] = queue.SimpleQueue()
        self.hurry = threading.Event()  # somebody waits for what is in the queue
        self.thread = threading.Thread(target=self._serve, name="metrics", daemon=True)

    def start(self, step: int, others: dict[str, Callable[[], Writer]]) -> None:
        """Begin, with all that was written after `step` forgotten; `others` are what makes the other writers."""
        self.own.resume(step)
        self.others = {name: Lane(name, build, self._failed) for name, build in others.items()}
        for lane in list(self.others.values()):
            lane.thread.start()
        self._ask(STARTING, lambda writer: writer.resume(step))
        self.thread.start()

    def put(self, record: Record) -> None:
        """Take a record and return at once; raises what an earlier one of the run's own file met."""
        self._check()
        for name, value in record.items():
            if not isinstance(value, (int, float)):
                raise TypeError(f"the metric {name} is a {type(value).__name__}, and must be an int or a float")
        self.records.put(record)

    def leave(self, record: Record) -> None:
        """Write what a run that goes on will forget into its own file alone: not every logger can forget."""
        self.flush()
        self.own.write(record)

    def show(self, name: str, image: Any, step: int) -> None:
        """Take a picture for the loggers, an array `h w 3` of bytes, and return at once."""
        self.records.put(lambda writer: writer.picture(name, image, step))

    def finish(self, result: dict[str, Any]) -> None:
        """Take what came of the run, for the loggers."""
        self.records.put(lambda writer: writer.result(result))

    def flush(self) -> None:
        """Wait until all that was put is in the run's own file, and with the loggers that are not stuck."""
        done = threading.Event()
        self.hurry.set()
        self.records.put(done)
        while self.thread.is_alive() and not done.wait(1):
            pass
        self._ask(SOON, lambda writer: writer.flush())
        self._check()

    def close(self, state: State) -> None:
        """Write what is left and end the threads; one that is stuck ends with the process."""
        if self.thread.is_alive():
            self.hurry.set()
            self.records.put(None)
            self.thread.join()
        one = state != "interrupted"  # it may have much to do, and do it
        most = ENDING if one else SOON
        for name in self._ask(most, lambda writer: writer.close(state), one=one):
            self._leave_late(name, most)
        for lane in list(self.others.values()):
            lane.end()

    def _ask(self, most: float, action: Told, *, one: bool = False) -> list[str]:
        """Have all loggers do something, and wait until they have; those that take longer.

        one: for one of the things that they have to do before, not for all.
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
            stuck = lane.busy() > most / 2  # with one thing, which is most of what it was waited for
            late = f"has not answered for {lane.busy():.0f} seconds" if stuck else "is far behind"
            self._leave(name, f"{late} and is left out from here")

    def _leave(self, name: str, why: str) -> None:
        with self.leaving:
            if name in self.others:
                try:
                    self.report(f"logger.{name} {why}")
                except Exception as error:  # a full disk, which the loop is told of
                    self.error = self.error or error
                self.others.pop(name).end()


class Lane:
    """A logger's writer on a thread of its own, which does one thing after the other."""

    def __init__(self, name: str, build: Callable[[], Writer], failed: Callable[[str, BaseException], None]) -> None:
        self.todo: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self.hurry = threading.Event()  # somebody waits for what is in the queue
        self.since: float | None = time.monotonic()  # when it began with what it is doing; None: nothing
        self.ended = False
        self.thread = threading.Thread(target=self._serve, args=(name, build, failed), name=name, daemon=True)

    def busy(self) -> float:
        """Seconds for which it has been doing one thing."""
        since = self.since
        return 0.0 if since is None else time.monotonic() - since

    def ask(self, action: Told) -> threading.Event:
        """Have something done soon; what is given is set once it is."""
        done = threading.Event()

        def do(writer: Writer) -> None:
            self.hurry.clear()
            action(writer)
            done.set()

        self.hurry.set()
        self.todo.put(do)
        return done

    def wait(self, done: threading.Event, most: float, end: float) -> bool:
        """Until it is set, or can never be; False where one thing takes so many seconds, or at the end of the wait."""
        while self.thread.is_alive() and self.busy() < most and time.monotonic() < end:
            if done.wait(0.1):
                return True
        return done.is_set() or not self.thread.is_alive()

    def end(self) -> None:
        """What is still to do is left, once the thread comes back from what it is doing."""
        self.ended = True
        self.hurry.set()
        self.todo.put(None)

    def _serve(self, name: str, build: Callable[[], Writer], failed: Callable[[str, BaseException], None]) -> None:
        """Whatever a logger does, the run goes on; a library that wants to end the process included."""
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
