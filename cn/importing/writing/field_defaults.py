"""Defaults of fields as expressions: instances of classes, derived values, plain ones."""

from __future__ import annotations

from typing import Any, cast

from cn.importing.classes.classes import Derived, Made, Plain, Required
from cn.importing.classes.items import unescaped
from cn.importing.defaults_lists.contents import MISSING, Leaf, Slot
from cn.importing.families.families import Field
from cn.importing.families.interpolations import NotReadable
from cn.importing.families.patches_that_follow import Following
from cn.importing.families.types import has_interpolation, with_text_keys
from cn.importing.writing.expressions import Writer
from cn.importing.writing.layout import Expression, Lambda, literal, one_line
from cn.importing.writing.module_names import ModuleNames
from cn.writing.subclass import quoted


class Defaults(ModuleNames):
    """Writes the defaults of one file."""

    def expression(self, value: Made | Derived | Plain | Required, field: Field) -> Expression:
        """Return a default as an expression."""
        if isinstance(value, Made):
            family = value.of.family
            if not value.of.name:  # a dict of nodes
                entries = [
                    (f'"{key}": ', self.expression(each.value, family.field(key))) for key, each in value.values.items()
                ]
                return "{", entries, "}"
            name = self.of_family(family) if value.of.is_contract else self.named(value.of.module, value.of.name)
            fields = {key: family.field(key) for key in value.values}
            parts = [
                (f"{fields[key].name}=", self.expression(each.value, fields[key])) for key, each in value.values.items()
            ]
            return f"{name}(", parts, ")"
        if isinstance(value, Derived):
            return self.derived(value.value, field, value.leaf)
        assert isinstance(value, Plain)
        return literal(with_text_keys(value.value, field.type))

    def derived(self, value: Any, field: Field, leaf: Leaf | None = None, home: list[str] | None = None) -> Expression:
        """Return a value that is worked out from the run. home: its address, if it stands in one place only."""
        value = with_text_keys(value, field.type)
        writer = Writer(self.all.addresses, field)
        writer.gives_node = bool(self.node_families(field))
        writer.classes, writer.home = self.all.class_names, home
        if isinstance(value, (list, dict)) and not writer.gives_node:
            return self._nested(value, field, writer)
        return self._derive(value, field, writer, leaf)

    def _nested(self, value: Any, field: Field, writer: Writer) -> Expression:
        """Return a list or a dict in which some values are derived."""
        if not has_interpolation(value):
            return literal(unescaped(value))
        if isinstance(value, (list, dict)):
            table = cast(
                "dict[Any, Any]", value if isinstance(value, dict) else dict(enumerate(cast("list[Any]", value)))
            )
            parts: list[tuple[str, Expression]] = []
            for key, each in table.items():
                writer.inside.append(key)
                before = f"{one_line(literal(key))}: " if isinstance(value, dict) else ""
                parts.append((before, self._nested(each, field, writer)))
                writer.inside.pop()
            return ("{", parts, "}") if isinstance(value, dict) else ("[", parts, "]")
        return self._derive(value, field, writer, None)

    def _derive(self, value: Any, field: Field, writer: Writer, leaf: Leaf | None) -> Expression:
        writer.node = False
        try:
            text = writer.value(value)
        except NotReadable:
            text = quoted(str(value))
        for case in leaf.cases if isinstance(leaf, Following) else ():
            tests = [
                f'type({writer.addresses.of_run(at.split("."))}).__name__ == "{name}"'
                for at, name in case.classes.items()
            ]
            text = f"{writer.value(case.value)} if {' and '.join(tests)} else {text}"
        if field.as_dict and not writer.inside:
            text = writer.function("as_dict", [text])
        arguments = "run, node" if writer.node else "run"
        self.all.functions |= writer.functions
        self.all.resolvers |= writer.resolvers
        for name in writer.functions:
            self.imported("resolvers", name)
        self.imports |= writer.modules
        return f"{self.cn('derive')}(", [("", Lambda(f"lambda {arguments}: ", text))], ")"


def open_(made: Made) -> bool:
    """Return whether a call leaves a required field of its class without a value, which CN allows until a run."""
    for key, item in made.of.content.items.items():
        missing = (isinstance(item, Leaf) and item.value == MISSING) or (
            isinstance(item, Slot) and item.option == MISSING
        )
        if missing and key not in made.values:
            return True
    return any(isinstance(each.value, Made) and open_(each.value) for each in made.values.values())
