"""Notes in an annotation of a field, such as its old names: `hidden: Annotated[int, Was("hidden_dim")] = 128`."""

from __future__ import annotations

import re
from typing import Any, cast

from cn.errors import DefinitionError

TEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*")
TAKEN = ("hydra", "_class_", "_derived_", "_target_", "_partial_", "_args_", "_recursive_", "_convert_")


class Was:
    """The names that a field had before, the newest first: `Was("width")`, `Was("width", "dim")`.

    Old names are read in records and on the command line. A run keeps the hash that it had under the oldest name.
    """

    def __init__(self, *names: str) -> None:
        for each in names or (None,):
            if not isinstance(each, str) or not each.isidentifier():
                what = f"Was({each!r}) gives no name of a field" if names else "Was() names no field"
                raise DefinitionError(f'{what}: write Was("old_name")')
        self.names = names


class Key:
    """The name of a field that Python cannot name: `value: Annotated[float, Key("Loss/value")]`.

    It is the name on the command line, in records and for a target; in Python, the field keeps its own name.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(cast("Any", text), str) or not TEXT.fullmatch(text):
            raise DefinitionError(f"Key({text!r}) cannot be typed: write letters, digits, _ and -, with / in between")
        if text in TAKEN:
            raise DefinitionError(f"Key({text!r}) belongs to cn: write a field of a dict instead")
        self.text = text


class Neutral:
    """A new field. With its default, a run behaves as before the field existed, so the default changes no hash."""


Note = Was | Neutral | Key


def notes_of(annotation: Any) -> tuple[Note, ...]:
    """Return the notes of an annotation. DefinitionError for a note that is not called, or for two of one kind."""
    found: list[Any] = list(getattr(annotation, "__metadata__", ()))
    for each in (Was, Neutral, Key):
        if each in found:
            raise DefinitionError(f"cannot be annotated with {each.__name__}: write {each.__name__}(...)")
        if sum(isinstance(note, each) for note in found) > 1:
            raise DefinitionError(f"has {each.__name__}(...) twice: write one, with all names")
    return tuple(each for each in found if isinstance(each, (Was, Neutral, Key)))
