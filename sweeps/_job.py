"""python -m sweeps._job FOLDER LABEL      (what a job runs: some trials of a sweep, and how each of them stands)

No torch here: this process starts others, waits, and writes down. It ends well whatever its trials do, so that a
trial that is killed is told from one that was preempted.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import select
import signal
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

from cn import CNError, RunError
from cn.record import unplain
from runs.launch import Launch
from runs.launch._queue import Here, Queue, Why
from sweeps import _snapshot
from sweeps._standing import stopped
from sweeps._store import LOG, Batch, Report, Store, Trial, write
from sweeps._trial import run_trial

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)  # the last: the time limit is near
STOPPED = (143, 130, -signal.SIGTERM, -signal.SIGINT, -signal.SIGKILL)  # how a process ends that was asked to
CLAIM = 60  # s that an earlier process may take to end


@dataclass
class Child:
    """A trial's process."""

    trial: Trial
    report: Report
    log: IO[bytes]  # locked while the process lives
    pipe: int  # from which its answer is read
    slot: int
    whole: bool  # it began with the job, and so has all of its time


class Job:
    """Runs its trials, some at once, until all are over or it is asked to end."""

    def __init__(self, store: Store, batch: Batch, queue: Queue, here: Here, *, show: bool) -> None:
        self.store, self.batch, self.queue, self.here = store, batch, queue, here
        self.show = show and len(here.environments) == 1  # the terminal is one trial's at a time
        self.told = show
        self.todo = deque(trial for job in batch.jobs for trial in job)
        self.count = len(self.todo)
        self.fresh = True  # none of its trials is over
        self.children: dict[int, Child] = {}
        self.signal: int | None = None
        self.why: Why | None = None

    def run(self) -> int:
        """The exit status: 0 where all is written down, else that of the signal which ended it."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (*SIGNALS, signal.SIGCHLD):
            signal.signal(number, self._note)
        while True:
            self._start()
            if not self.children:
                break
            select.select([reading], [], [], 5)  # a child ended, or a signal came
            os.set_blocking(reading, False)
            while _read(reading):
                pass
            if self.signal is not None and self.why is None:
                self._stop()
            for pid in list(self.children):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._over(self.children.pop(pid), pid, os.waitstatus_to_exitcode(status))
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        if self.signal is not None and self.here.index is None:  # SLURM may well send it twice, and kills by itself
            for pid in list(self.children):
                _kill_group(pid)
        self.signal = self.signal or number

    def _start(self) -> None:
        free = set(range(len(self.here.environments))) - {child.slot for child in self.children.values()}
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
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # one that comes now is for the child too
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                run_trial(
                    self.batch,
                    trial,
                    folder,
                    self.store.folder / "code" / self.batch.snapshot,
                    environment=self.here.environments[slot],
                    output=None if self.show else log.fileno(),
                    answer=writing,
                    resumes=report.attempt > 1 and (folder / "config.json").exists(),
                    processes=self.queue.processes,
                )
            finally:
                os._exit(70)  # whatever happens, it never goes on as its parent would
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(writing)
        self.children[pid] = Child(trial, report, log, reading, slot, whole=self.fresh)

    def _stop(self) -> None:
        """The children save first, for there may be little time; why it is asked for comes after."""
        for pid in self.children:
            os.kill(pid, signal.SIGTERM)
        named: dict[int | None, Why] = {signal.SIGUSR2: "time", signal.SIGINT: "cancelled"}
        self.why = named.get(self.signal) or self.queue.why()
        if self.why == "cancelled" and self.here.index is None:
            self._note_down(lambda: self.store.set_over(self.batch.label))  # what has not begun is cancelled too

    def _over(self, child: Child, pid: int, status: int) -> None:
        """Write down how a trial ended."""
        answer = _answer(child.pipe)
        _kill_group(pid)
        self.fresh = False
        if status in (143, -signal.SIGTERM) and self.signal is None:
            time.sleep(1)  # what ended it may be on its way to this process too
        report = replace(child.report, seconds=child.report.seconds + time.time() - child.report.started, status=status)
        if "value" in answer and status == 0:
            report = replace(report, state="done", value=answer["value"])
        elif self.signal is not None and status in STOPPED:
            if self.why is None:
                self._stop()
            report = self._interrupted(child, report)
        else:
            report = replace(report, state="failed", reason=answer.get("reason") or _reason(status))
            self._note_down(lambda: self._count(report, answer))
        self._write(child.trial, report)
        child.log.close()
        if self.told and not self.show:
            shown = f"{report.value:.4f}" if isinstance(report.value, float) else report.value
            came = f"failed: {report.reason}" if report.state == "failed" else report.reason or shown
            print(f"[{self._number(child.trial)}/{self.count}] {came}", flush=True)
        if self.todo and self.signal is None:
            self._share(answer.get("modules", []))

    def _share(self, modules: list[str]) -> None:
        """Import what a trial had to, once: the next ones find it, and begin in a tenth of the time."""
        if sys.platform != "linux":  # elsewhere a library may not survive a fork
            return
        for name in modules:
            if name not in sys.modules and not name.startswith("torch._inductor"):  # which starts processes
                with contextlib.suppress(Exception):  # that a trial could import; what fails here, each does for itself
                    importlib.import_module(name)

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


def _reason(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed by SIGKILL, as the kernel does where memory runs out"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"ended without a result, with exit status {status}"


def _kill_group(pid: int) -> None:
    """What a trial's process left behind, such as the workers of a data loader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return b""


def _answer(pipe: int) -> dict[str, Any]:
    """What a trial told of itself; nothing where it was killed before it had."""
    try:
        return json.loads(zlib.decompress(_all(pipe)))
    except (ValueError, zlib.error):
        return {}


def _all(pipe: int) -> bytes:
    os.set_blocking(pipe, False)  # a process that the trial left behind may hold the other end
    parts = list(iter(lambda: _read(pipe), b""))
    os.close(pipe)
    return b"".join(parts)


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
    job = Job(store, batch, queue, here, show="--show" in flags)
    try:
        _snapshot.verify(store.folder / "code" / batch.snapshot)
    except CNError as error:
        print(error, file=sys.stderr)
        job.refuse(str(error).partition("\n")[0])
        return 1
    return job.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
