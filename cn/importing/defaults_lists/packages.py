"""Packages and paths of groups and options, as the entries of a defaults list write them."""

from __future__ import annotations

import re
from typing import Any

from cn.importing.reading.headers import below_global
from cn.importing.reading.yaml_files import Entry, File

FOLLOWED = re.compile(r"\$\{([\w/]+)\}")  # a choice that the name of an option follows: `${training}_${model}`


def override_key(group: str, package: str) -> str:
    """Return what the command line calls a choice: `optim@algo.optimizer`, or `model` at the group's own package."""
    if package == group.replace("/", "."):
        return group
    return f"{group}@{package or '_global_'}"


def place_of(key: str) -> tuple[str, str]:
    """Return the group of a choice, and its package: `optim@algo.optimizer` is ("optim", "algo.optimizer")."""
    group, found, package = key.partition("@")
    return group, package.removeprefix("_global_") if found else group.replace("/", ".")


def package_of(entry: Entry, parent: str, written: str, header: str | None, start: str) -> str:
    """Return the package of an entry of a defaults list, as Hydra does: absolute, or with the mark.

    start: the folder from which relative entries of the file start. `_group_` is the whole path of the group.
    """
    package = entry.package
    if package == "_here_":
        package = ""
    if package is not None and "_group_" in package:
        group = entry.group if entry.group is not None else f"{entry.options}".rpartition("/")[0]
        package = f"_global_.{package.replace('_group_', group_path(group, start).replace('/', '.'))}"
    if package is None:
        if header is not None:
            return header
        package = "/".join(part for part in written.removeprefix("/").split("/") if part != "..").replace("/", ".")
    return below_global(f"{parent}.{package}" if parent and package else parent or package)


def relative_to(package: str, parent: str) -> tuple[str, ...] | None:
    """Return the address of a package below another; None if it is elsewhere."""
    if package == parent:
        return ()
    if parent == "":
        return tuple(package.split("."))
    return tuple(package[len(parent) + 1 :].split(".")) if package.startswith(f"{parent}.") else None


def group_path(group: str, base: str) -> str:
    return group[1:] if group.startswith("/") else joined(base, group)


def joined(base: str, path: str) -> str:
    return normal(f"{base}/{path}" if base else path)


def normal(path: str) -> str:
    """Follow `.` and `..` of a path, and leave out `.yaml`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts).removesuffix(".yaml").removesuffix(".yml")


def chosen_by(file: File) -> dict[str | None, str | None]:
    """Return the option that a defaults list chooses, by group."""
    return {each.group: option_of(each.options) for each in file.entries if isinstance(each.options, str)}


def option_of(value: Any) -> str | None:
    return None if value is None else str(value).removesuffix(".yaml").removesuffix(".yml")


def chooses_hydra(entry: Entry, file: File) -> bool:
    """Return whether an entry chooses a part of Hydra's own configuration."""
    path = entry.group if entry.group is not None else str(entry.options)
    full = path[1:] if path.startswith("/") else joined(file.group, path)
    return full == "hydra" or full.startswith("hydra/")
