"""The module of each file of YAML, and the package of each folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cn.importing.families.names import distinct, slug
from cn.importing.reading.yaml_files import File


def of_options(files: Iterable[File], reserved: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return a module for each file: `runs.model.mnist`, and one for each folder.

    A folder beside a file of its name gets another. reserved: names in `runs` that neither can have.
    """
    folders: dict[str, tuple[set[str], set[str]]] = {}
    for file in files:
        parts = file.group.split("/") if file.group else []
        folders.setdefault(file.group, (set(), set()))[0].add(file.name)
        for depth in range(len(parts)):
            folders.setdefault("/".join(parts[:depth]), (set(), set()))[1].add(parts[depth])
    modules: dict[str, str] = {}
    packages = {"": "runs"}
    for folder in sorted(folders):
        names, inner = folders[folder]
        top = () if folder else tuple(reserved)
        named = distinct(names, top if folder or "default" in names else ("default", *top))
        for name, short in named.items():
            modules[f"{folder}/{name}" if folder else name] = f"{packages[folder]}.{short}"
        for name, short in distinct(inner, [*named.values(), *top], "_options").items():
            packages[f"{folder}/{name}" if folder else name] = f"{packages[folder]}.{short}"
    return modules, packages


def of_group(group: str, reserved: Collection[str]) -> str:
    """Return the package of a group that has no file."""
    first, *rest = map(slug, group.split("/"))
    return ".".join(["runs", f"{first}_options" if first in reserved else first, *rest])


def of_patches(patches: Collection[File]) -> dict[str, str]:
    """Return a module for each patch: `runs.patches.experiment.example`."""
    inner: dict[str, set[str]] = {}
    for file in patches:
        parts = file.config.split("/")
        for depth in range(len(parts)):
            inner.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
    folders = {"/".join(file.config.split("/")[:-1]) for file in patches}
    packages = {"": "runs.patches"}
    for folder in sorted(inner):
        for name, short in distinct(inner[folder]).items():
            path = f"{folder}/{name}" if folder else name
            twice = path in folders and path in {file.config for file in patches}
            packages[path] = f"{packages[folder]}.{short}{'_options' if twice else ''}"
    found: dict[str, str] = {}
    for file in patches:
        folder, _, name = file.config.rpartition("/")
        found[file.config] = f"{packages[folder]}.{distinct(inner[folder])[name]}"
    return found
