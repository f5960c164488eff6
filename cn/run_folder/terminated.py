"""SIGTERM, and SIGHUP of a terminal that is closed, end a run as an exception does, so that its end is recorded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from cn.screen import hang_up

ENDING = (signal.SIGTERM, signal.SIGHUP)


class TerminatedError(SystemExit):
    """The process received a signal; the exit status is that of a process which the signal killed."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


class Terminable:
    """Context manager: the signals raise TerminatedError inside `raising`, and elsewhere at the end of the whole block.

    It has an effect only in the main thread, and only for a signal without a handler: `nohup` ignores SIGHUP.
    """

    def __init__(self) -> None:
        self._heard = 0  # the first signal
        self._told = self._raises = False
        self._process = 0  # id, or 0 if no signal is handled here
        self._handled: list[signal.Signals] = []

    def __enter__(self) -> Terminable:
        if threading.current_thread() is threading.main_thread():
            default = (each for each in ENDING if signal.getsignal(each) == signal.SIG_DFL)
            self._process, self._handled = os.getpid(), list(default)
            for number in self._handled:
                signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)
        if self._heard and not self._told:
            raise TerminatedError(self._heard)

    @contextmanager
    def raising(self) -> Generator[None]:
        self._raises = True
        try:
            if self._heard:
                self._raise()
            yield
        finally:
            self._raises = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked process has no run of its own to record
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if number == signal.SIGHUP:
            hang_up()
        self._heard = self._heard or number
        if self._raises and not self._told:  # a scheduler may send the signal twice
            self._raise()

    def _raise(self) -> None:
        self._told = True
        raise TerminatedError(self._heard)
