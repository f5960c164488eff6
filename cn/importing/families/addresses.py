"""Addresses of YAML as Python."""

from __future__ import annotations

from cn.importing.families.families import Families, Family, Field, field_of
from cn.importing.families.names import is_attribute
from cn.writing.subclass import quoted


class Addresses:
    """Writes addresses as Python, with the names that the fields have in Python."""

    def __init__(self, families: Families) -> None:
        self.families = families

    def of_run(self, keys: list[str]) -> str:
        """Return Python for an absolute address."""
        return self.below("run", [self.families.run], keys)

    def is_node(self, keys: list[str]) -> bool:
        """Return whether a node stands at an absolute address, also one that an interpolation gives."""
        return self.gives_node(self.families.at(tuple(keys)))

    def names(self, held: list[Family], keys: list[str]) -> list[str]:
        """Return an address below nodes of some families with the names in Python."""
        found: list[str] = []
        for key in keys:
            field = field_of(held, key)
            found.append(field.name if field is not None else key)
            held = self._nodes(field) if field is not None else []
        return found

    def _nodes(self, field: Field) -> list[Family]:
        """Return the families of the nodes that a field can hold."""
        return [] if self.families.is_data(field) else self.families.every_of(field) or field.derived

    def gives_node(self, field: Field | None) -> bool:
        """Return whether a node can stand in a field."""
        families = self.families
        return field is not None and (
            bool(field.derived) or (families.of(field) is not None and not families.is_data(field))
        )

    def below(self, text: str, held: list[Family], keys: list[str]) -> str:
        """Return Python for what stands below nodes of some families."""
        data = False
        for key in keys:
            field = None if data else field_of(held, key)
            if field is not None:
                text += f".{field.name}"
                held = self._nodes(field)
                data = not held
            elif not data and any(key in each.extra for each in held):
                text += f".{key}" if is_attribute(key) else f".extra[{quoted(key)}]"
                held, data = [], True
            else:
                text += _item(key) if data or not is_attribute(key) else f".{key}"
                held = []
        return text


def _item(key: str) -> str:
    return f"[{int(key)}]" if key.isdecimal() else f"[{quoted(key)}]"
