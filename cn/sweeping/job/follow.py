"""The supervisor on every node of a job but the first: it starts trials for the first node and reports their ends."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

from cn.errors import CNError, RunError
from cn.launching.processes import GRACE, Part
from cn.launching.queue import Here, Queue
from cn.launching.ranks import output
from cn.launching.shared import share
from cn.screen import say
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.secrets_file import read
from cn.sweeping.folder.store import Batch, Store, Trial
from cn.sweeping.job import trial_process
from cn.sweeping.job.connection import WAIT, Link, connect
from cn.sweeping.job.trial import run_trial
from cn.sweeping.submitting import snapshots


class Follower:
    """The supervisor of one node. It ends, with all processes that it started, when the first node's supervisor is
    gone.
    """

    def __init__(self, store: Store, batch: Batch, queue: Queue, here: Here) -> None:
        self.store, self.batch, self.queue, self.here = store, batch, queue, here
        self.trials = {trial.id: trial for job in batch.jobs for trial in job}
        self.signal: int | None = None
        self.pid: int | None = None  # of the trial's process
        self.pipe = -1  # read end of the answer pipe
        self.killed = False  # the first node asked to kill it
        self.modules: list[str] = []  # that the last trial imported; the next trial shares them

    def run(self) -> int:
        """Return the exit status: 0 if the first node ended the job while no trial ran here."""
        woken = trial_process.woken(self._note)
        found = self._connect()
        if found is None:
            return 0 if self.signal is not None else 1
        link, address = found
        share(self.batch.libraries)
        passed = False  # whether the signal was forwarded to the trial
        while not link.gone:
            select.select([woken, link.socket], [], [], 5)
            while trial_process.read(woken):
                pass
            if select.select([link.socket], [], [], 0)[0]:
                for words in link.hear():
                    if "trial" in words:
                        passed = False
                        try:
                            self._begin(address, **words)
                        except OSError as error:
                            reason = f"on {self.here.host}: it cannot be started: {error}"
                            link.say(status=1, answer={"reason": reason}, killed=False)
                    else:
                        self._kill(words["signal"])
            if self.pid is not None and self.signal is not None and not passed:
                passed = True
                os.kill(self.pid, signal.SIGTERM)
            if self.pid is not None and (status := trial_process.ended(self.pid)) is not None:
                trial_process.kill_group(self.pid)
                answer = trial_process.answer(self.pipe)
                link.say(status=status, answer=answer, killed=self.killed)
                self.pid, self.modules = None, answer.get("modules", [])
        return self._end()

    def _connect(self) -> tuple[Link, str] | None:
        """Connect to the first node; None if it cannot be reached, or this job must end."""
        refused = None
        try:
            snapshots.refuse_damaged(self.store.folder / "code" / self.batch.snapshot)
            snapshots.verify(self.store.folder / "code" / self.batch.snapshot)
        except CNError as error:
            say(error, error=True)
            refused = str(error).partition("\n")[0]
        end = time.monotonic() + WAIT
        try:
            secret = read(self.store.secret(self.batch.label))
        except RunError as error:  # the first node reports the same error
            say(error, error=True)
            return None
        for found in connect(self.here, self.batch.label, secret, refused=refused):
            if found is not None or self.signal is not None:
                return found
            if time.monotonic() > end:
                break
        where = ", ".join(self.here.first) or "no address is known"
        say(f"the first node of the job is not reached ({where})", error=True)
        return None

    def _trial(self, name: str) -> Trial:
        """Return the trial of this id; one that a search has asked since the job began is in the sweep's folder."""
        if name not in self.trials:
            self.trials |= {each.id: each for each in Points(self.store).of_job(self.batch.label, self.here.index)}
        return self.trials[name]

    def _begin(self, address: str, *, trial: str, port: int, resumes: bool) -> None:
        """Start the trial's processes; output before each has its own file goes to that of the node's first rank."""
        each = self._trial(trial)
        folder = self.store.at(each)
        count = self.queue.processes
        part = Part(self.here.node * count, self.queue.nodes * count, address, port)
        folder.mkdir(parents=True, exist_ok=True)
        share(self.modules)
        with output(folder, part.first).open("ab") as log:
            self.pid, self.pipe = trial_process.fork(
                lambda answer: run_trial(
                    self.batch,
                    each,
                    folder,
                    self.store.folder / "code" / self.batch.snapshot,
                    environment=self.here.environments[0],
                    output=log.fileno(),
                    answer=answer,
                    resumes=resumes,
                    processes=count,
                    part=part,
                )
            )
        self.killed = False

    def _kill(self, number: int) -> None:
        if self.pid is not None:
            self.killed = True
            trial_process.ask(self.pid, number)

    def _end(self) -> int:
        """The first node is gone: let a running trial save a checkpoint, then kill it."""
        if self.pid is None:
            return 0
        self._kill(signal.SIGTERM)
        end = time.monotonic() + GRACE
        while trial_process.ended(self.pid) is None and time.monotonic() < end:
            time.sleep(0.1)
        trial_process.kill_group(self.pid)
        return 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.signal = self.signal or number


def follow(store: Store, batch: Batch, queue: Queue, here: Here) -> int:
    return Follower(store, batch, queue, here).run()
