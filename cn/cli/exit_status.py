"""The end of a command: its error is printed once, and its exit status is returned."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from cn.errors import CNError, Notice, UserError, short
from cn.screen import OutputError, escaped, flush, say

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def exit_status(action: Callable[[], int | None]) -> int:
    """Run an action, print its error, and return the exit status: the action's own, or that of the error."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by `>&-`: no later file may get its descriptor
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    formatted = warnings.formatwarning

    def shown(message: Any, category: type[Warning], *args: Any, **options: Any) -> str:  # warnings contain file names
        told = f"{message}\n" if issubclass(category, Notice) else formatted(message, category, *args, **options)
        return escaped(told)

    warnings.formatwarning = shown
    try:
        return _ended(action)
    except OutputError as error:
        say(error.strerror, error=True)
        return 1
    except BrokenPipeError:  # the reader of our output, such as head or less, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    finally:
        warnings.formatwarning = formatted


def _ended(action: Callable[[], int | None]) -> int:
    try:
        _expect_folder()
        status = action() or 0
        flush()  # flush inside the `try`, so that a closed pipe is caught
        return status
    except CNError as error:
        flush()
        say(error, error=True)
        return error.status
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            say(f"{short(str(error.filename))}: {error.strerror}", error=True)
            return 2
        if error.errno in FULL and error.filename is None and not isinstance(error, OutputError):
            say()  # fails too, if the first error came from a print
        raise


def _expect_folder() -> None:
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError("the current folder has been deleted", "go to one that is there: cd FOLDER") from None
