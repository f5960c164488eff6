"""Output to the screen: every text is escaped here, so that no text can control the terminal.

`say` is the only way to print: a test checks that `cn`, `models`, `data`, `runs` and `sweeps` use no other.
"""

from __future__ import annotations

import contextlib
import errno
import io
import math
import os
import re
import sys
from collections.abc import Generator
from typing import Any, TextIO, cast

ODD = re.compile(r"[^\n\t -~]")
SPACES = "\xa0\u202f\u3000"  # not printable according to Python, but harmless
_answers: list[TextIO] = []  # the stdout that each open `answering` replaced


class OutputError(OSError):
    """Standard output cannot be written: the disk is full."""


def escaped(text: str) -> str:
    r"""Escape every letter that could control a terminal, in Python's notation: `\x1b` for ESC, `\r`, `\u202e`."""
    return ODD.sub(lambda odd: odd[0] if odd[0].isprintable() or odd[0] in SPACES else repr(odd[0])[1:-1], text)


def one_line(text: str) -> str:
    """Escape a text for a table cell: line breaks and tabs are escaped too."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


def say(text: object = "", *, end: str = "\n", error: bool = False) -> None:
    """Print a text, escaped; to stderr if `error`."""
    stream = sys.stderr if error else output()
    with _taken(stream):
        stream.write(escaped(str(text)) + end)
        stream.flush()


def loading(library: str, *what: str) -> None:
    """On a terminal, print which library is about to be imported, since the import can take seconds."""
    if library not in sys.modules and sys.stderr.isatty():
        say(f"loading {', '.join([library, *what])}", error=True)


def as_json_text(data: Any) -> str:
    """Return data as JSON that every program reads: a number that is not finite becomes null."""
    import json  # most commands need none

    try:
        return json.dumps(data, indent=1, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(data), indent=1, allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in cast("dict[Any, Any]", data).items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in cast("list[Any]", data)]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def pour(data: bytes) -> None:
    """Write bytes unescaped, as the user requested."""
    with _taken(output()):
        output().flush()
        output().buffer.write(data)
        output().buffer.flush()


def flush() -> None:
    """Flush standard output."""
    with _taken(sys.stdout):
        sys.stdout.flush()


@contextlib.contextmanager
def _taken(stream: TextIO) -> Generator[None]:
    """Raise OutputError if a stream cannot be written; what the stream holds and later output then go to /dev/null."""
    try:
        with unless_closed():
            yield
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise OutputError(error.errno, f"standard output cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def unless_closed() -> Generator[None]:
    """Context manager: a write to a terminal that was closed is dropped, and so is all later output."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        hang_up()


def hang_up() -> None:
    """Direct standard output and error to /dev/null if their terminal is closed: to write to it would be an error."""
    import termios

    for number in (1, 2):
        try:
            termios.tcgetattr(number)
        except termios.error as error:
            if error.args[0] == errno.EIO:  # of no terminal it is ENOTTY
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def output() -> TextIO:
    """Return standard output, also while `answering` hides it from other code."""
    return _answers[-1] if _answers else sys.stdout


def width() -> int | None:
    """Return the columns of the terminal, or COLUMNS if it is set; None if the output is not a terminal."""
    stream = output()
    if not stream.isatty():
        return None
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


@contextlib.contextmanager
def answering() -> Generator[None]:
    """Reserve standard output for `say`: node files and their subprocesses print to stderr.

    Text that they printed earlier, which Python still buffers, goes to stderr too.
    """
    stream = sys.stdout
    with contextlib.ExitStack() as after:
        if _answers:  # nested: standard output is reserved already
            stream = _answers[-1]
        elif _is_first(stream):
            kept = os.dup(1)
            after.callback(os.close, kept)
            os.dup2(sys.stderr.fileno(), 1)
            after.callback(os.dup2, kept, 1)
            stream.flush()
            ours = open(kept, "w", encoding=stream.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
            after.callback(_close, ours)
            stream = ours
        _answers.append(stream)
        after.callback(_answers.pop)
        after.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def any_letter() -> None:
    """Make standard output escape letters that it cannot encode, such as those of a name in a log."""
    stream: object = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def quoting() -> Generator[None]:
    """Print the output of other code, such as Hydra's pages, through `say`."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        try:
            yield
        finally:
            said = text.getvalue()
    say(said, end="")


def _is_first(stream: TextIO) -> bool:
    """Return whether the stream is the process's own standard output."""
    try:
        return stream.fileno() == 1
    except OSError:  # a stream that a test put there
        return False


def _close(stream: TextIO) -> None:
    with contextlib.suppress(OSError):  # `say` has already reported the error
        stream.close()
