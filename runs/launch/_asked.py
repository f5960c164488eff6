"""What signals have asked of the processes of one run, as the one that started them hears it."""

from __future__ import annotations

import signal
import time

PATIENCE = 15  # s after a second signal until they are killed; SLURM, which kills this one too, gives 30 (KillWait)
TOGETHER = 5  # s in which SIGTERM is asked once, however often it comes: from SLURM, and from the job's own supervisor


class Asked:
    """The first signal asks for an end after the step, whenever that is; a second one, for an end soon."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.again: str | None = None  # how long they are given after a second one, in words
        self.end = 0.0  # and until when
        self.interrupts = 0  # how often Ctrl-C came
        self.last = 0.0  # when the last did
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
