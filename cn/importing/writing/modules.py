"""Write the modules of the imported project: contracts, options, patches."""

from __future__ import annotations

from pathlib import Path

from cn.importing.classes.contracts import Contracts
from cn.importing.classes.maker import Maker
from cn.importing.classes.patch_classes import PatchClass
from cn.importing.families.families import Families, Family
from cn.importing.writing.cycles import late
from cn.importing.writing.module import Module
from cn.importing.writing.module_names import NeedsContract
from cn.importing.writing.resolvers import resolvers

DEEP = 10  # folders: importing a package of n folders without `__init__.py` takes Python a time of 2**n


class Modules(Contracts):
    """Writes modules."""

    def __init__(self, families: Families, maker: Maker, patches: list[PatchClass]) -> None:
        super().__init__(families, maker)
        self.patches = patches

    def write(self) -> dict[str, str]:
        """Return the text of each file, by its path."""
        while True:
            self.settle()
            self.functions.clear()
            try:
                return self._files()
            except NeedsContract as need:
                need.family.contract = True

    def _contracts(self, packages: dict[str, list[Family]]) -> dict[str, str]:
        """Return the text of each package with contracts; two that name each other do not import each other's names."""
        modules = {package: Module(self, package) for package in packages}
        texts = {package: module.contracts(packages[package]) for package, module in modules.items()}
        back = late({package: set(module.froms) & set(packages) for package, module in modules.items()})
        for package, targets in back.items():
            if targets:
                texts[package] = Module(self, package, late=targets).contracts(packages[package])
        return texts

    def _files(self) -> dict[str, str]:
        packages: dict[str, list[Family]] = {}
        for family in self.families.every():
            if family.contract:
                packages.setdefault(family.module, []).append(family)
        self.label(packages)
        self.class_names = {cls.name for classes in self.maker.written.values() for cls in classes}
        self.class_names |= {*(each.label for each in self.families.every()), *(each.name for each in self.patches)}
        found: dict[str, str] = {}
        for package, text in self._contracts(packages).items():
            found[f"{package.replace('.', '/')}/__init__.py"] = text
        for module in self.maker.written:
            found[f"{module.replace('.', '/')}.py"] = Module(self, module).options(self.maker.ordered(module))
        for patch in self.patches:
            found[f"{patch.module.replace('.', '/')}.py"] = Module(self, patch.module).patch(patch)
        for folder in {folder for path in found for folder in Path(path).parents if path.count("/") > DEEP}:
            if folder.name:
                found.setdefault(f"{folder}/__init__.py", "")
        if self.functions:
            found["resolvers.py"] = resolvers(self.functions, self.resolvers)
        return found
