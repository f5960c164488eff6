"""The process that asks points for a job: forked once by the supervisor, it answers one ask after the other.

Samplers import what they like there, and one that fails or is killed does not end the supervisor and its trials.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from cn.errors import CNError, short
from cn.process import end_with_parent
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.store import Store
from cn.sweeping.job import trial_process
from cn.sweeping.job.ask import Asker, EndError
from cn.sweeping.job.reports import complain

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)


class Asking:
    """The supervisor's side: at most one ask is under way, and its answer is read when it is there."""

    def __init__(self, store: Store, batch: Batch, job: int, let_go: Callable[[], None]) -> None:
        self.store, self.batch, self.job = store, batch, job
        self.let_go = let_go  # closes, in the process that asks, the files of the trials that run
        self.points = Points(store)
        self.waits = False  # for the answer to an ask
        self.over = False  # no further point comes
        self.idle = False  # nothing is to be asked until a trial of this job ends, by which more may go on
        self.socket: socket.socket | None = None
        self.pid: int | None = None

    def ask(self) -> None:
        """Ask for a point, unless an ask is under way."""
        if self.waits or self.over or self.idle:
            return
        if self.socket is None:
            self._begin()
        assert self.socket is not None
        self.waits = True
        with suppress(OSError):  # its process is gone, which the answer says
            self.socket.send(b"?")

    def answer(self) -> list[Trial]:
        """Return the trials of the point that was asked; none if all are asked. Call it once there is an answer."""
        assert self.socket is not None
        try:
            told: dict[str, Any] = json.loads(self.socket.recv(65536) or b"{}")
        except (OSError, ValueError):
            told = {}
        self.waits = False
        number = told.get("point")
        if number is not None:
            owners = self.points.owners()
            if isinstance(number, list):  # the ids of a pruned trial that goes on, or of further seeds of a point
                return [owners[each].trial for each in number]
            return [trial for each in self.points.every() if each.number == number for trial in each.trials]
        if "point" in told:
            self.idle = True
            return []
        if not told:
            told["reason"] = "the process that asks for points is gone"
        if (reason := told.get("reason")) is not None:
            complain(f"the search ends: {reason}")
        self.end()
        return []

    def end(self) -> None:
        """Ask for no further point."""
        self.over = True
        self.close()

    def close(self) -> None:
        """End the process that asks."""
        self.waits = False
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.pid is not None:
            trial_process.ask(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None

    def _begin(self) -> None:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def work(answer: int) -> NoReturn:
            own.close()
            self.let_go()
            serve(self.store, self.batch, self.job, theirs)

        self.pid, pipe = trial_process.fork(work)
        os.close(pipe)
        theirs.close()
        self.socket = own


def serve(store: Store, batch: Batch, job: int, asks: socket.socket) -> NoReturn:
    """Answer asks until the supervisor is gone, and exit this process, which was forked for it."""
    os.setpgid(0, 0)
    for number in (*STOPS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    end_with_parent(signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    asker: Asker | None = None
    while asks.recv(1):
        told: dict[str, Any] = {}
        try:
            if asker is None:
                os.chdir(batch.cwd)
                asker = Asker(store, batch, job)
            told["point"] = asker.ask()
        except (EndError, CNError) as error:
            told["reason"] = str(error)
        except BaseException as error:
            complain(traceback.format_exc().rstrip())
            told["reason"] = traceback.format_exception_only(error)[-1].strip()
        if (reason := told.get("reason")) is not None:
            told["reason"] = short(reason.partition("\n")[0])
            with suppress(OSError):
                Points(store).set_ended(told["reason"])
        asks.send(json.dumps(told).encode())
    os._exit(0)
