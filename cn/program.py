"""Commands in messages: the name of the program, and words quoted for the shell."""

import os
import shlex
import sys

script = "train.py"
typed: tuple[str, ...] = ()  # the words after the program's name, where they ask for a run
LONGEST = 200  # letters; a longer word is not repeated in messages


def of_process() -> str:
    """Return what is typed after `python` to start the program of this process: `train.py`, or `-m proj.train`."""
    path, spec = sys.argv[0], getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.origin == path:
        return f"-m {spec.name.removesuffix('.__main__')}"
    near = os.path.relpath(path) if path else script
    return quoted(path if near.startswith(os.pardir) else near)


def of_function(function: str) -> str:
    """Return what is typed after `python` to start the program that trials call: `train.py` for `train:train`."""
    module = function.partition(":")[0]
    return f"-m {module}" if "." in module else f"{module}.py"


def command(*words: str, program: str | None = None) -> str:
    """Return the shell command that starts a program with these words; by default, the one that runs now."""
    return " ".join(["python", program or script, *map(shlex.quote, words)])


def quoted(word: str) -> str:
    """Quote a word for the shell."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def said(key: str, value: str) -> str:
    """Return `KEY=VALUE` quoted for the shell, with `...` in place of a value that is too long or not printable."""
    word = f"{key}={value}"
    return quoted(word) if len(word) <= LONGEST and word.isprintable() else f"{key}=..."
