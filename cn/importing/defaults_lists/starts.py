"""The folder from which relative entries of a defaults list start, and the groups that they choose from."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from cn.importing.defaults_lists.packages import group_path, joined, normal, option_of
from cn.importing.reading.yaml_files import Entry, File


def start_of(file: File, files: Container[str], groups: Container[str]) -> str:
    """Return the folder of a file, or the one above it whose option the file is: `experiment=mnist/long`.

    As Hydra has it, the entries of such an option start from the group; the first folder that holds all of them is it.
    """
    fits = (home for home in file.homes if all(_is_there(each, home, files, groups) for each in file.entries))
    return next(fits, file.group)


def _is_there(entry: Entry, home: str, files: Container[str], groups: Container[str]) -> bool:
    path = str(entry.options) if entry.group is None else entry.group
    if entry.is_self or entry.optional or path.startswith(("/", "hydra")):
        return True
    if entry.group is None:
        return normal(joined(home, path)) in files
    group = group_path(entry.group, home)
    options = entry.options if isinstance(entry.options, list) else [entry.options]
    names = [option_of(each) for each in options]
    return group in groups and all(
        each is None or "$" in each or "?" in each or normal(f"{group}/{each}") in files for each in names
    )


def at_home(files: Mapping[str, File], start: Callable[[File], str]) -> set[str]:
    """Return the groups from which some file chooses without an `@`, so that an option may name its package."""
    return {
        group_path(entry.group, start(file))
        for file in files.values()
        for entry in file.entries
        if entry.group is not None and entry.package is None
    }
