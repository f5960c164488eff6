"""Put the values of an old run into nodes of the classes."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple, cast

from cn.errors import hint, short
from cn.importing.defaults_lists.contents import MISSING
from cn.importing.old_run.options import TARGET, best, current_name, name_of
from cn.importing.old_run.texts import Texts, UnknownTextError, holds_text
from cn.importing.old_run.written import Keys, Written
from cn.nodes.containers import Table
from cn.nodes.derived import derives
from cn.nodes.field_types import Child, Kind, Mismatch, same
from cn.nodes.former import current, past
from cn.nodes.node import CN, put
from cn.nodes.resolving import resolve
from cn.nodes.target import EXTRA
from cn.nodes.texts import texts_of
from cn.nodes.to_json import CLASS, DERIVED
from cn.nodes.traversal import address_of, is_field
from cn.run_folder.where import names as where_names

ITEMS = "items"  # the field of an option whose YAML is a list
Table_ = dict[str, Any]


class Lost(NamedTuple):
    """A value that has no place in the classes."""

    keys: Keys
    value: Any
    why: str


class Late(NamedTuple):
    """A field that the old run has a value for and that the class derives: the derived value stays if it is equal."""

    node: CN
    name: str
    keys: Keys
    derived: Any  # what derives it
    is_node: bool


class Filling:
    """Fills nodes, and notes what has no place, and the fields for which the old run has no value."""

    def __init__(self, written: Written, texts: Texts) -> None:
        self.written, self.texts = written, texts
        self.lost: list[Lost] = []
        self.absent: list[str] = []
        self.unchosen: list[Keys] = []
        self.late: list[Late] = []
        self.moved: dict[Keys, Keys] = {}  # where a value belongs now -> where it stands

    def fill(self, node: CN, mapping: Table_, at: Keys = ()) -> None:
        """Give a node the values of a mapping, and the nodes below it those of the mappings in it."""
        cls: Any = type(node)
        kinds = cast("dict[str, Kind]", resolve(cls))
        held, keys = dict[str, Any](), dict[str, Hashable]()
        moved = cast("dict[str, str]", getattr(cls, "_moved_", {}))
        for key, value in cast("dict[Hashable, Any]", mapping).items():
            name = name_of(cls, key)
            if name is None and not isinstance(kinds.get(EXTRA), Table) and key not in (CLASS, DERIVED):
                near = hint(str(key), (address_of("", cls, each) for each in kinds if is_field(each)))
                self.lost.append(Lost((*at, key), value, f"{cls.__name__} has no field {short(repr(key))}, {near}"))
                continue
            known = isinstance(key, str) and current_name(cls, key) is not None
            held[str(key if known or name is None else name)] = value
            if (now := moved.get(str(key))) is not None:
                self.moved[(*at, *now.split("."))] = (*at, key)
            else:
                keys.setdefault(str(name or key), key)
        extra: Table_ = {}
        record = current(cls, held)
        for name, value in record.items():
            here = (*at, keys.get(name, name))
            here = self.moved.get(here, here)
            if name in kinds:
                self._field(node, name, kinds[name], value, here)
            elif name not in (CLASS, DERIVED):
                extra[name] = self._known(value, here)
        if extra:
            self._set(node, EXTRA, kinds[EXTRA], {**vars(node).get(EXTRA, {}), **extra}, at)
        unsaid = {*record, *past(cls).neutral, *(where_names(cls) if not at else ())}
        for name in kinds:
            if name not in unsaid:
                self._leave_out(node, name, kinds[name], at)

    def _field(self, node: CN, name: str, kind: Kind, value: Any, at: Keys) -> None:
        derived = derives(node, name)
        if isinstance(value, str) and value == MISSING:
            vars(node).pop(name, None)
        elif derived is not None and holds_text(value) and (not isinstance(kind, Child) or isinstance(value, str)):
            self.late.append(Late(node, name, at, derived, is_node=isinstance(kind, Child)))
        elif isinstance(kind, Child):
            self._child(node, name, kind, self._known(value, at) if isinstance(value, str) else value, at)
        elif name == TARGET:
            if self._known(value, at) != vars(node).get(TARGET):
                cls = type(node).__name__
                self.lost.append(Lost(at, value, f"{cls} has the target {short(repr(vars(node).get(TARGET)))}"))
        else:
            self._set(node, name, kind, self._known(value, at), at)

    def _child(self, node: CN, name: str, kind: Child, value: Any, at: Keys) -> None:
        derived = derives(node, name)
        there = vars(node).get(name)
        if value is ...:  # it is among what is lost
            return None
        if kind.many:
            given: Any = value or {}
            if not isinstance(given, dict):
                return self.misfit(node, name, kind, value, at)
            found: Table_ = {}
            for key, each in cast("dict[str, Any]", given).items():
                held = cast("Table_", there or {}).get(key)
                made = self._made(kind, each, (*at, key), held, str(key)) if each is not None else None
                found |= {} if made is None else {str(key): made}
            put(node, name, None if value is None and kind.optional else found)
        elif value is None or (value == {} and kind.optional):
            if not kind.optional:
                return self.misfit(node, name, kind, value, at)
            put(node, name, None)
        elif (made := self._made(kind, value, at, there, None)) is not None:
            put(node, name, made)
        else:
            return None
        if derived is not None:
            self.late.append(Late(node, name, at, derived, is_node=True))
        return None

    def _made(self, kind: Child, value: Any, at: Keys, there: Any, called: str | None) -> CN | None:
        """Return the node of a mapping; None if no class fits, which is noted."""
        mapping: Any = {ITEMS: cast("list[Any]", value)} if isinstance(value, list) else value
        if not isinstance(mapping, dict):
            self.lost.append(Lost(at, value, f"{kind.replace(many=False).name} is a node"))
            return None
        address = ".".join(map(str, at))
        choices = self.written.choices
        if there is None and address in choices and choices[address] is None:
            self.unchosen.append(at)  # values that waited for a choice
            return None
        chosen = choices.get(address) or called
        table = cast("Table_", mapping)
        shape = {key: each for key, each in cast("dict[Any, Any]", mapping).items() if key not in (CLASS, DERIVED)}
        if isinstance(target := shape.get(TARGET), str) and holds_text(target):
            shape[TARGET] = self._known(target, (*at, TARGET))
        is_group = chosen is not None or not choices
        cls = best(kind.types, shape, chosen, there, is_group=is_group)
        if cls is None:
            names = " or ".join(each.__name__ for each in kind.types)
            found = Lost((*at, TARGET), shape[TARGET], f"no {names} has this target") if TARGET in shape else None
            self.lost.append(found or Lost(at, mapping, f"each {names} has a target, and this has none"))
            return None
        node = cast("CN", there if type(there) is cls else cls())
        if isinstance(value, list) and ITEMS in cls._fields:
            self._field(node, ITEMS, cast("dict[str, Kind]", resolve(cls))[ITEMS], value, at)
        else:
            self.fill(node, table, at)
        return node

    def _set(self, node: CN, name: str, kind: Kind, value: Any, at: Keys) -> None:
        if value is ...:
            return
        try:
            taken = accepted(kind, value)
        except Mismatch:
            self.misfit(node, name, kind, value, at)
            return
        if name not in vars(node) or not same(vars(node)[name], taken):
            put(node, name, taken)

    def give(self, node: CN, name: str, value: Any, at: Keys) -> None:
        """Set a node field to what a text of the old run gives."""
        kept, self.late = self.late, []  # the field is not derived any more
        self._child(node, name, cast("Child", resolve(type(node))[name]), value, at)  # type: ignore[index]
        self.late = [*kept, *(each for each in self.late if each.node is not node or each.name != name)]

    def misfit(self, node: CN, name: str, kind: Kind, value: Any, at: Keys) -> None:
        """Note a value that is not of a field's type."""
        self.lost.append(Lost(at, value, f"{address_of(type(node).__name__, type(node), name)} is {kind.name}"))

    def _known(self, value: Any, at: Keys) -> Any:
        """Return a value with its interpolations worked out; `...` if they cannot be, which is noted."""
        if not holds_text(value):
            return value
        try:
            return self.texts.value(at, recorded=True)
        except UnknownTextError as error:
            self.lost.append(Lost(at, value, str(error)))
            return ...

    def _leave_out(self, node: CN, name: str, kind: Kind, at: Keys) -> None:
        """Note that the old run has no value for a field; nodes that it did not choose are left out."""
        default = vars(node).get(name)
        if default is None or default == {} or (name == EXTRA and isinstance(kind, Table)):
            return
        if isinstance(kind, Child) and (kind.many or kind.optional):
            put(node, name, None if kind.optional else {})
        else:
            self.absent.append(address_of(".".join(map(str, at)), type(node), name))


def accepted(kind: Kind, value: Any) -> Any:
    """Return a value of YAML as a field takes it: with its own type, else as the text that was typed. Or Mismatch."""
    try:
        return kind.accept(value)
    except Mismatch:
        return kind.accept(value, texts_of(value))
