"""A folder for each call of a program's function, with the run's configuration, command, output and result."""

from __future__ import annotations

import datetime
import functools
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TextIO, cast

from cn.errors import CNError, RunError
from cn.job import Job, Pruned
from cn.run_folder.folder import claimed, command_line, create, log, write_json
from cn.run_folder.progress import OWN, TIMES
from cn.run_folder.status import RunStatus
from cn.run_folder.terminated import Terminable, TerminatedError
from cn.screen import say

SCORE = "score"  # the name of a single returned number in the summary


class Recorded:
    """Calls the function with a new `job.folder` and records the run. It can be pickled if the function can."""

    def __init__(self, function: Callable[[Any, Job], Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, run: Any, job: Job) -> Any:
        again = job.folder if job.folder == job.source else None  # a trial that goes on in its folder
        folder = again or create(run, job)
        summary: dict[str, Any] = {
            "state": RunStatus.RUNNING,
            "command": command_line(job),
            **({"source": str(job.source)} if job.source is not None else {}),
            "started": _now(),
        }
        began = time.monotonic()
        home = folder.absolute()  # the function may change the current folder

        def leave(state: RunStatus, **more: Any) -> None:
            took = {"ended": _now(), "seconds": round(time.monotonic() - began, 3)}
            write_json(home / "summary.json", {**summary, **took, "state": state, **more})

        with Terminable() as terminable, claimed(folder):
            write_json(home / "summary.json", summary)
            try:
                with _back(), _kept(home / "log.txt"), terminable.raising():
                    result = self.function(run, replace(job, folder=folder))
                found = numbers(result)
            except BaseException as error:
                state, reason = _ended(error)
                try:
                    leave(state, **({"reason": reason} if reason is not None else {}))
                except OSError as second:  # the folder is gone
                    say(f"summary.json cannot be written: {second}", error=True)
                if state != RunStatus.FINISHED:
                    with suppress(OSError):  # the disk is full
                        log(home, _told(error, reason))
                raise
            try:
                leave(RunStatus.FINISHED, **found, goal=goal_among(found))
            except OSError as error:  # the folder is gone
                came = ", ".join(f"{name}={value}" for name, value in found.items()) or "no number"
                raise RunError(
                    f"cannot write to {folder}: {error.strerror or error}", f"the function has returned {came}"
                ) from None
        return result


def numbers(result: Any) -> dict[str, float]:
    """Return the numbers of a function's result by name; a single number is the score. Other values are ignored.

    RunError for a number with a name that summary.json uses for something else.
    """
    if not isinstance(result, Mapping):
        number = _number(result)
        return {} if number is None else {SCORE: number}
    named = {str(name): _number(value) for name, value in cast("Mapping[Any, Any]", result).items()}
    found = {name: number for name, number in named.items() if number is not None}
    if taken := [name for name in found if name in (*OWN, *TIMES)]:
        what = f"the function returned {taken[0]!r}, which is a name that summary.json needs for something else"
        raise RunError(what, f"return it under another name, such as 'final_{taken[0]}'")
    return found


def goal_among(found: Mapping[str, float]) -> str:
    """Return which of the returned numbers counts: the score, else the first."""
    return SCORE if SCORE in found or not found else next(iter(found))


def _number(value: Any) -> float | None:
    """Convert a number of Python, NumPy or torch to a plain one; None for other values."""
    if value is None or isinstance(value, (str, bytes, bool)):
        return None
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # torch raises RuntimeError for a tensor of several numbers
        return None


def _told(error: BaseException, reason: str | None) -> str:
    """Return the text for log.txt: the message of a CNError, the traceback of any other exception."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return reason or ""
    return str(error) if isinstance(error, CNError) else "".join(traceback.format_exception(error)).rstrip()


def _ended(error: BaseException) -> tuple[RunStatus, str | None]:
    """Return the state of a run that an exception ended, and the reason."""
    if isinstance(error, KeyboardInterrupt):
        return RunStatus.INTERRUPTED, "stopped by Ctrl-C"
    if isinstance(error, TerminatedError):
        return RunStatus.INTERRUPTED, f"stopped by {error.name}"
    if isinstance(error, Pruned):
        return RunStatus.INTERRUPTED, str(error)
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return RunStatus.FINISHED, None
        told = error.code if isinstance(error.code, str) else f"it ended with exit status {error.code}"
        return RunStatus.FAILED, told.partition("\n")[0]
    first = str(error).partition("\n")[0]
    if isinstance(error, CNError):
        return RunStatus.INTERRUPTED if error.status > 128 else RunStatus.FAILED, first
    return RunStatus.FAILED, f"{type(error).__name__}{': ' if first else ''}{first}"


def _now() -> str:
    return datetime.datetime.now().isoformat(" ", "seconds")


@contextmanager
def _back() -> Generator[None]:
    """Return to the current folder at the end; if that is gone, stay."""
    here = os.getcwd()
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(here)


@contextmanager
def _kept(path: Path) -> Generator[None]:
    """Copy Python's stdout and stderr to a file; any letters can be written."""
    with ExitStack() as streams:
        file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        streams.callback(_close, file)
        if not isinstance(sys.stdout, Both):
            streams.enter_context(redirect_stdout(cast("TextIO", Both(sys.stdout))))
        if not isinstance(sys.stderr, Both):
            streams.enter_context(redirect_stderr(cast("TextIO", Both(sys.stderr))))
        Both.files.append(file)
        try:
            yield
        finally:
            if file in Both.files:
                Both.files.remove(file)


def _close(file: TextIO) -> None:
    """Close a log; what Python still holds of it cannot be written on a full disk."""
    try:
        file.close()
    except OSError as error:
        say(_unwritten(file, error), error=True)


def _unwritten(file: TextIO, error: OSError) -> str:
    return f"{Path(file.name).name} cannot be written: {error}"


class Both:
    """A stream whose writes also go to the logs of the current runs; it delegates every other attribute to the stream.

    A logging handler keeps the stream of the run in which it was made, and its text belongs in the log of later runs.
    """

    files: ClassVar[list[TextIO]] = []  # the logs of the runs that this process is in

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        for file in list(self.files):
            try:
                file.write(text)
            except OSError as error:
                self.files.remove(file)
                with suppress(OSError):  # it tries to write the same text again
                    file.close()
                self._stream.write(f"{_unwritten(file, error)}\n")
        return written

    def writelines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
