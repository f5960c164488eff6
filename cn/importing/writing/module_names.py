"""What a module names: the classes of other modules, the imports that they need, and the annotations of fields."""

from __future__ import annotations

from typing import Any

from cn.importing.classes.contracts import Contracts
from cn.importing.families.families import Family, Field
from cn.importing.writing.imports import head
from cn.importing.writing.layout import literal, one_line


class NeedsContract(Exception):  # noqa: N818
    """A family is named in a module that does not hold its only class, so it needs a contract."""

    def __init__(self, family: Family) -> None:
        self.family = family


class ModuleNames:
    """The names of one file. late: modules that are not loaded yet when this one is."""

    def __init__(self, all_of_them: Contracts, name: str, *, late: set[str] | None = None) -> None:
        self.all, self.name, self.late = all_of_them, name, late or set[str]()
        self.families = all_of_them.families
        self.references: set[tuple[str, str]] = set()  # (module, name) of classes elsewhere
        self.qualified: set[tuple[str, str]] = set()
        self.own: set[str] = set()
        self.froms: dict[str, set[str]] = {}
        self.imports: set[str] = set()

    def twice(self, write: Any) -> str:
        """Write the classes once to learn which names they need, and once with those names."""
        write()
        names: dict[str, set[str]] = {}
        for module, name in self.references:
            names.setdefault(name, set()).add(module)
        self.qualified = {
            (module, name) for module, name in self.references if len(names[name]) > 1 or name in self.own
        }
        self.froms, self.imports = {}, set()
        parts: list[list[str]] = write()
        rows = head(self.froms, self.imports)
        for part in parts:
            rows += ["", *part, ""] if rows[-1] == "" else ["", "", *part, ""]
        return "\n".join(rows).rstrip("\n") + "\n"

    def named(self, module: str, name: str) -> str:
        """Return how this module writes a class."""
        if module == self.name:
            return name
        self.references.add((module, name))
        if (module, name) in self.qualified or module in self.late:
            self.imports.add(module)
            return f"{module}.{name}"
        return self.imported(module, name)

    def of_family(self, family: Family) -> str:
        """Return the class that annotates a node of a family."""
        if family.contract:
            return self.named(family.module, family.label)
        only = self.all.only(family)
        if only is None or only.module != self.name:
            raise NeedsContract(family)
        return only.name

    def imported(self, module: str, name: str) -> str:
        """Return a name that this module imports from another."""
        self.froms.setdefault(module, set()).add(name)
        return name

    def cn(self, name: str) -> str:
        return self.imported("cn", name)

    def node_families(self, field: Field) -> list[Family]:
        held = [] if self.families.is_data(field) else self.families.every_of(field)
        return list(dict.fromkeys([*(each.nodes or each for each in held), *field.derived]))

    def annotation(self, field: Field) -> str:
        """Return the annotation of a field."""
        nodes = self.node_families(field)
        if nodes:
            text = " | ".join(dict.fromkeys(self.of_family(each) for each in nodes))
            if self.families.is_dict(field):
                text = f"dict[str, {text}]"
            return f"{text} | None" if field.optional else text
        kind = field.type or "Any"  # of a field that was found after the types were worked out
        for name in ("Any", "Literal"):
            if name in kind:
                self.imported("typing", name)
        return kind

    def annotated(self, field: Field) -> str:
        text = self.annotation(field)
        if field.is_keyed:
            return f"{self.imported('typing', 'Annotated')}[{text}, {self.cn('Key')}({one_line(literal(field.key))})]"
        return text
