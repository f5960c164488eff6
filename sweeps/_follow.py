"""What runs on every node of a job but the first: it starts what the first one says, and says how that ended."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

from cn import CNError, RunError
from cn.screen import say
from runs._ranks import Ranks, output
from runs.launch._processes import GRACE, Part
from runs.launch._queue import Here, Queue
from sweeps import _child, _snapshot
from sweeps._link import WAIT, Link, connect
from sweeps._secret import read
from sweeps._store import Batch, Store
from sweeps._trial import run_trial


class Follower:
    """The supervisor of one node. It decides nothing: when the first node's is gone, so is it, with all it started."""

    def __init__(self, store: Store, batch: Batch, queue: Queue, here: Here) -> None:
        self.store, self.batch, self.queue, self.here = store, batch, queue, here
        self.trials = {trial.id: trial for job in batch.jobs for trial in job}
        self.signal: int | None = None
        self.pid: int | None = None  # of the trial's process
        self.pipe = -1  # from which its answer is read
        self.killed = False  # since the first node asked for it

    def run(self) -> int:
        """The exit status: 0 where the first node ended it while nothing ran here."""
        woken = _child.woken(self._note)
        found = self._connect()
        if found is None:
            return 0 if self.signal is not None else 1
        link, address = found
        passed = False  # whether the trial's process knows of the signal
        while not link.gone:
            select.select([woken, link.socket], [], [], 5)
            while _child.read(woken):
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
            if self.pid is not None and (status := _child.ended(self.pid)) is not None:
                _child.kill_group(self.pid)
                link.say(status=status, answer=_child.answer(self.pipe), killed=self.killed)
                self.pid = None
        return self._end()

    def _connect(self) -> tuple[Link, str] | None:
        """To the first node; None where it is not there, or this job is to end."""
        refused = None
        try:
            _snapshot.refuse_damaged(self.store.folder / "code" / self.batch.snapshot)
            _snapshot.verify(self.store.folder / "code" / self.batch.snapshot)
        except CNError as error:
            say(error, error=True)
            refused = str(error).partition("\n")[0]
        end = time.monotonic() + WAIT
        try:
            secret = read(self.store.secret(self.batch.label))
        except RunError as error:  # which the first node tells too
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

    def _begin(self, address: str, *, trial: str, port: int, resumes: bool) -> None:
        """What the trial's processes here print before each has a file of its own goes to the first one's."""
        folder = self.store.at(self.trials[trial])
        count = self.queue.processes
        part = Part(self.here.node * count, self.queue.nodes * count, address, port)
        folder.mkdir(parents=True, exist_ok=True)
        with output(folder, Ranks(part.first, part.size)).open("ab") as log:
            self.pid, self.pipe = _child.fork(
                lambda answer: run_trial(
                    self.batch,
                    self.trials[trial],
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
            _child.ask(self.pid, number)

    def _end(self) -> int:
        """The first node is gone: whatever runs here may save, and is ended."""
        if self.pid is None:
            return 0
        self._kill(signal.SIGTERM)
        end = time.monotonic() + GRACE
        while _child.ended(self.pid) is None and time.monotonic() < end:
            time.sleep(0.1)
        _child.kill_group(self.pid)
        return 1

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.signal = self.signal or number


def follow(store: Store, batch: Batch, queue: Queue, here: Here) -> int:
    return Follower(store, batch, queue, here).run()
