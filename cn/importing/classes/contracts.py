"""Which families have a contract, which fields it states, and what it is called."""

from __future__ import annotations

from collections import Counter

from cn.importing.classes.classes import Class
from cn.importing.classes.maker import Maker
from cn.importing.families.addresses import Addresses
from cn.importing.families.families import Families, Family


class Contracts:
    """Decides on contracts.

    functions: those of resolvers.py that any module calls. resolvers: what YAML calls those in place of resolvers.
    """

    def __init__(self, families: Families, maker: Maker) -> None:
        self.families, self.maker = families, maker
        self.addresses = Addresses(families)
        self.functions: set[str] = set()
        self.resolvers: dict[str, str] = {}
        self.class_names: set[str] = set()  # of all modules
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
                family.contract = family.nodes is None and (
                    family.contract or is_root or len(classes) > 1 or (bool(family.extra) and not family.is_plain)
                )
                common = set(family.fields)
                for cls in classes:
                    common &= set(cls.content.items)
                family.shared = [
                    field
                    for key, field in family.fields.items()
                    if key in common and (classes or family.defaults is not None)
                ]
                if family.contract and members[id(family)] > 1:
                    for field in family.shared:
                        inner = self.families.of(field)
                        if inner is not None and not self.families.is_data(field):
                            (inner.nodes or inner).contract = True

    def label(self, packages: dict[str, list[Family]]) -> None:
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
