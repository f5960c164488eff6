"""The screen: what the program shows goes through here, so that no text in it can command the terminal.

`say` is the only way to print: a test holds that `cn`, `models`, `data`, `runs` and `sweeps` have no other.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Generator
from typing import TextIO

ODD = re.compile(r"[^\n\t -~]")
SPACES = "\xa0\u202f\u3000"  # not printable in Python's eyes, and harmless
_answers: list[TextIO] = []  # where stdout went before each open `answering`


class OutputError(OSError):
    """Standard output takes nothing: the disk is full."""


def escaped(text: str) -> str:
    r"""The text with each letter that could act on a terminal as Python writes it: `\x1b` for ESC, `\r`, `\u202e`."""
    return ODD.sub(lambda odd: odd[0] if odd[0].isprintable() or odd[0] in SPACES else repr(odd[0])[1:-1], text)


def one_line(text: str) -> str:
    """The same without line breaks and tabs, for a cell of a table."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


def say(text: object = "", *, end: str = "\n", error: bool = False) -> None:
    """Print a text, escaped; `error` prints it to stderr."""
    stream = sys.stderr if error else output()
    with _taken(stream):
        stream.write(escaped(str(text)) + end)
        stream.flush()


def loading(library: str, *what: str) -> None:
    """Say on a terminal, before a library is imported, which takes seconds on a busy machine, what is being loaded."""
    if library not in sys.modules and sys.stderr.isatty():
        say(f"loading {', '.join([library, *what])}", error=True)


def pour(data: bytes) -> None:
    """Write bytes as they are, which the user has asked for."""
    with _taken(output()):
        output().flush()
        output().buffer.write(data)
        output().buffer.flush()


def flush() -> None:
    """Let out what has been printed."""
    with _taken(sys.stdout):
        sys.stdout.flush()


@contextlib.contextmanager
def _taken(stream: TextIO) -> Generator[None]:
    """OutputError where a stream takes nothing; what it still holds goes nowhere, and so does what comes later."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise OutputError(error.errno, f"standard output cannot be written: {error.strerror}") from None


def output() -> TextIO:
    """Standard output, also while `answering` keeps it from all others."""
    return _answers[-1] if _answers else sys.stdout


def width() -> int | None:
    """Columns of the terminal, or COLUMNS where that is set; None where the output goes elsewhere."""
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
    """Keep standard output for what `say` prints: what node files and their processes print goes to stderr.

    So does what they printed before, while the program itself was imported, if Python still holds it back.
    """
    stream = sys.stdout
    with contextlib.ExitStack() as after:
        if _answers:  # kept already
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
    """Let standard output take letters that it cannot encode, escaped: a name in a log may have any."""
    stream: object = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def quoting() -> Generator[None]:
    """Say what other code prints within, such as Hydra's own pages."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        try:
            yield
        finally:
            said = text.getvalue()
    say(said, end="")


def _is_first(stream: TextIO) -> bool:
    """Whether the stream is the process's own standard output."""
    try:
        return stream.fileno() == 1
    except OSError:  # one that a test has put there
        return False


def _close(stream: TextIO) -> None:
    with contextlib.suppress(OSError):  # known already, from `say`
        stream.close()
