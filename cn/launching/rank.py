"""A worker process of a run, as seen by its supervisor, and the result of all workers."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cn.errors import RunError, UserError
from cn.job import Diverged
from cn.launching.ranks import Lost
from cn.launching.signals import Asked
from cn.run_folder.folder import again, tell
from cn.run_folder.status import RunStatus

CLOSED = 141  # exit status after SIGPIPE: 128 + 13


@dataclass
class Rank:
    """A worker process and its final message: a value or an error."""

    number: int
    process: BaseProcess
    work: Connection  # the pipe through which the worker gets its work
    pipe: Connection
    signals: Connection  # one byte per signal that reached the worker: the signal's number
    imported: list[str] = field(default_factory=list[str])  # of the libraries; sent at the worker's end
    folder: Path | None = None  # of the run; sent by rank 0 once the folder exists
    said: tuple[str, Any] | None = None
    ended: bool = False  # ended by us, since another rank had failed or it did not stop
    interrupts: int = 0  # number of SIGINTs that reached the worker
    passed: int = 0  # number of SIGINTs up to the last forwarded one

    @property
    def failed(self) -> bool:
        return self.process.exitcode not in (None, 0)

    @property
    def stopped(self) -> bool:
        """Whether the worker ended because of a signal to stop."""
        return self.process.exitcode in (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP, -signal.SIGINT)

    @property
    def pipes(self) -> list[Connection]:
        """The pipe to wait on, until it is closed."""
        return [] if self.pipe.closed else [self.pipe]

    def give(self, work: Any) -> None:
        """Send the worker its work, once."""
        with contextlib.suppress(BrokenPipeError), self.work:  # it has been killed
            self.work.send(work)

    def close(self) -> None:
        """Close the pipes of this worker, in a process that was forked after it."""
        for each in (self.work, self.pipe, self.signals):
            each.close()

    def pass_on(self, interrupts: int) -> None:
        """Forward SIGINTs that this worker did not receive: a terminal signals all processes, an IDE or `kill` only
        one.
        """
        with contextlib.suppress(BlockingIOError):  # no more signals so far
            while some := os.read(self.signals.fileno(), 4096):
                self.interrupts += some.count(signal.SIGINT)
        if max(self.interrupts, self.passed) < interrupts:
            self.passed = interrupts
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid or 0, signal.SIGINT)

    def hear(self) -> None:
        """Receive the worker's messages; the pipe closes with the process."""
        while not self.pipe.closed and self.pipe.poll():
            try:
                word, what = self.pipe.recv()
            except EOFError:
                self.pipe.close()
            else:
                if word == "folder":
                    self.folder = what
                elif word == "imported":
                    self.imported = what
                else:
                    self.said = word, what


def outcome(ranks: list[Rank], asked: Asked) -> Any:
    """Return the value of rank 0, or raise the error that ended the run; Lost if no process here knows the reason."""
    first = ranks[0]
    if not any(rank.failed for rank in ranks):
        return first.said[1] if first.said else None
    if any(rank.process.exitcode == CLOSED for rank in ranks):
        raise BrokenPipeError
    told = [rank for rank in ranks if rank.said is not None and rank.said[0] in ("error", "diverged")]
    told = [rank for rank in told if not rank.ended] or told
    if not told or all(rank.stopped for rank in told):
        _refuse_killed(ranks, asked)
    if not told and any(rank.stopped for rank in ranks):  # before any worker could report it
        error = RunError("stopped at once by Ctrl-C")
        error.status = 128 + signal.SIGINT
        raise error
    if not told:
        heard = [str(rank.said[1]) for rank in ranks if rank.said is not None and rank.said[0] == "lost"]
        raise Lost(heard[0] if heard else "another process of the run is gone")
    rank = first if first in told else told[0]
    text = str(rank.said[1]) if rank.said else ""
    same = [each for each in told if each.said == rank.said]
    where = "" if rank.number == 0 or len(same) > 1 else f"rank {rank.number}: "
    kind = Diverged if rank.said and rank.said[0] == "diverged" else RunError
    error = UserError(where + text) if rank.process.exitcode == 2 else kind(where + text)
    error.status = rank.process.exitcode or 1
    raise error


def _refuse_killed(ranks: list[Rank], asked: Asked) -> None:
    """Raise the error about killed workers, which cannot report themselves; record it in the run's folder."""
    hung = [rank.number for rank in ranks if rank.ended and rank.process.exitcode == -signal.SIGKILL]
    killed = [rank for rank in ranks if rank.failed and rank.said is None and not rank.ended and not rank.stopped]
    if asked.first is not None and asked.again is not None and hung:
        names, were = ("rank", "was") if len(hung) == 1 else ("ranks", "were")
        what = f"{names} {', '.join(map(str, hung))} had not ended {asked.again}, and {were} killed"
        status = 128 + asked.first
    elif killed:
        number = -(killed[0].process.exitcode or 0)
        name = signal.Signals(number).name if number > 0 else "itself"
        memory = ", as the kernel does where memory runs out" if name == "SIGKILL" else ""
        what = f"rank {killed[0].number} was ended by {name}{memory}"
        status = 128 + number if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) else 1  # it had just begun
    else:
        return
    first = ranks[0]
    advice = first.said[1].split("\n  ")[1:] if first.said and first.said[0] != "value" else []
    if first.folder is not None:
        tell(first.folder, RunStatus.INTERRUPTED if status > 128 else RunStatus.FAILED, what)
        advice = advice or [f"to go on from the last checkpoint: {again(first.folder)}"]
    error = RunError(what, *advice)
    error.status = status
    raise error
