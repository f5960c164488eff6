"""The exceptions of CN, and the layout of a message: the mistake, its place, the nearest name, the next command."""

from __future__ import annotations

from collections.abc import Iterable


class Notice(UserWarning):
    """Something that the user should know, although the command goes on; it is printed as its text alone."""


class CNError(Exception):
    """Anything that CN refuses; `main` prints it without a traceback. Its text is that of `lines`."""

    status = 1  # the exit status of the process

    def __init__(self, what: object = "", *more: str | None) -> None:
        super().__init__(lines(str(what), *more))


class UserError(CNError, ValueError):
    """A mistake in the user's input: exit status 2, before torch is imported."""

    status = 2


class DefinitionError(UserError, TypeError):
    """A node class that cannot work as it is written; raised while its file is imported."""


class MissingValueError(UserError, AttributeError):
    """A required field was read before it was given a value."""


class UnfinishedError(UserError):
    """A value cannot be derived, because it needs one that is required and was not given."""


class FrozenError(CNError, AttributeError):
    """A composed node was changed."""

    def within(self, subject: str, instead: str) -> UserError:
        """Return the error about a method or function of a class that may read a run, and tried to change it."""
        what, *more = str(self).split("\n  ")
        return UserError(f"{subject}{what}", *more[:1], instead)


class RunError(CNError, RuntimeError):
    """A run that started and could not finish: exit status 1."""


def lines(what: str, *more: str | None) -> str:
    """Join the message `what` and each part of `more` that is not empty, one indented line each; six lines at most."""
    return "\n  ".join([what, *(line for line in more if line)][:6])


def short(text: str) -> str:
    """Return a user's text on one line, and shorten it if it is long."""
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 200 else f"{text[:120]} ... {text[-60:]}"


def nearest(word: str, words: Iterable[str], *, most: int = 3) -> list[str]:
    """The names most like `word`, best first: by spelling, by a shared last part, then by a shared beginning."""
    from difflib import get_close_matches  # a command without an error does not need it

    names = sorted(set(words))
    close = get_close_matches(word.lower(), names, n=most, cutoff=0.55)
    last = word.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
    tails = [name for name in names if name.rsplit("/", 1)[-1].rsplit(".", 1)[-1] == last]
    heads = [name for name in names if len(last) > 1 and name.startswith(last[:3])]
    return list(dict.fromkeys([*close, *tails, *heads]))[:most]


def hint(word: str, words: Iterable[str], *, most: int = 8) -> str:
    """Return `nearest: a, b` if similar names exist, otherwise a list of the choices."""
    names = sorted(set(words))
    near = nearest(word, names)
    if near:
        return f"nearest: {', '.join(near)}"
    if not names:
        return "there is nothing to choose from"
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return f"choose from: {', '.join(names[:most])}{more}"
