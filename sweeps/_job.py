"""python -m sweeps._job FOLDER LABEL      (what a job runs: some trials of a sweep, and how each of them stands)

No torch here: this process starts others, waits, and writes down. It ends well whatever its trials do, so that a
trial that is killed is told from one that was preempted.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

from cn import CNError, RunError
from cn.errors import lines
from cn.record import unplain
from runs.launch import Launch
from runs.launch._processes import GRACE, Part, free_port
from runs.launch._queue import Here, Queue, Why
from sweeps import _child, _snapshot
from sweeps._child import Ended, chosen
from sweeps._follow import follow
from sweeps._nodes import WAIT, Others
from sweeps._standing import stopped
from sweeps._store import LOG, Batch, Report, Store, Trial, write

CLAIM = 60  # s that an earlier process may take to end


@dataclass
class Child:
    """A trial's process."""

    trial: Trial
    pid: int
    report: Report
    log: IO[bytes]  # locked while the process lives
    pipe: int  # from which its answer is read
    slot: int
    whole: bool  # it began with the job, and so has all of its time
    status: int | None = None  # once it has ended
    killed: bool = False  # since the processes of another node had failed
    end: float | None = None  # when it is to be, where the processes of one node have failed
    asked: int = 0  # how often it was


class Job:
    """Runs its trials, some at once, until all are over or it is asked to end."""

    def __init__(self, store: Store, batch: Batch, queue: Queue, here: Here, others: Others, *, show: bool) -> None:
        self.store, self.batch, self.queue, self.here, self.others = store, batch, queue, here, others
        self.snapshot = store.folder / "code" / batch.snapshot
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
        self._gather(woken)
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
                    self._over(
                        child, [Ended(child.status, _child.answer(child.pipe), child.killed), *self._elsewhere()]
                    )
                elif self.others.nodes > 1:
                    self._end_together(child)
        if self.signal is not None and self.why is None:  # it came while nothing ran
            self._stop()
        signal.set_wakeup_fd(-1)
        return self._end()

    def refuse(self, reason: str) -> None:
        """None of its trials can be begun."""
        batch, here = self.batch, self.here
        failed = Report("failed", batch.label, batch.code, here.number, here.host, reason=reason)
        for trial in self.todo:
            if not self._is_over(trial):
                before = self.store.report(trial) or failed
                self.store.at(trial).mkdir(parents=True, exist_ok=True)
                self._write(trial, replace(failed, attempt=before.attempt, seconds=before.seconds))

    def _gather(self, woken: int) -> None:
        """Until all nodes of the job are there, or it is asked to end."""
        end = time.monotonic() + WAIT
        while not self.others.ready and self.signal is None:
            if time.monotonic() > end:
                what = f"{self.others.missing()} of the job did not begin within {WAIT} s"
                raise RunError(lines(what, f"they look for the first at: {', '.join(self.here.first) or 'no address'}"))
            self._wait(woken)
        if self.others.refused:
            raise RunError(self.others.refused[0])

    def _wait(self, woken: int) -> None:
        """Until a child has ended, a signal has come, or another node has said something."""
        select.select([woken, *self.others.sockets()], [], [], 1 if self.others.nodes > 1 else 5)
        while _child.read(woken):
            pass
        self.others.listen()

    def _end_together(self, child: Child) -> None:
        """Where the processes of one node have failed, the others may say so; then they are ended."""
        own = [Ended(child.status)] if child.status is not None else []
        if child.end is None and any(each.failed for each in (*own, *self.others.ended.values())):
            child.end = time.monotonic() + GRACE
        if child.end is None or time.monotonic() < child.end:
            return
        child.end, child.asked = time.monotonic() + GRACE, child.asked + 1
        number = signal.SIGTERM if child.asked == 1 else signal.SIGKILL
        if child.status is None:
            child.killed = True
            with contextlib.suppress(ProcessLookupError):
                (os.kill if number == signal.SIGTERM else os.killpg)(child.pid, number)
        self.others.signal(number)
        if child.asked > 2:
            self.others.drop()

    def _elsewhere(self) -> list[Ended]:
        return [self.others.ended[node] for node in sorted(self.others.ended)]

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
            if (stop := stopped(self.store)) is not None and stop["code"] == self.batch.code:
                self.todo.clear()
                break
            trial = self.todo.popleft()
            if self._is_over(trial):
                continue
            try:
                self._fork(trial, self.store.report(trial), free.pop())
            except OSError as error:  # a full disk: what is said here is in the job's own output
                _say(f"{trial.id} cannot be started: {error}")

    def _is_over(self, trial: Trial) -> bool:
        """Done, or failed in this very batch, which the queue has begun again; what is cancelled is not begun again."""
        report = self.store.report(trial)
        if report is None:
            return False
        return report.state == "done" or (report.state == "failed" and report.label == self.batch.label)

    def _fork(self, trial: Trial, before: Report | None, slot: int) -> None:
        folder = self.store.at(trial)
        report = Report(
            state="running",
            label=self.batch.label,
            code=self.batch.code,
            job=self.here.number,
            host=self.here.host,
            attempt=before.attempt + 1 if before else 1,
            started=time.time(),
            seconds=before.seconds if before else 0.0,
            saved=_saved(folder),
        )
        folder.mkdir(parents=True, exist_ok=True)
        log = (folder / LOG).open("ab")
        if not _claim(log):
            reason = f"another process has run it for {CLAIM} s and has not ended"
            self._write(trial, replace(report, state="failed", reason=reason))
            return
        if self._is_over(trial):  # by that other process
            return
        self._write(trial, report)
        if self.told:
            print(" ".join([f"[{self._number(trial)}/{self.count}]", *trial.words]), flush=True)
        resumes = report.attempt > 1 and (folder / "config.json").exists()
        count, part = self.queue.processes, None
        if self.others.nodes > 1:
            part = Part(0, count * self.others.nodes, "127.0.0.1", free_port(""))
        pid, pipe = _child.fork(
            self.batch,
            trial,
            folder,
            self.snapshot,
            environment=self.here.environments[slot],
            output=None if self.show else log.fileno(),
            resumes=resumes,
            processes=count,
            part=part,
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
            self._note_down(lambda: self.store.set_over(self.batch.label))  # what has not begun is cancelled too

    def _over(self, child: Child, parts: list[Ended]) -> None:
        """Write down how a trial ended: on this node, which is the first, and on the others."""
        came = chosen(parts)
        _child.kill_group(child.pid)
        self.fresh = False
        if came.status in (143, -signal.SIGTERM) and self.signal is None:
            time.sleep(1)  # what ended it may be on its way to this process too
        seconds = child.report.seconds + time.time() - child.report.started
        report = replace(child.report, seconds=seconds, status=came.status)
        if "value" in came.answer and came.status == 0:
            report = replace(report, state="done", value=came.answer["value"])
        elif self.signal is not None and (came.stopped or came.status == -signal.SIGKILL):
            if self.why is None:
                self._stop()
            report = self._interrupted(child, report)
        else:
            report = replace(report, state="failed", reason=came.reason)
            self._note_down(lambda: self._count(report, came.answer))
            if came is not parts[0] or "lost" in came.answer:  # what the first node's own process did not know
                advice = parts[0].answer.get("lost", "").split("\n  ")[1:]
                self._note_down(lambda: _print(child.log, lines(came.reason, *advice)))
        self._write(child.trial, report)
        child.log.close()
        if self.told and not self.show:
            shown = f"{report.value:.4f}" if isinstance(report.value, float) else report.value
            what = f"failed: {report.reason}" if report.state == "failed" else report.reason or shown
            print(f"[{self._number(child.trial)}/{self.count}] {what}", flush=True)
        if self.todo and self.signal is None:
            _child.share(parts[0].answer.get("modules", []))

    def _interrupted(self, child: Child, report: Report) -> Report:
        if self.why not in ("preempted", "requeued", "time"):
            return replace(report, state="cancelled", reason="cancelled")
        if self.why == "time" and child.whole and _saved(self.store.at(child.trial)) == report.saved:
            reason = "its time limit ended it before it had saved anything to go on from"
            return replace(report, state="failed", reason=reason)
        reason = "time limit" if self.why == "time" else "preempted"
        return replace(report, state="waiting", reason=reason)

    def _count(self, report: Report, answer: dict[str, Any]) -> None:
        """The same exception in so many trials stops the rest of the sweep."""
        if self.batch.give_up is None or not answer.get("reason"):
            return
        path = self.store.folder / "failures.jsonl"
        with path.open("a") as file:
            file.write(json.dumps({"code": report.code, "reason": report.reason}) + "\n")
        alike = [json.loads(line) for line in path.read_text().splitlines()]
        alike = [each for each in alike if each == {"code": report.code, "reason": report.reason}]
        if len(alike) >= self.batch.give_up:
            stop = {"reason": report.reason, "count": len(alike), "code": report.code}
            write(self.store.folder / "stop.json", json.dumps(stop) + "\n")

    def _end(self) -> int:
        waiting = [trial for job in self.batch.jobs for trial in job if self._waits(trial)]
        if self.why in ("preempted", "time") and (waiting or self.todo):
            try:
                self.queue.requeue()
            except RunError as error:
                for trial in waiting:
                    report = self.store.report(trial)
                    if report is not None:
                        reason = f"it was interrupted, and could not be queued again: {error}".partition("\n")[0]
                        self._write(trial, replace(report, state="failed", reason=reason))
        return 0 if self.signal is None or self.why not in ("cancelled", "unknown") else 128 + self.signal

    def _waits(self, trial: Trial) -> bool:
        report = self.store.report(trial)
        return report is not None and report.state == "waiting" and report.label == self.batch.label

    def _write(self, trial: Trial, report: Report) -> None:
        self._note_down(lambda: self.store.set_report(trial, report))

    def _note_down(self, write: Callable[[], None]) -> None:
        """A full disk does not end the other trials; what is said of it is in the job's own output."""
        try:
            write()
        except OSError as error:
            _say(f"cannot write to {self.store.folder}: {error}")

    def _number(self, trial: Trial) -> int:
        return 1 + [each.id for job in self.batch.jobs for each in job].index(trial.id)


def _say(text: str) -> None:
    """In the job's own output, which may be on the same full disk."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _print(log: IO[bytes], text: str) -> None:
    """After what the trial itself has printed."""
    log.write(f"{text}\n".encode())
    log.flush()


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


def _saved(folder: Path) -> float | None:
    """When the last checkpoint was written."""
    try:
        return (folder / "last.pt").stat().st_mtime
    except FileNotFoundError:
        return None


def main(words: list[str]) -> int:
    folder, label, *flags = words
    store = Store(Path(folder))
    try:
        launch = unplain(store.head(label).launch)
        assert isinstance(launch, Launch)
        queue = launch.build()
        here = queue.here()
        batch = store.batch(label) if here.index is None else store.one_job(label, here.index)
        if here.index is None:  # each of its jobs is one trial
            here = replace(here, environments=here.environments[: batch.width])
    except FileNotFoundError:
        print(f"{folder} has no batch {label} any more: it was withdrawn before it was submitted")
        return 0
    if here.node > 0:
        return follow(store, batch, queue, here)
    others = Others(here, label, queue.nodes)
    job = Job(store, batch, queue, here, others, show="--show" in flags)
    try:
        _snapshot.verify(job.snapshot)
        return job.run()
    except CNError as error:
        print(error, file=sys.stderr)
        job.refuse(str(error).partition("\n")[0])
        return 1
    finally:
        others.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
