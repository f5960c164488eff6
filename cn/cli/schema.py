"""`--schema`: all that a program's contract can hold, as JSON Schema (draft 2020-12).

The schema describes records, the JSON of a run folder's config.json, which `--from FILE` reads. In a record, `_class_`
names the option of each node (`"_class_": "models.vit:ViT"`), because a class is unique, and the name of an option is
so only within its group. The title of each definition says the words of the command line (`model=vit`).

Each class has one definition, and each contract has one that lists its options; fields refer to them. The size is
therefore linear in the number of classes. A contract selects an option's definition by `_class_` with `if` and `then`,
so that a validator checks each node once and reports the wrong field.
"""

from __future__ import annotations

import inspect
import json
import math
import warnings
from dataclasses import MISSING
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from cn import program
from cn.composing.compose import compose
from cn.discovery import discover, registry, source
from cn.errors import Notice
from cn.nodes.containers import Items, Row, Table
from cn.nodes.derived import Derived
from cn.nodes.field_types import MEMBER, SCALARS, VALUE, Child, Either, Kind, Member, OneOf
from cn.nodes.node import CN
from cn.nodes.ranges import Ranged
from cn.nodes.resolving import kinds_of
from cn.nodes.to_json import CLASS, DERIVED, plain
from cn.nodes.traversal import address_of, alike, default_of, is_field, values

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NAMES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "None": "null", "Path": "string"}
BOUNDS = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}
SIZES = {"string": "Length", "array": "Items", "object": "Properties"}
INT = r"^[+-]?(?:0|[1-9](?:_?[0-9])*)$"  # a key of a dict by int


def schema_text(contract: type[CN], base: CN | None, overrides: list[str]) -> str:
    """Return the schema as JSON; with overrides or a recorded run, the run that they compose is its default."""
    asked = base is not None or bool(overrides)
    composed = compose(base if base is not None else contract, overrides) if asked else None
    return json.dumps(schema(contract, composed), indent=1, allow_nan=False, ensure_ascii=False)


def schema(contract: type[CN], composed: CN | None = None) -> Schema:
    """Return the JSON Schema of the records of a contract.

    composed: a run whose record becomes the default of the whole schema.
    A file that cannot be used is left out and is named in a Notice.
    """
    made = Definitions()
    root = made.options((contract,), [] if composed is None else [type(composed)])
    made.complete()
    found: Schema = {"$schema": DRAFT, "title": program.script, **root}
    if composed is not None and (record := finite(plain(composed))) is not MISSING:
        found["default"] = record
    return {**found, "$defs": dict(sorted(made.found.items()))}


class Definitions:
    """The definitions made so far, and the classes and contracts that have none yet."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}
        self.contracts: dict[tuple[type, ...], dict[type, None]] = {}  # the classes that each may hold
        self.classes: dict[type, None] = {}
        self.broken: set[discover.Broken] = set()

    def complete(self) -> None:
        """Define each class and then each contract."""
        defined: set[type] = set()
        while todo := [cls for cls in self.classes if cls not in defined]:
            for cls in todo:
                defined.add(cls)
                self.found[name_of(cls)] = self.definition(cls)
        for types, classes in self.contracts.items():
            self.found[_contract(types)] = _choice(types, list(classes))

    def options(self, types: tuple[type, ...], also: list[type]) -> Schema:
        """Return a reference to the definition of the options of these types, with the classes `also` among them."""
        if types not in self.contracts:
            listed, broken = discover.options(types)
            for each in set(broken) - self.broken:
                warnings.warn(f"{each.file} is not in the schema: {each.why}", Notice, stacklevel=2)
            self.broken |= set(broken)
            alone = [each for each in types if not listed and not inspect.isabstract(each)]
            self.contracts[types] = dict.fromkeys([*listed.values(), *alone])
        self.contracts[types] |= dict.fromkeys(also)
        self.classes |= self.contracts[types]
        return {"$ref": f"#/$defs/{quote(_contract(types))}"}

    def definition(self, cls: Any) -> Schema:
        """Return the definition of one class."""
        kinds = kinds_of(cls)
        key = registry.key_of(cls)
        fields = [address_of("", cls, name) for name in cls._fields if is_field(name)]
        properties: Schema = {CLASS: {"const": name_of(cls)}, DERIVED: {"type": "array", "items": {"enum": fields}}}
        if not fields:
            properties[DERIVED] = {"type": "array", "maxItems": 0}
        required = [CLASS]
        for name, field in cls._fields.items():
            default = default_of(field)
            if not is_field(name):  # _target_: a record cannot change it
                properties[name] = {"const": default}
                continue
            derived, key_of_field = isinstance(default, Derived), address_of("", cls, name)
            said = {"description": text} if (text := source.comment(cls, name)) else {}
            if derived:
                said["$comment"] = "derived from other fields if it is absent"
            elif default is MISSING:
                required.append(key_of_field)
            elif (record := finite(_record(default, kinds[name]))) is not MISSING:
                said["default"] = record
            properties[key_of_field] = {**said, **self.of(kinds[name], default)}
        doc = inspect.cleandoc(cls.__doc__ or "")
        return {
            "title": str(key) if key else cls.__name__,
            **({"description": doc} if doc else {}),
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def of(self, kind: Kind, default: Any = MISSING) -> Schema:
        """Return the schema of a field's type. `default`: its nodes are options even if no word names them."""
        if isinstance(kind, Child):
            held = cast("dict[str, Any]", default).values() if isinstance(default, dict) else [default]
            one = self.options(kind.types, [type(each) for each in held if isinstance(each, CN)])
            if kind.many:
                one = {"type": "object", "additionalProperties": one}
            return {"anyOf": [one, {"type": "null"}]} if kind.optional else one
        if isinstance(kind, Ranged):
            return _within(self.of(kind.kind), kind)
        if isinstance(kind, Either):
            return {"anyOf": _members([self.of(member) for member in kind.members])}
        if isinstance(kind, OneOf):
            return {"enum": [kind.plain(value) for value in kind.values]}
        if isinstance(kind, Member):
            return {"enum": kind.choices()}
        if isinstance(kind, Items):
            return {"type": "array", "items": self.of(kind.item)}
        if isinstance(kind, Row):
            size = len(kind.items)
            items: Schema = {"prefixItems": [self.of(item) for item in kind.items]} if size else {}
            return {"type": "array", **items, "minItems": size, "maxItems": size}
        if isinstance(kind, Table):
            keys = {} if kind.key == SCALARS[str] else {"propertyNames": {"pattern": INT}}
            if isinstance(kind.key, (Member, OneOf)):
                keys = {"propertyNames": {"enum": [str(word) for word in kind.key.choices()]}}
            return {"type": "object", **keys, "additionalProperties": self.of(kind.value)}
        if kind.name in NAMES:
            return {"type": NAMES[kind.name], **({"minLength": 1} if kind == SCALARS[Path] else {})}
        return {}  # Any


def name_of(cls: type) -> str:
    """Return the name of a class in records and of its definition."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _contract(types: tuple[type, ...]) -> str:
    return f"{'|'.join(map(name_of, types))}.options"


def _choice(types: tuple[type, ...], classes: list[type]) -> Schema:
    cases = [
        {"if": {"properties": {CLASS: {"const": name_of(cls)}}}, "then": {"$ref": f"#/$defs/{quote(name_of(cls))}"}}
        for cls in classes
    ]
    return {
        "title": " or ".join(each.__name__ for each in types),
        "type": "object",
        "properties": {CLASS: {"enum": [name_of(cls) for cls in classes]}},
        "required": [CLASS],
        **({"allOf": cases} if cases else {}),
    }


def _members(members: list[Schema]) -> list[Schema]:
    """Return the members of a union, and the tagged form of those whose JSON another member may accept first."""
    tagged = [
        {
            "type": "object",
            "properties": {MEMBER: {"const": index}, VALUE: member},
            "required": [MEMBER, VALUE],
            "additionalProperties": False,
        }
        for index, member in enumerate(members)
        if any(_types(member) & _types(other) for place, other in enumerate(members) if place != index)
    ]
    return [*members, *tagged]


def _types(member: Schema) -> set[str]:
    """Return the JSON types of a member of a union; all of them for Any."""
    if "enum" in member:
        return {NAMES[type(value).__name__ if value is not None else "None"] for value in member["enum"]}
    return {member["type"]} if "type" in member else {*NAMES.values(), *SIZES}


def _within(of: Schema, kind: Ranged) -> Schema:
    found = dict(of)
    for sign, bound in kind.bounds:
        if math.isfinite(bound):
            name, strictest = BOUNDS[sign], max if sign[0] == ">" else min
            found[name] = strictest(found.get(name, bound), bound)
    for sign, length in kind.lengths:
        name, strictest = ("min", max) if sign == ">=" else ("max", min)
        name += SIZES[of["type"]]
        found[name] = strictest(found.get(name, length), length)
    return found if kind.multiple is None else {**found, "multipleOf": abs(kind.multiple)}


def _record(default: Any, kind: Kind) -> Any:
    """Return a default in JSON form; of a node, its class and what differs from the defaults of that class."""
    if not isinstance(kind, Child):
        return kind.plain(default)
    if isinstance(default, dict):
        return {key: _changed(each) for key, each in cast("dict[str, CN]", default).items()}
    return None if default is None else _changed(default)


def _changed(node: CN) -> Schema:
    cls: Any = type(node)
    kinds = kinds_of(cls)
    found: Schema = {CLASS: name_of(cls)}
    for name, value in values(node).items():
        if not alike(value, default_of(cls._fields[name])):
            found[address_of("", cls, name)] = _record(value, kinds[name])
    return found


def finite(value: Any) -> Any:
    """Return a JSON value unchanged; MISSING if it holds inf or nan, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else MISSING
    inner = cast("Any", value.values() if isinstance(value, dict) else value if isinstance(value, list) else [])
    return MISSING if any(finite(each) is MISSING for each in inner) else cast("Any", value)
