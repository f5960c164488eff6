"""One of the processes of a run, as the one that started it sees it, and what the ends of all of them mean."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cn import RunError, UserError
from cn.errors import lines
from runs import _folder
from runs._ranks import Lost
from runs.launch._asked import Asked

CLOSED = 141  # the exit status where nobody reads what is printed: 128 and SIGPIPE


@dataclass
class Rank:
    """A process, and what it said at its end: a value, or why there is none."""

    number: int
    process: BaseProcess
    pipe: Connection
    signals: Connection  # a byte for each signal that reached it: the signal's number
    folder: Path | None = None  # of the run; the first process tells it, once it is there
    said: tuple[str, Any] | None = None
    ended: bool = False  # by us, since another one had failed, or it did not stop
    interrupts: int = 0  # how often Ctrl-C reached it
    passed: int = 0  # up to which one it was passed on to it

    @property
    def failed(self) -> bool:
        return self.process.exitcode not in (None, 0)

    @property
    def stopped(self) -> bool:
        """Whether it ended because it was asked to."""
        return self.process.exitcode in (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT)

    @property
    def pipes(self) -> list[Connection]:
        """Where something may come from it."""
        return [] if self.pipe.closed else [self.pipe]

    def pass_on(self, interrupts: int) -> None:
        """Ctrl-C, where not so many reached it: a terminal sends it to all processes, an IDE and `kill` to one."""
        with contextlib.suppress(BlockingIOError):  # no more of them yet
            while some := os.read(self.signals.fileno(), 4096):
                self.interrupts += some.count(signal.SIGINT)
        if max(self.interrupts, self.passed) < interrupts:
            self.passed = interrupts
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid or 0, signal.SIGINT)

    def hear(self) -> None:
        """What it has said, once it has; the pipe ends with the process."""
        while not self.pipe.closed and self.pipe.poll():
            try:
                word, what = self.pipe.recv()
            except EOFError:
                self.pipe.close()
            else:
                if word == "folder":
                    self.folder = what
                else:
                    self.said = word, what


def outcome(ranks: list[Rank], asked: Asked) -> Any:
    """The first process's value, or the error that ended the run; Lost where no process here knows it."""
    first = ranks[0]
    if not any(rank.failed for rank in ranks):
        return first.said[1] if first.said else None
    if any(rank.process.exitcode == CLOSED for rank in ranks):
        raise BrokenPipeError
    told = [rank for rank in ranks if rank.said is not None and rank.said[0] == "error"]
    told = [rank for rank in told if not rank.ended] or told
    if not told or all(rank.stopped for rank in told):
        _refuse_killed(ranks, asked)
    if not told and any(rank.stopped for rank in ranks):  # before any of them could have said so
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
    error = UserError(where + text) if rank.process.exitcode == 2 else RunError(where + text)
    error.status = rank.process.exitcode or 1
    raise error


def _refuse_killed(ranks: list[Rank], asked: Asked) -> None:
    """The error where some were killed, which can say nothing themselves; the run's folder tells of it too."""
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
        status = 128 + number if number in (signal.SIGTERM, signal.SIGINT) else 1  # it had just begun
    else:
        return
    first = ranks[0]
    advice = first.said[1].split("\n  ")[1:] if first.said and first.said[0] != "value" else []
    if first.folder is not None:
        _folder.tell(first.folder, "interrupted" if status > 128 else "failed", what)
        advice = advice or [f"to go on from the last checkpoint: {_folder.again(first.folder)}"]
    error = RunError(lines(what, *advice))
    error.status = status
    raise error
