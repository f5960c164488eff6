"""Ctrl-C, SIGTERM, and SIGHUP of a closed terminal: the loop ends after its step.

Outside the loop, or at a second Ctrl-C, the run ends at once. With several processes, a signal to any of them, or a
callback that stops the run, ends all after a step that they agree on: a process that went on alone would wait for the
others inside a step.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from cn.launching.signals import stopping
from cn.screen import hang_up
from runs._processes.collectives import ALONE, Ranks

if TYPE_CHECKING:
    from runs._training.state import Training

OFTEN = 10  # steps; the maximum between agreements, each of which costs about 0.1 ms


class Stop:
    """Context manager that handles the signals; it has an effect only in the main thread."""

    def __init__(self, ranks: Ranks = ALONE) -> None:
        self.ranks = ranks
        self.heard = 0  # the signal that this process received, or 0
        self.asked: str | None = None  # name of the signal that ends the run; all processes have it after the same step
        self.status = 130  # exit status: 128 and the signal's number
        self.looping = False  # whether the loop checks `asked`
        self.wish: str | None = None  # why a callback of this process ends the run; the others do not know yet
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in stopping():
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            hang_up()
        again = self.heard != 0
        self.heard = self.heard or number
        at_once = not self.looping or (again and number == signal.SIGINT)  # a scheduler may send SIGTERM twice
        if at_once or self.ranks.size == 1:
            self._take(self.heard)
        if at_once:
            raise KeyboardInterrupt

    def agree(self, training: Training) -> None:
        """After a step: all-reduce the received signals and the callbacks' requests to end the run."""
        self.wish, training.reason = self.wish or training.reason, None
        if training.step % min(training.run.log_every, OFTEN):
            return
        ranks = self.ranks
        wisher = ranks.rank + 1 if self.wish is not None else 0
        number, wisher = divmod(ranks.all_max(self.heard * (ranks.size + 1) + wisher), ranks.size + 1)
        if number:
            self._take(number)
        elif wisher:
            training.reason = ranks.broadcast(lambda: self.wish, of=wisher - 1)

    def _take(self, number: int) -> None:
        self.asked = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        self.status = 128 + number
