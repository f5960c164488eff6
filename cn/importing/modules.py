"""Write the modules of the imported project: contracts, options, runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from typing import Any, cast

from cn.discovery.registry import snake
from cn.importing.classes import Change, Class, Default, Derived, Made, Maker, Plain, Required, unescaped
from cn.importing.contents import MISSING, Branch, Leaf, Slot
from cn.importing.expressions import Writer
from cn.importing.families import Families, Family, Field
from cn.importing.following import Following
from cn.importing.interpolations import NotReadable
from cn.importing.layout import WIDTH, Expression, Lambda, docstring, laid_out, literal, statement, wrapped
from cn.importing.patches import PatchClass
from cn.importing.resolvers import resolvers
from cn.importing.types import has_interpolation
from cn.importing.yaml_files import File

PRAGMA = re.compile(r"(noqa|type:|pyright:|pragma|fmt:|ruff:)")  # comments that tools read


class NeedsContract(Exception):  # noqa: N818
    """A family is named in a module that does not hold its only class, so it needs a contract."""

    def __init__(self, family: Family) -> None:
        self.family = family


class Modules:
    """Writes modules. functions: those of resolvers.py that any module calls."""

    def __init__(self, families: Families, maker: Maker, writer: Any, patches: list[PatchClass]) -> None:
        self.families, self.maker, self.new_writer, self.patches = families, maker, writer, patches
        self.functions: set[str] = set()
        self.launch = False  # runs have launchers
        self.classes: dict[int, list[Class]] = {}  # by family: those that inherit from no other of it
        for classes in maker.written.values():
            for cls in classes:
                if cls.family in cls.bases:
                    self.classes.setdefault(id(cls.family), []).append(cls)

    def only(self, family: Family) -> Class | None:
        """Return the one class of a family that has no contract."""
        found = self.classes.get(id(family), [])
        return found[0] if len(found) == 1 and not family.contract else None

    def settle(self) -> None:
        """Decide which families have a contract, and which fields it states."""
        families = list(self.families.every())
        members = Counter(id(cls.family) for classes in self.maker.written.values() for cls in classes)
        settled = -1
        while settled != (settled := sum(family.contract for family in families)):
            for family in families:
                classes = self.classes.get(id(family), [])
                is_root = family.group is not None or family is self.families.run
                family.contract = family.contract or is_root or len(classes) > 1 or bool(family.extra)
                common = set(family.fields)
                for cls in classes:
                    common &= set(cls.content.items)
                family.shared = [field for key, field in family.fields.items() if key in common and classes]
                if family.contract and members[id(family)] > 1:
                    for field in family.shared:
                        inner = self.families.of(field)
                        if inner is not None and not self.families.is_data(field):
                            inner.contract = True

    def write(self) -> dict[str, str]:
        """Return the text of each file, by its path."""
        while True:
            self.settle()
            self.functions.clear()
            try:
                return self._files()
            except NeedsContract as need:
                need.family.contract = True

    def _files(self) -> dict[str, str]:
        packages: dict[str, list[Family]] = {}
        for family in self.families.every():
            if family.contract:
                packages.setdefault(family.module, []).append(family)
        self._label(packages)
        found: dict[str, str] = {}
        for package, families in packages.items():
            text = Module(self, package).contracts(families)
            found[f"{package.replace('.', '/')}/__init__.py"] = text
        for module in self.maker.written:
            found[f"{module.replace('.', '/')}.py"] = Module(self, module).options(self.maker.ordered(module))
        for patch in self.patches:
            found[f"{patch.module.replace('.', '/')}.py"] = Module(self, patch.module).patch(patch)
        if self.functions:
            found["resolvers.py"] = resolvers(self.functions)
        return found

    def _label(self, packages: dict[str, list[Family]]) -> None:
        """Give the contracts of a package different names."""
        for package, families in packages.items():
            files = [each for each in self.maker.written if each.startswith(f"{package}.")]
            taken = {each[len(package) + 1 :].partition(".")[0] for each in files}  # a file hides a class of its name
            options = {cls.name for module in files for cls in self.maker.written[module]}
            first = [each for each in families if each.group is not None or each is self.families.run]
            for family in [*first, *(each for each in families if each not in first)]:
                family.base = family.base or family.label
                family.label = family.distinct(family.base, taken if family in first else taken | options)
                taken.add(family.label)


class Module:
    """One file."""

    def __init__(self, all_of_them: Modules, name: str) -> None:
        self.all, self.name = all_of_them, name
        self.families = all_of_them.families
        self.references: set[tuple[str, str]] = set()  # (module, name) of classes elsewhere
        self.qualified: set[tuple[str, str]] = set()
        self.own: set[str] = set()
        self.froms: dict[str, set[str]] = {}
        self.imports: set[str] = set()

    def options(self, classes: list[Class]) -> str:
        """Return the text of a module of options."""
        self.own = {cls.name for cls in classes}
        return self._twice(lambda: [self._class(cls) for cls in classes])

    def patch(self, patch: PatchClass) -> str:
        """Return the text of a module with a patch."""
        self.own = {patch.name}
        return self._twice(lambda: [self._patch(patch)])

    def _patch(self, patch: PatchClass) -> list[str]:
        if patch.base is not None:
            base = self.named(patch.base.module, patch.base.name)
        else:
            base = "Patch"
            self.froms.setdefault("cn", set()).add(base)
        rows = [f"class {patch.name}({base}):", *docstring(doc_of(patch.file)), ""]
        if not patch.changes:
            return rows[:-1]
        return [*rows, *self._changes("changes", patch.changes)]

    def _changes(self, name: str, changes: list[Change]) -> list[str]:
        """Return the lines of a dict of changes."""
        rows = [f"    {name} = {{"]
        for each in changes:
            above, beside = comments(each.leaf)
            key = one(literal(each.address))
            field = each.field or Field(each.address, each.address)
            derived = has_interpolation(each.value)
            value = self.derived(each.value, field) if derived else literal(each.value)
            text = f"        {key}: {laid_out(value, 2, len(key) + 10, 1)},"
            last = text.rpartition("\n")[2]
            if beside and len(last) + 4 + len(beside) > WIDTH:
                above, beside = [*above, beside], ""
            rows += [f"        # {line}" for comment in above for line in wrapped(comment, WIDTH - 10)]
            rows.append(text + (f"  # {beside}" if beside else ""))
        return [*rows, "    }"]

    def contracts(self, families: list[Family]) -> str:
        """Return the text of a folder's `__init__.py`."""
        self.own = {family.label for family in families}
        inner = sorted(families, key=lambda each: each.group is not None or each is self.families.run)
        inner = self._nested_first(inner)
        return self._twice(lambda: [self._contract(family) for family in inner])

    def _nested_first(self, families: list[Family]) -> list[Family]:
        found: list[Family] = []

        def visit(family: Family) -> None:
            if family in found or family not in families:
                return
            for field in family.shared:
                for inner in self.node_families(field):
                    if inner is not family:
                        visit(inner)
            if family not in found:
                found.append(family)

        for family in families:
            visit(family)
        return found

    def _twice(self, write: Any) -> str:
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
        blocks = self._imports()
        rows = ["from __future__ import annotations", ""]
        for block in blocks:
            rows += [*block, ""]
        for part in parts:
            rows += ["", *part, ""] if rows[-1] == "" else ["", "", *part, ""]
        return "\n".join(rows).rstrip("\n") + "\n"

    def _imports(self) -> list[list[str]]:
        from cn.importing.imports import blocks

        return blocks(self.imports, self.froms)

    def named(self, module: str, name: str) -> str:
        """Return how this module writes a class."""
        if module == self.name:
            return name
        self.references.add((module, name))
        if (module, name) in self.qualified:
            self.imports.add(module)
            return f"{module}.{name}"
        self.froms.setdefault(module, set()).add(name)
        return name

    def of_family(self, family: Family) -> str:
        """Return the class that annotates a node of a family."""
        if family.contract:
            return self.named(family.module, family.label)
        only = self.all.only(family)
        if only is None or only.module != self.name:
            raise NeedsContract(family)
        return only.name

    def cn(self, name: str) -> str:
        self.froms.setdefault("cn", set()).add(name)
        return name

    def node_families(self, field: Field) -> list[Family]:
        found = [self.families.groups[each] for each in field.groups if each in self.families.groups]
        if field.family is not None and not self.families.is_data(field) and not found:
            found = [field.family]
        for each in field.derived:
            if each not in found:
                found.append(each)
        return found

    def annotation(self, field: Field) -> str:
        """Return the annotation of a field."""
        nodes = self.node_families(field)
        if nodes:
            text = " | ".join(dict.fromkeys(self.of_family(each) for each in nodes))
            return f"{text} | None" if field.optional else text
        kind = field.type or "Any"  # of a field that was found after the types were worked out
        for name in ("Any", "Literal"):
            if name in kind:
                self.froms.setdefault("typing", set()).add(name)
        return kind

    def annotated(self, field: Field) -> str:
        text = self.annotation(field)
        if field.is_keyed:
            self.froms.setdefault("typing", set()).add("Annotated")
            return f"{'Annotated'}[{text}, {self.cn('Key')}({one(literal(field.key))})]"
        return text

    def _contract(self, family: Family) -> list[str]:
        is_run = family is self.families.run
        what = f"What {family.group} can be." if family.group else "What every run has." if is_run else ""
        if not what:
            what = f"What every {_path(family)} has."
        rows = [f"class {family.label}({self.cn('CN')}):", *docstring([what])]
        fields = [f"    {field.name}: {self.annotated(field)}" for field in family.shared if self._can_share(field)]
        for field in family.fields.values():
            if field.key in family.added and self._can_share(field):
                text = self.annotated(field)
                fields.append(f"    {field.name}: {text if text.endswith('None') else f'{text} | None'} = None")
        if family.extra:
            self.froms.setdefault("typing", set()).add("Any")
            fields.append("    extra: dict[str, Any] = {}  # what patches add")
        if is_run and self.all.launch:
            self.froms.setdefault("runs.launch", set()).add("Launch")
            self.froms.setdefault("cn.launching", set()).add("Local")
            self.froms.setdefault("typing", set()).add("ClassVar")
            fields.append("    launch: Launch = Local()  # this machine, or jobs of a cluster: launch=slurm")
            fields += [
                "",
                '    _where_: ClassVar[tuple[str, ...]] = ("launch",)  # fields that do not change the result',
            ]
        return [*rows, "", *fields] if fields else rows

    def _can_share(self, field: Field) -> bool:
        """Return whether a contract can state a field: not a node of which there is one class, elsewhere."""
        return all(each.contract for each in self.node_families(field))

    def _class(self, cls: Class) -> list[str]:
        bases = [
            self.named(each.module, each.name)
            if isinstance(each, Class)
            else self.of_family(each)
            if each.contract
            else self.cn("CN")
            for each in cls.bases
        ]
        head = f"class {cls.name}({', '.join(bases)}):"
        rows = [head] if len(head) <= WIDTH else [f"class {cls.name}(", *(f"    {base}," for base in bases), "):"]
        if cls.doc:
            rows += docstring(cls.doc.split("\n"))
        fields: list[str] = []
        for key, default in cls.own.items():
            fields += self._field(cls.family.field(key), default)
        if cls.kept:
            fields += [*([""] if fields else []), *self._changes("_keeps_", cls.kept)]
        if not fields and not cls.doc:
            rows.append("    pass")
        return [*rows, *([""] if cls.doc and fields else []), *fields]

    def _field(self, field: Field, default: Default) -> list[str]:
        above, beside = comments(default.comment)
        value = None if isinstance(default.value, Required) else self.expression(default.value, field)
        pragma = "pyright: ignore[reportCallIssue]" if isinstance(default.value, Made) and open_(default.value) else ""
        item = default.comment
        heading = isinstance(item, (Leaf, Branch)) and item.file is not None and item.keys in item.file.headings
        return statement(field.name, self.annotated(field), value, above, beside, pragma, heading=heading)

    def expression(self, value: Made | Derived | Plain | Required, field: Field) -> Expression:
        """Return a default as an expression."""
        if isinstance(value, Made):
            name = self.named(value.of.module, value.of.name)
            family = value.of.family
            fields = {key: family.field(key) for key in value.values}
            parts = [
                (f"{fields[key].name}=", self.expression(each.value, fields[key])) for key, each in value.values.items()
            ]
            return f"{name}(", parts, ")"
        if isinstance(value, Derived):
            return self.derived(value.value, field, value.leaf)
        assert isinstance(value, Plain)
        return literal(value.value)

    def derived(self, value: Any, field: Field, leaf: Leaf | None = None) -> Expression:
        if isinstance(value, (list, dict)) and not field.as_dict and not self.node_families(field):
            return self._nested(value, field, 1)
        return self._derive(value, field, leaf, 0)

    def _nested(self, value: Any, field: Field, depth: int) -> Expression:
        """Return a list or a dict in which some values are derived. depth: of the lists and dicts around a value."""
        if not has_interpolation(value):
            return literal(unescaped(value))
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return "[", [("", self._nested(each, field, depth + 1)) for each in items], "]"
        if isinstance(value, dict):
            table = cast("dict[Any, Any]", value)
            parts = [(f"{one(literal(key))}: ", self._nested(each, field, depth + 1)) for key, each in table.items()]
            return "{", parts, "}"
        return self._derive(value, field, None, depth - 1)

    def _derive(self, value: Any, field: Field, leaf: Leaf | None, depth: int) -> Expression:
        writer: Writer = self.all.new_writer()
        writer.depth = depth
        writer.gives_node = bool(self.node_families(field))
        try:
            text = writer.value(value)
        except NotReadable:
            text = repr(value)
        for case in leaf.cases if isinstance(leaf, Following) else ():
            tests = [f'type({writer.address(at.split("."))}).__name__ == "{name}"' for at, name in case.classes.items()]
            text = f"{writer.value(case.value)} if {' and '.join(tests)} else {text}"
        if field.as_dict:
            text = writer.function("as_dict", [text])
        arguments = "run, node" if writer.node else "run"
        self.all.functions |= writer.functions
        if writer.functions:
            self.froms.setdefault("resolvers", set()).update(writer.functions)
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


def _path(family: Family) -> str:
    """Return where the nodes of a family stand: `algo.world_model.encoder`."""
    names: list[str] = []
    while family.above is not None:
        names.append(snake(family.base or family.label))
        family = family.above
    top = family.group.replace("/", ".") if family.group else "run"
    return ".".join([top, *reversed(names)])


def one(expression: Expression) -> str:
    from cn.importing.layout import one_line

    return one_line(expression)


def doc_of(file: File) -> list[str]:
    """Return the docstring of what a file became."""
    return file.head or [f"Was {file.shown}."]


def comments(item: Leaf | Branch | Slot | None) -> tuple[list[str], str]:
    """Return the comment lines above an item of YAML, and the comment beside it."""
    if isinstance(item, Slot) or item is None or item.file is None:
        return [], ""
    keys: tuple[Hashable, ...] = item.keys
    above = [each for each in item.file.above.get(keys, []) if not PRAGMA.match(each)]
    beside = item.file.beside.get(keys, "")
    if len(above) == 1 and keys and _letters(above[0]) == _letters(str(keys[-1])):
        above = []  # it says the name again
    return above, "" if PRAGMA.match(beside) else beside


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()
