"""Work out the type of each field that holds no node, also through interpolations."""

from __future__ import annotations

from typing import Any, cast

from cn.importing.families.families import Families, Field
from cn.importing.families.interpolations import Call, NotReadable, Reference, Text, address_of, parsed
from cn.importing.families.patches_that_follow import Following
from cn.importing.families.types import INTS, Known, Unknown, annotation, has_interpolation
from cn.nodes.class_body import TARGET

TEXTS = ("oc.env", "now", "hydra")  # resolvers that give a text


class Inference:
    """Sets `type` and `derived` of each field. exact: Any for what is doubtful."""

    def __init__(self, families: Families, *, exact: bool) -> None:
        self.families, self.exact = families, exact
        self._busy: set[int] = set()

    def run(self) -> None:
        for family in list(self.families.every()):
            for field in list(family.fields.values()):
                self.type_of(field)

    def type_of(self, field: Field) -> str:
        """Return the type of a field; `Any` for one that is being worked out."""
        if field.type or id(field) in self._busy:
            return field.type or "Any"
        self._busy.add(id(field))
        data = self.families.is_data(field)
        values: list[Any] = [self._value(each.value, field) for each in field.plain]
        values += [case.value for each in field.leaves if isinstance(each, Following) for case in each.cases]
        if data and field.family is not None:
            values.append(dict.fromkeys(field.family.fields))
        if (
            field.derived
            and not field.groups
            and not all(isinstance(each, Known) and each.type == "None" for each in values)
        ):
            field.derived, field.as_dict = [], True  # elsewhere it holds a value that is no node
            values.append(Unknown())
        declared = [each.file.types[each.keys] for each in field.leaves if each.keys in each.file.types]
        exact = self.exact and field.key not in TARGET
        inferred = annotation(values, optional=field.optional, exact=exact)
        field.type = declared[-1] if declared else inferred
        self._busy.discard(id(field))
        return field.type

    def _value(self, value: Any, field: Field) -> Any:
        if not has_interpolation(value):
            return value
        if not isinstance(value, str):
            return [Unknown()] if isinstance(value, list) else dict.fromkeys(cast("dict[Any, Any]", value))
        try:
            text = parsed(value)
        except NotReadable:
            return Unknown()
        if text.only is None:
            return Unknown() if self.exact else ""
        if isinstance(text.only, Reference):
            return self._reference(text.only, field)
        called = self._call(text.only, field)
        return called if not self.exact or field.derived else Unknown()

    def _reference(self, part: Reference, field: Field) -> Any:
        keys = [str(key.parts[0]) for key in part.keys]
        if not keys or any(not isinstance(piece, str) for key in part.keys for piece in key.parts):
            return Unknown()
        if not part.dots:
            found = self.families.at(tuple(keys))
            return self._held_by(found, field) if found is not None else Unknown()
        found = self.families.relative(field, part.dots - 1, keys)
        around = [family for level in range(part.dots - 1) for family in self.families.around(field, level)]
        if any(self.families.of(each) in around for each in found):  # perhaps the node that holds the field
            field.as_dict = not field.groups
            return Unknown()
        values = [self._held_by(each, field) for each in found]
        if values and self._is_node(values) == all(self._is_node([each]) for each in values):
            return values[0] if self._is_node(values) or (part.dots == 1 and len(keys) == 1) else Unknown()
        return Unknown()

    def _held_by(self, found: Field, field: Field) -> Any:
        """Return what another field gives; its node becomes one that the field can hold."""
        target = self.families.of(found)
        if target is not None and not self.families.is_data(found):
            self.type_of(found)
            for each in [target, *found.derived]:
                if not field.groups and each not in field.derived and each is not field.family:
                    field.derived.append(each)
            field.optional = field.optional or found.optional
            return Known("None")
        kind = self.type_of(found)
        if found.as_dict:
            return Unknown()
        inner = [each for each in found.derived if each is not field.family]
        if inner and not field.groups:
            field.derived += [each for each in inner if each not in field.derived]
            field.optional = field.optional or found.optional
            return Known("None")
        return Unknown() if self.exact and not kind.startswith(INTS) else Known(kind)

    def _call(self, call: Call, field: Field) -> Any:
        if call.name in TEXTS:
            none = len(call.arguments) > 1 and call.arguments[1] is None
            return Known("str | None") if none else ""
        if call.name == "oc.select" and call.arguments and isinstance(call.arguments[0], Text):
            address = address_of(call.arguments[0])
            values: list[Any] = [self._reference(address, field)] if address is not None else []
            default = call.arguments[1] if len(call.arguments) > 1 else None
            if default in (None, {}) and self._is_node(values):
                field.optional = True  # an empty dict is no node
                return Known("None")
            values.append(Unknown() if isinstance(default, Text) and default.only else self._plain(default))
            if any(isinstance(each, Unknown) for each in values):
                return Unknown()
            kinds = annotation([each for each in values if each is not None], optional=None in values, exact=False)
            return Unknown() if kinds == "Any" else Known(kinds)
        if call.name == "eval" and len(call.arguments) == 1 and isinstance(call.arguments[0], Text):
            return self._evaluated(call.arguments[0])
        return Unknown()

    def _is_node(self, values: list[Any]) -> bool:
        return any(isinstance(each, Known) and each.type == "None" for each in values)

    def _plain(self, value: Any) -> Any:
        return str(value.parts[0]) if isinstance(value, Text) else value

    def _evaluated(self, text: Text) -> Any:
        """Return what an expression gives for some values of the tree."""
        source = ""
        for part in text.parts:
            if isinstance(part, str):
                source += part
            elif isinstance(part, Reference) and not part.dots:
                found = self.families.at(tuple(str(key.parts[0]) for key in part.keys))
                values = [each.value for each in found.plain if not has_interpolation(each.value)] if found else []
                if not values:
                    return Unknown()
                source += str(values[0])
            else:
                return Unknown()
        try:
            return eval(source, {"__builtins__": {"int": int, "max": max, "min": min, "len": len, "round": round}})
        except Exception:
            return Unknown()
