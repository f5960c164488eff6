"""Notes in an annotation about the past of a field: `hidden: Annotated[int, Was("hidden_dim")] = 128`."""

from __future__ import annotations

from typing import Any

from cn.errors import DefinitionError


class Was:
    """The names that a field had before, the newest first: `Was("width")`, `Was("width", "dim")`.

    Old names are read in records and on the command line. A run keeps the hash that it had under the oldest name.
    """

    def __init__(self, *names: str) -> None:
        wrong = next((each for each in names if not str.isidentifier(str(each))), None)
        if wrong is not None or not names:
            what = f"Was({wrong!r}) gives no name of a field" if names else "Was() names no field"
            raise DefinitionError(f'{what}: write Was("old_name")')
        self.names = names


class Neutral:
    """The field is new, and its default is what was done before it was there. So the default changes no run's hash."""


Note = Was | Neutral


def notes_of(annotation: Any) -> tuple[Note, ...]:
    """Return the notes of an evaluated annotation."""
    return tuple(each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, (Was, Neutral)))
