"""Write one module: a folder's contracts, an option with its private classes, or a patch."""

from __future__ import annotations

from cn.composing.class_changes import DEFAULTS, KEEPS
from cn.discovery.registry import snake
from cn.importing.classes.classes import Change, Class, Default, Derived, Made, Plain, Required
from cn.importing.classes.comments import comments, doc_of, is_heading
from cn.importing.classes.items import unescaped
from cn.importing.classes.patch_classes import PatchClass
from cn.importing.classes.patches import EXTRA
from cn.importing.families.families import Family, Field
from cn.importing.families.interpolations import OPTION_OF
from cn.importing.families.types import has_interpolation, with_text_keys
from cn.importing.writing.field_defaults import Defaults, open_
from cn.importing.writing.inner_comments import commented
from cn.importing.writing.layout import WIDTH, Commented, docstring, laid_out, literal, part_rows, statement


class Module(Defaults):
    """One file."""

    def options(self, classes: list[Class]) -> str:
        """Return the text of a module of options."""
        self.own = {cls.name for cls in classes}
        return self.twice(lambda: [self._class(cls) for cls in classes])

    def patch(self, patch: PatchClass) -> str:
        """Return the text of a module with a patch."""
        self.own = {patch.name}
        return self.twice(lambda: [self._patch(patch)])

    def _patch(self, patch: PatchClass) -> list[str]:
        above = patch.base
        base = self.named(above.module, above.name) if above is not None else self.cn("Patch")
        rows = [f"class {patch.name}({base}):", *docstring(doc_of(patch.file)), ""]
        if not patch.changes:
            return rows[:-1]
        return [*rows, *self._changes("changes", patch.changes)]

    def _changes(self, name: str, changes: list[Change]) -> list[str]:
        """Return the lines of a dict of changes."""
        rows: list[str] = []
        for each in changes:
            field = each.field or Field(each.address, each.address)
            derived = has_interpolation(each.value)
            home = each.address.lstrip("+").split(".")
            if each.field is None and each.address.split(".")[-1] == EXTRA:
                home = home[:-1]  # what a node holds there stands in the node itself in YAML
            value = (
                self.derived(each.value, field, home=home)
                if derived
                else literal(unescaped(with_text_keys(each.value, field.type)))
            )
            value = Commented(commented(value, each.leaf), *comments(each.leaf))
            rows += part_rows(f"{literal(each.address)}: ", value, 2)
        return [f"    {name} = {{", *rows, "    }"]

    def contracts(self, families: list[Family]) -> str:
        """Return the text of a folder's `__init__.py`."""
        self.own = {family.label for family in families}
        inner = sorted(families, key=lambda each: each.group is not None or each is self.families.run)
        inner = self._nested_first(inner)
        return self.twice(lambda: [self._contract(family) for family in inner])

    def _nested_first(self, families: list[Family]) -> list[Family]:
        """Return families after those that they hold; of two that hold each other, the second comes first."""
        found: list[Family] = []
        left = [*families]

        def visit(family: Family) -> None:
            if family not in left:
                return
            left.remove(family)
            for field in family.shared:
                for inner in self.node_families(field):
                    visit(inner)
            found.append(family)

        for family in families:
            visit(family)
        return found

    def _contract(self, family: Family) -> list[str]:
        is_run = family is self.families.run
        what = f"What {family.group} can be." if family.group else "What every run has." if is_run else ""
        if not what:
            what = f"What every {_path(family)} has."
        rows = [f"class {family.label}({self.cn('CN')}):", *docstring([what])]
        fields: list[str] = []
        for field in family.shared:
            default = (family.defaults or {}).get(field.key)
            if default is not None:
                fields += self._field(field, default)
            elif self._can_share(field):
                fields += statement(field.name, self.annotated(field), None, [], "", "")
        for field in family.fields.values():
            if field.key in family.added and self._can_share(field):
                text = self.annotated(field)
                fields += statement(field.name, text if text.endswith("None") else f"{text} | None", "None", [], "", "")
        if family.extra:
            fields.append(f"    extra: dict[str, {self.imported('typing', 'Any')}] = {{}}  # what patches add")
        if is_run and self.all.launch:
            launch, local = self.named("runs.launch", "Launch"), self.named("cn.launching", "Local")
            kept = self.imported("typing", "ClassVar")
            fields.append(f"    launch: {launch} = {local}()  # this machine, or jobs of a cluster: launch=slurm")
            fields += [
                "",
                f'    _where_: {kept}[tuple[str, ...]] = ("launch",)  # fields that do not change the result',
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
            else self.cn("CN" if each.nodes is None else "Bundle")
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
            fields += [*([""] if fields else []), *self._changes(KEEPS, cls.kept)]
        if cls.patches:
            head = f"    {DEFAULTS} = "
            fields += [*([""] if fields else []), head + laid_out(literal(cls.patches), 1, len(head))]
        if not fields and not cls.doc:
            rows.append("    pass")
        return [*rows, *([""] if cls.doc and fields else []), *fields]

    def _field(self, field: Field, default: Default) -> list[str]:
        above, beside = comments(default.comment)
        value = None if isinstance(default.value, Required) else self.expression(default.value, field)
        if value is not None and isinstance(default.value, (Plain, Derived)):
            value = commented(value, default.comment)
        pragma = ""
        if isinstance(default.value, Made) and open_(default.value):
            pragma = "pyright: ignore[reportCallIssue]"
        elif isinstance(default.value, Derived) and f"${{{OPTION_OF}:" in str(default.value.value):  # a name
            pragma = "pyright: ignore[reportAssignmentType]"
        return statement(
            field.name, self.annotated(field), value, above, beside, pragma, heading=is_heading(default.comment)
        )


def _path(family: Family) -> str:
    """Return where the nodes of a family stand: `algo.world_model.encoder`."""
    names: list[str] = []
    while family.above is not None:
        names.append(snake(family.base or family.label))
        family = family.above
    top = family.group.replace("/", ".") if family.group else "run"
    return ".".join([top, *reversed(names)])
