"""Patches: named changes to a run, which `patches=[debug,wide]` applies in this order."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, cast

from cn.discovery import source
from cn.errors import DefinitionError, lines, short
from cn.nodes.node import CN


class Change(NamedTuple):
    """One change of a patch."""

    key: str  # what stands before the equals sign on a command line: `data.batch_size`, `model`, `+callbacks`
    value: Any
    place: str  # runs/patches/debug.py:8


class Patch(CN):
    """Changes to a run, whatever is chosen there. They apply after all choices and before the values typed.

    A key of `changes` is what stands before the equals sign on a command line. A value is a Python value, the name of
    an option, or a node. A subclass inherits the changes of its base.
    """

    changes: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        own: Any = vars(cls).get("changes", {})
        what = "" if isinstance(own, dict) else f" is {short(repr(own))}"
        for key in cast("dict[Any, Any]", {} if what else own):
            what = what if isinstance(key, str) else f" has the key {short(repr(key))}"
        if what:
            instead = 'write: changes = {"epochs": 3, "model": "vit"}'
            raise DefinitionError(
                lines(f"{cls.__name__}.changes{what}", instead, f"defined in {source.place(cls, 'changes')}")
            )

    @classmethod
    def all_changes(cls) -> list[Change]:
        """Return the changes, with those of base classes first."""
        found: dict[str, Change] = {}
        for base in reversed(cls.__mro__):
            for key, value in cast("dict[str, Any]", vars(base).get("changes", {})).items():
                found[key.replace("/", ".")] = Change(key, value, source.place(base, "changes", key))
        return list(found.values())
