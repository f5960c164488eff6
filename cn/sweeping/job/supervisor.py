"""The supervisor on the first node of a job: it starts the job's trials and records how each of them ends.

It outlives its trials, so that a killed trial can be distinguished from a preempted one.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import deque
from dataclasses import replace
from types import FrameType
from typing import NoReturn

from cn.errors import RunError, lines
from cn.launching.own_gpus import hold
from cn.launching.queue import Here, Queue, Why
from cn.launching.shared import share
from cn.run_folder.branches import branch
from cn.run_folder.folder import tell
from cn.run_folder.state_files import clear, set_aside
from cn.run_folder.status import RunStatus
from cn.screen import hang_up, say
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.store import BEGUN, LOG, Batch, Store, Trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job import trial_process
from cn.sweeping.job.asking import Asking
from cn.sweeping.job.peers import Others, end_together
from cn.sweeping.job.reports import Notes, add, complain
from cn.sweeping.job.trial import run_trial
from cn.sweeping.job.trial_process import Child, Ended, chosen
from cn.sweeping.submitting import snapshots
from cn.table import number

CLAIM = 60  # s; the time within which another process that runs the same trial has to end
LATE = 2.0  # s; the maximum delay of a signal to this process after the trial's


class Leader:
    """Runs the trials of a job, some concurrently, until all are over or a signal arrives."""

    def __init__(self, store: Store, batch: Batch, queue: Queue, here: Here, others: Others, *, show: bool) -> None:
        self.store, self.batch, self.queue, self.here, self.others = store, batch, queue, here, others
        self.snapshot = store.folder / "code" / batch.snapshot
        self.notes = Notes(store, batch, here)
        self.show = show and len(here.environments) == 1  # the terminal can show only one trial at a time
        self.told = show
        self.asking = None if batch.search is None else Asking(store, batch, here.index or 0, self._let_go)
        asked = [] if batch.search is None else Points(store).of_job(batch.label, here.index)  # before a restart
        self.todo = deque([*(trial for job in batch.jobs for trial in job), *asked])
        self.count = len(self.todo)
        self.fresh = True  # none of its trials has ended
        self.children: list[Child] = []
        self.blocked: dict[str, float] = {}  # trials that another process runs: when each is given up
        self.signal: int | None = None
        self.why: Why | None = None

    def run(self) -> int:
        """Run the trials; return 0 if all ends are recorded, else the status of the signal that stopped it.

        Raises CNError if no trial can begin.
        """
        woken = trial_process.woken(self._note)
        with self.others.door():
            while self.others.missing() and self.signal is None:
                self._wait(woken)
        snapshots.refuse_damaged(self.snapshot)
        snapshots.verify(self.snapshot)
        share(self.batch.libraries)
        while True:
            self._start()
            if not self.children and not self._waits:
                break
            self._wait(woken)
            if self.signal is not None and self.why is None:
                self._stop()
            for child in list(self.children):
                if child.status is None:
                    child.status = trial_process.ended(child.pid)
                if child.status is not None and self.others.over:
                    self.children.remove(child)
                    here = Ended(child.status, trial_process.answer(child.pipe), child.killed)
                    self._over(child, [here, *self.others.elsewhere()])
                elif self.others.nodes > 1:
                    end_together(child, self.others)
        self._end_search()
        if self.signal is not None and self.why is None:  # the signal arrived while nothing ran
            self._stop()
        signal.set_wakeup_fd(-1)
        return self._end()

    def refuse(self, reason: str) -> None:
        """Record that the remaining trials cannot begin."""
        while self.todo:
            self.notes.refuse(self.todo.popleft(), reason)

    def _wait(self, woken: int) -> None:
        """Wait for a child's end, a signal or a message; only 0.2 s if a trial may begin, which no signal tells."""
        pause = 0.2 if self.todo and self._free else 1 if self.others.nodes > 1 else 5  # s
        asked = [self.asking.socket] if self.asking is not None and self.asking.socket is not None else []
        ready, _, _ = select.select([woken, *self.others.sockets(), *asked], [], [], pause)
        while trial_process.read(woken):
            pass
        if self.asking is not None and self.asking.socket in ready:
            self._take(self.asking.answer())
        self.others.listen()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGHUP:
            hang_up()
            if self.signal is not None:  # the terminal sends it to every process, and each passes it on
                return
        if self.signal is not None and self.here.index is None:  # SLURM may send it twice, and kills by itself
            for child in list(self.children):
                trial_process.kill_group(child.pid)
        self.signal = self.signal or number

    def _start(self) -> None:
        tried: set[str] = set()
        while (free := self._free) and self.signal is None and (trial := self._next(tried)) is not None:
            if self.notes.is_stopped():
                self.todo.clear()
                self._end_search()
                break
            if self.others.lost:
                self.refuse(self.others.lost)
                self._end_search()
                break
            tried.add(trial.id)
            try:
                if self.notes.is_over(trial) or self._begin(trial, min(free)):
                    self.todo.remove(trial)
                    self.blocked.pop(trial.id, None)
            except OSError as error:  # a full disk: the message goes to the job's own output
                complain(f"{trial.id} cannot be started: {error}")
                self.todo.remove(trial)
                self.blocked.pop(trial.id, None)
        ready = any(each.id not in self.blocked for each in self.todo)
        if free and not ready and self.signal is None and self.asking is not None:
            if self.notes.is_stopped() or self.others.lost:
                self._end_search()
            else:
                self.asking.ask()

    def _next(self, tried: set[str]) -> Trial | None:
        """Return the first trial that may begin: one that goes on from another waits for the state of that one."""
        waited_for = {each.folder for each in (*self.todo, *(child.trial for child in self.children))}
        return next((each for each in self.todo if each.id not in tried and self._may_begin(each, waited_for)), None)

    def _may_begin(self, trial: Trial, waited_for: set[str]) -> bool:
        return trial.past not in waited_for or branch(self.store.folder / trial.past, trial.after).is_dir()

    @property
    def _free(self) -> set[int]:
        return {*range(len(self.here.environments))} - {child.slot for child in self.children}

    @property
    def _waits(self) -> bool:
        """Whether the answer to an ask, or the end of another process that runs a trial, is awaited."""
        asks = self.asking is not None and self.asking.waits
        return self.signal is None and (asks or any(each.id in self.blocked for each in self.todo))

    def _take(self, trials: list[Trial]) -> None:
        """Add the trials of a point that was asked to those that are to be started."""
        self.todo.extend(trials)
        self.count += len(trials)

    def _end_search(self) -> None:
        if self.asking is not None:
            self.asking.close()

    def _begin(self, trial: Trial, slot: int) -> bool:
        """Fork the process of a trial; False if another process still runs the trial, which is tried again later."""
        folder = self.store.at(trial)
        if os.path.lexists(folder) and not folder.is_dir():
            set_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        clear(folder / LOG)
        log = (folder / LOG).open("ab")
        if not trial_process.claim(log):
            log.close()
            if time.monotonic() < self.blocked.setdefault(trial.id, time.monotonic() + CLAIM):
                return False
            self.notes.refuse(trial, f"another process has run it for {CLAIM} s and has not ended")
            return True
        if self.notes.is_over(trial):  # run to its end by that other process
            log.close()
            return True
        report = self.notes.begins(trial)
        self.notes.write(trial, report)
        if self.told:
            say(" ".join([f"[{self._number(trial)}/{self.count}]", *trial.words]))
        environment, gpus = self.here.environments[slot], list[socket.socket]()
        if self.here.groups:
            group, gpus = hold(self.here.groups, slot)
            environment = {**environment, "CUDA_VISIBLE_DEVICES": group}
        resumes = any(os.path.lexists(folder / name) for name in BEGUN)
        part = self.others.part(self.queue.processes)

        def work(answer: int) -> NoReturn:
            self._let_go()
            run_trial(
                self.batch,
                trial,
                folder,
                self.snapshot,
                environment=environment,
                output=None if self.show else log.fileno(),
                answer=answer,
                resumes=resumes,
                processes=self.queue.processes,
                part=part,
            )

        pid, pipe = trial_process.fork(work)
        if part is not None:
            self.others.begin(trial.id, port=part.port, resumes=resumes)
        self.children.append(Child(trial, pid, report, log, pipe, slot, gpus, whole=self.fresh))
        return True

    def _let_go(self) -> None:
        """Close, in a forked process, the files of the trials that run: a log is locked while any process holds it."""
        for child in self.children:
            child.let_go()

    def _stop(self) -> None:
        """Stop the trials first, since time may be short; then find out why the job must stop."""
        for child in self.children:
            if child.status is None:
                os.kill(child.pid, signal.SIGINT if self.signal == signal.SIGINT else signal.SIGTERM)
        named: dict[int | None, Why] = {signal.SIGUSR2: "time", signal.SIGINT: "cancelled"}
        self.why = named.get(self.signal) or self.queue.why()
        if self.why == "cancelled" and self.here.index is None:
            self.notes.down(lambda: self.store.set_over(self.batch.label))  # cancels waiting trials too

    def _over(self, child: Child, parts: list[Ended]) -> None:
        """Record how a trial ended: on this node, which is the first, and on the others."""
        came = chosen(parts)
        trial_process.kill_group(child.pid)
        self.fresh = False
        if self.asking is not None:
            self.asking.idle = False
        if came.status in (143, -signal.SIGTERM):
            end = time.monotonic() + LATE
            while self.signal is None and time.monotonic() < end:
                time.sleep(0.05)
        seconds = child.report.seconds + time.monotonic() - child.began
        report = replace(child.report, seconds=seconds, status=came.status)
        if "value" in came.answer and came.status == 0:
            report = replace(report, state=TrialStatus.DONE, value=came.answer["value"])
        elif came.answer.get("pruned"):
            step, value = self.notes.last(child.trial)
            report = replace(report, state=TrialStatus.PRUNED, reason=f"pruned at step {step}", step=step, value=value)
        elif self.signal is not None and (came.stopped or came.status == -signal.SIGKILL or not came.knows):
            if self.why is None:
                self._stop()
            report = self.notes.interrupted(child.trial, report, self.why, whole=child.whole)
        else:
            report = replace(report, state=TrialStatus.FAILED, reason=came.reason)
            self.notes.down(lambda: self.notes.count(report, came.answer))
            if came is not parts[0] or "lost" in came.answer:  # the first node's own process did not know the reason
                advice = parts[0].answer.get("lost", "").split("\n  ")[1:]
                self.notes.down(lambda: add(child.log, lines(came.reason, *advice)))
                tell(self.store.at(child.trial), RunStatus.FAILED, came.reason)
        self.notes.write(child.trial, report)
        for each in (child.log, *child.gpus):
            each.close()
        if self.told and not self.show:
            shown = number(report.value) if isinstance(report.value, float) else report.value
            what = f"failed: {report.reason}" if report.state == TrialStatus.FAILED else report.reason or shown
            say(f"[{self._number(child.trial)}/{self.count}] {what}")
        if (self.todo or self.asking is not None) and self.signal is None:
            share(parts[0].answer.get("modules", []))

    def _end(self) -> int:
        waiting = self.notes.waiting()
        searches = self.asking is not None and not self.asking.over and not self.asking.idle
        cancelled = self.batch.label in self.store.over()  # SLURM would requeue a job that ends after scancel
        if self.why in ("preempted", "time") and not cancelled and (waiting or self.todo or searches):
            try:
                self.queue.requeue()
            except RunError as error:
                for trial in waiting:
                    self.notes.lost(trial, error)
        return 0 if self.signal is None or self.why not in ("cancelled", "unknown") else 128 + self.signal

    def _number(self, trial: Trial) -> int:
        return 1 + [each.id for job in self.batch.jobs for each in job].index(trial.id)
