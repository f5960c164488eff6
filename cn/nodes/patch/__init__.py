"""Patches: named changes to a run, which `patches=[debug,wide]` applies in this order."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, cast

from cn.discovery import source
from cn.errors import DefinitionError, short
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
        _refuse_fields(cls)
        own: Any = vars(cls).get("changes", {})
        what = "" if isinstance(own, dict) else f" is {short(repr(own))}"
        instead = 'write: changes = {"epochs": 3, "model": "vit"}'
        for key in cast("dict[Any, Any]", {} if what else own):
            what = what if isinstance(key, str) else f" has the key {short(repr(key))}"
            if isinstance(key, str) and key.lstrip("+~") == "patches":
                what = f" has the key {key!r}, and a patch chooses no other patches"
                instead = f"to begin with the changes of another: class {cls.__name__}(OTHER)"
        if what:
            there = f"defined in {source.place(cls, 'changes')}"
            raise DefinitionError(f"{cls.__name__}.changes{what}", instead, there)

    @classmethod
    def all_changes(cls) -> list[Change]:
        """Return the changes, with those of base classes first."""
        found: dict[str, Change] = {}
        for base in reversed(cls.__mro__):
            for key, value in cast("dict[str, Any]", vars(base).get("changes", {})).items():
                found[key.replace("/", ".")] = Change(key, value, source.place(base, "changes", key))
        return list(found.values())


def _refuse_fields(cls: type[Patch]) -> None:
    """Raise DefinitionError for a field or a value of a patch's class, which would change nothing."""
    own, kinds = vars(cls), source.own_annotations(cls)
    annotated = [name for name, kind in kinds.items() if "ClassVar" not in str(kind)]
    plain = [name for name, value in own.items() if not (name.startswith("_") or name in kinds or _is_method(value))]
    for name in (*annotated, *plain):
        if name != "changes" or name in annotated:
            is_dict = name == "changes" or isinstance(own.get(name), dict)
            instead = "changes = {...}" if is_dict else f'changes = {{"{name}": {short(repr(own.get(name, ...)))}}}'
            what = f"{cls.__name__}.{name} would change nothing: a patch is what its changes name"
            raise DefinitionError(what, f"write: {instead}", f"defined in {source.place(cls, name)}")


def _is_method(value: object) -> bool:
    return hasattr(type(value), "__get__") or isinstance(value, type)
