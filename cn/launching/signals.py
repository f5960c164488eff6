"""Signals to the processes of one run, as received by the process that started them."""

from __future__ import annotations

import signal
import time

PATIENCE = 15  # s from a second signal to SIGKILL; SLURM kills this process too, after 30 s (KillWait)
TOGETHER = 5  # s in which repeated SIGTERMs count once: SLURM and the job's supervisor both send it


def stopping() -> list[signal.Signals]:
    """Return the signals that ask a run to stop; SIGHUP, of a closed terminal, only if `nohup` does not ignore it."""
    hung = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGTERM, signal.SIGINT, *hung]


class Asked:
    """State of the received signals: the first ends the run after its step, a second one soon."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.again: str | None = None  # the time limit after a second signal, in words
        self.end = 0.0  # the time limit, on the monotonic clock
        self.interrupts = 0  # number of SIGINTs
        self.last = 0.0  # time of the last SIGINT
        self._began = 0.0

    def hear(self, number: int) -> None:
        now = time.monotonic()
        if number == signal.SIGINT:
            self.interrupts, self.last = self.interrupts + 1, now
        if self.first is None:
            self.first, self._began = number, now
        elif self.again is None and (number == signal.SIGINT or now - self._began > TOGETHER):
            name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            self.again, self.end = f"{PATIENCE} s after a second {name}", now + PATIENCE
