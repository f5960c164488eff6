"""What runs on the first node of a job: it starts the job's trials, and writes down how each of them stands.

It ends well whatever its trials do, so that a trial that is killed is told from one that was preempted.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import IO

from cn import RunError
from cn.errors import lines
from cn.screen import say
from runs._folder import tell
from runs._state_files import DamagedError, clear, set_aside
from runs.launch._processes import Part, free_port
from runs.launch._queue import Here, Queue, Why
from sweeps import _child, _snapshot
from sweeps._child import Child, Ended, chosen
from sweeps._nodes import Others, end_together
from sweeps._notes import Notes, add, complain
from sweeps._standing import stopped
from sweeps._store import BEGUN, LOG, Batch, Store, Trial
from sweeps._trial import run_trial

CLAIM = 60  # s that an earlier process may take to end
LATE = 2.0  # s that a signal may take to this process which has ended a trial's


class Leader:
    """Runs its trials, some at once, until all are over or it is asked to end."""

    def __init__(self, store: Store, batch: Batch, queue: Queue, here: Here, others: Others, *, show: bool) -> None:
        self.store, self.batch, self.queue, self.here, self.others = store, batch, queue, here, others
        self.snapshot = store.folder / "code" / batch.snapshot
        self.notes = Notes(store, batch, here)
        self.show = show and len(here.environments) == 1  # the terminal is one trial's at a time
        self.told = show
        self.todo = deque(trial for job in batch.jobs for trial in job)
        self.count = len(self.todo)
        self.fresh = True  # none of its trials is over
        self.children: list[Child] = []
        self.signal: int | None = None
        self.why: Why | None = None

    def run(self) -> int:
        """The exit status: 0 where all is written down, else that of the signal which ended it.

        CNError where none of its trials can be begun.
        """
        woken = _child.woken(self._note)
        with self.others.door():
            while self.others.missing() and self.signal is None:
                self._wait(woken)
        _snapshot.refuse_damaged(self.snapshot)
        _snapshot.verify(self.snapshot)
        while True:
            self._start()
            if not self.children:
                break
            self._wait(woken)
            if self.signal is not None and self.why is None:
                self._stop()
            for child in list(self.children):
                if child.status is None:
                    child.status = _child.ended(child.pid)
                if child.status is not None and self.others.over:
                    self.children.remove(child)
                    here = Ended(child.status, _child.answer(child.pipe), child.killed)
                    self._over(child, [here, *self.others.elsewhere()])
                elif self.others.nodes > 1:
                    end_together(child, self.others)
        if self.signal is not None and self.why is None:  # it came while nothing ran
            self._stop()
        signal.set_wakeup_fd(-1)
        return self._end()

    def refuse(self, reason: str) -> None:
        """None of its trials can be begun any more."""
        while self.todo:
            self.notes.refuse(self.todo.popleft(), reason)

    def _wait(self, woken: int) -> None:
        """Until a child has ended, a signal has come, or another node has said something."""
        select.select([woken, *self.others.sockets()], [], [], 1 if self.others.nodes > 1 else 5)
        while _child.read(woken):
            pass
        self.others.listen()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        if self.signal is not None and self.here.index is None:  # SLURM may well send it twice, and kills by itself
            for child in list(self.children):
                _child.kill_group(child.pid)
        self.signal = self.signal or number

    def _start(self) -> None:
        free = set(range(len(self.here.environments))) - {child.slot for child in self.children}
        while self.todo and free and self.signal is None:
            if self._is_stopped():
                self.todo.clear()
                break
            if self.others.lost:
                self.refuse(self.others.lost)
                break
            trial = self.todo.popleft()
            if self.notes.is_over(trial):
                continue
            try:
                self._fork(trial, free.pop())
            except OSError as error:  # a full disk: what is said here is in the job's own output
                complain(f"{trial.id} cannot be started: {error}")

    def _is_stopped(self) -> bool:
        """Whether so many trials of the same code have failed alike that no other is started."""
        with suppress(DamagedError):  # `status` tells of it
            stop = stopped(self.store)
            return stop is not None and stop.code == self.batch.code
        return False

    def _fork(self, trial: Trial, slot: int) -> None:
        folder = self.store.at(trial)
        report = self.notes.begins(trial)
        if os.path.lexists(folder) and not folder.is_dir():
            set_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        clear(folder / LOG)
        log = (folder / LOG).open("ab")
        if not _claim(log):
            reason = f"another process has run it for {CLAIM} s and has not ended"
            self.notes.write(trial, replace(report, state="failed", reason=reason))
            return
        if self.notes.is_over(trial):  # by that other process
            return
        self.notes.write(trial, report)
        if self.told:
            say(" ".join([f"[{self._number(trial)}/{self.count}]", *trial.words]))
        resumes = any(os.path.lexists(folder / name) for name in BEGUN)
        count, part = self.queue.processes, None
        if self.others.nodes > 1:
            part = Part(0, count * self.others.nodes, "127.0.0.1", free_port(""))
        pid, pipe = _child.fork(
            lambda answer: run_trial(
                self.batch,
                trial,
                folder,
                self.snapshot,
                environment=self.here.environments[slot],
                output=None if self.show else log.fileno(),
                answer=answer,
                resumes=resumes,
                processes=count,
                part=part,
            )
        )
        if part is not None:
            self.others.begin(trial.id, port=part.port, resumes=resumes)
        self.children.append(Child(trial, pid, report, log, pipe, slot, whole=self.fresh))

    def _stop(self) -> None:
        """The children save first, for there may be little time; why it is asked for comes after."""
        for child in self.children:
            if child.status is None:
                os.kill(child.pid, signal.SIGTERM)
        named: dict[int | None, Why] = {signal.SIGUSR2: "time", signal.SIGINT: "cancelled"}
        self.why = named.get(self.signal) or self.queue.why()
        if self.why == "cancelled" and self.here.index is None:
            self.notes.down(lambda: self.store.set_over(self.batch.label))  # what has not begun is cancelled too

    def _over(self, child: Child, parts: list[Ended]) -> None:
        """Write down how a trial ended: on this node, which is the first, and on the others."""
        came = chosen(parts)
        _child.kill_group(child.pid)
        self.fresh = False
        if came.status in (143, -signal.SIGTERM):
            end = time.monotonic() + LATE
            while self.signal is None and time.monotonic() < end:
                time.sleep(0.05)
        seconds = child.report.seconds + time.time() - child.report.started
        report = replace(child.report, seconds=seconds, status=came.status)
        if "value" in came.answer and came.status == 0:
            report = replace(report, state="done", value=came.answer["value"])
        elif self.signal is not None and (came.stopped or came.status == -signal.SIGKILL or not came.knows):
            if self.why is None:
                self._stop()
            report = self.notes.interrupted(child.trial, report, self.why, whole=child.whole)
        else:
            report = replace(report, state="failed", reason=came.reason)
            self.notes.down(lambda: self.notes.count(report, came.answer))
            if came is not parts[0] or "lost" in came.answer:  # what the first node's own process did not know
                advice = parts[0].answer.get("lost", "").split("\n  ")[1:]
                self.notes.down(lambda: add(child.log, lines(came.reason, *advice)))
                tell(self.store.at(child.trial), "failed", came.reason)
        self.notes.write(child.trial, report)
        child.log.close()
        if self.told and not self.show:
            shown = f"{report.value:.4f}" if isinstance(report.value, float) else report.value
            what = f"failed: {report.reason}" if report.state == "failed" else report.reason or shown
            say(f"[{self._number(child.trial)}/{self.count}] {what}")
        if self.todo and self.signal is None:
            _child.share(parts[0].answer.get("modules", []))

    def _end(self) -> int:
        waiting = self.notes.waiting()
        if self.why in ("preempted", "time") and (waiting or self.todo):
            try:
                self.queue.requeue()
            except RunError as error:
                for trial in waiting:
                    self.notes.lost(trial, error)
        return 0 if self.signal is None or self.why not in ("cancelled", "unknown") else 128 + self.signal

    def _number(self, trial: Trial) -> int:
        return 1 + [each.id for job in self.batch.jobs for each in job].index(trial.id)


def _claim(log: IO[bytes]) -> bool:
    """Whether the trial is ours alone; the process of an earlier attempt may be about to end."""
    end = time.monotonic() + CLAIM
    while True:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        else:
            return True
