"""Notes in an annotation about the past of a field: `hidden: Annotated[int, Was("hidden_dim")] = 128`."""

from __future__ import annotations

from typing import Any

from cn.errors import DefinitionError


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


class Neutral:
    """A new field. With its default, a run behaves as before the field existed, so the default changes no hash."""


Note = Was | Neutral


def notes_of(annotation: Any) -> tuple[Note, ...]:
    """Return the notes of an annotation. DefinitionError for a note that is not called, or for two of one kind."""
    found: list[Any] = list(getattr(annotation, "__metadata__", ()))
    for each in (Was, Neutral):
        if each in found:
            raise DefinitionError(f"cannot be annotated with {each.__name__}: write {each.__name__}(...)")
        if sum(isinstance(note, each) for note in found) > 1:
            raise DefinitionError(f"has {each.__name__}(...) twice: write one, with all names")
    return tuple(each for each in found if isinstance(each, (Was, Neutral)))
