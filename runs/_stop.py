"""Ctrl-C and SIGTERM: the loop ends after its step; outside the loop, or at a second Ctrl-C, the run ends at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Stop:
    """While it is entered, it takes both signals; only the main thread can enter it with effect."""

    def __init__(self) -> None:
        self.asked: str | None = None  # by which signal
        self.status = 130  # of the process, once it was asked: 128 and the signal's number, as shells count
        self.looping = False  # whether somebody looks at `asked`
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
        again = self.asked is not None
        if not again:
            self.asked = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            self.status = 128 + number
        if not self.looping or (again and number == signal.SIGINT):  # a scheduler may well send SIGTERM twice
            raise KeyboardInterrupt
