"""Ctrl-C and SIGTERM: the loop ends after its step; outside the loop, or at a second Ctrl-C, the run ends at once.

Of several processes, any that is sent a signal, or whose callback stops the run, ends all, after a step that they
agree on: one that went on alone would wait for the others in the middle of a step.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from runs._ranks import ALONE, Ranks

if TYPE_CHECKING:
    from runs._training import Training

OFTEN = 10  # steps after which processes agree at the latest, which costs them 0.1 ms or so


class Stop:
    """While it is entered, it takes both signals; only the main thread can enter it with effect."""

    def __init__(self, ranks: Ranks = ALONE) -> None:
        self.ranks = ranks
        self.heard = 0  # the signal that came to this process, if one did
        self.asked: str | None = None  # by which signal; all processes of the run have it after the same step
        self.status = 130  # of the process, once it was asked: 128 and the signal's number, as shells count
        self.looping = False  # whether somebody looks at `asked`
        self.wish: str | None = None  # why a callback of this process wants the run to end, unknown to the others
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.heard != 0
        self.heard = self.heard or number
        at_once = not self.looping or (again and number == signal.SIGINT)  # a scheduler may well send SIGTERM twice
        if at_once or self.ranks.size == 1:
            self._take(self.heard)
        if at_once:
            raise KeyboardInterrupt

    def agree(self, training: Training) -> None:
        """After each step of several processes: what one has heard, or a callback of one wants, all do."""
        self.wish, training.reason = self.wish or training.reason, None
        if training.step % min(training.run.log_every, OFTEN):
            return
        ranks = self.ranks
        wisher = ranks.rank + 1 if self.wish is not None else 0
        number, wisher = divmod(ranks.largest(self.heard * (ranks.size + 1) + wisher), ranks.size + 1)
        if number:
            self._take(number)
        elif wisher:
            training.reason = ranks.told(lambda: self.wish, of=wisher - 1)

    def _take(self, number: int) -> None:
        self.asked = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self.status = 128 + number
