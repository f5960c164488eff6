"""What a process asks of the kernel for itself: its end with its parent, and signals that wait."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with_parent(number: signal.Signals) -> None:
    """Ask the kernel to send this process the signal when its parent ends (Linux only; does nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


@contextmanager
def blocked(numbers: Iterable[signal.Signals]) -> Generator[None]:
    """Context manager: block signals; a process that is started meanwhile has them blocked until it unblocks them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
