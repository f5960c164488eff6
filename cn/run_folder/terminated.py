"""SIGTERM ends a run as an exception does, so that the run's end is recorded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class TerminatedError(SystemExit):
    """The process received SIGTERM; the exit status is that of a process which the signal killed."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class Terminable:
    """Context manager: SIGTERM raises TerminatedError inside `raising`, and elsewhere at the end of the whole block.

    It has an effect only in the main thread, and only if SIGTERM has no handler yet.
    """

    def __init__(self) -> None:
        self._heard = self._told = self._raises = False
        self._process = 0  # id, or 0 if SIGTERM is not handled here

    def __enter__(self) -> Terminable:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._process = os.getpid()
            signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self._heard and not self._told:
            raise TerminatedError

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
        self._heard = True
        if self._raises and not self._told:  # a scheduler may send the signal twice
            self._raise()

    def _raise(self) -> None:
        self._told = True
        raise TerminatedError
