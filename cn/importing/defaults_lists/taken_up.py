"""Options that are patches though they do not say so in a header.

They are chosen at the root, `- task@_global_: walk`, or hold nothing but patches, `defaults: [heads: a, losses: a]`.
"""

from __future__ import annotations

from collections.abc import Callable

from cn.importing.defaults_lists.packages import group_path, normal
from cn.importing.reading.yaml_files import File


def take_up(files: dict[str, File], start: Callable[[File], str]) -> None:
    """Make a patch of each such file. start: the folder from which relative entries of a file start."""
    packages: dict[str, set[str | None]] = {}  # at which each group is chosen
    for file in files.values():
        for entry in file.entries:
            if entry.group is not None:
                packages.setdefault(group_path(entry.group, start(file)), set()).add(entry.package)
    for file in files.values():
        if file.package is None and packages.get(file.group) == {"_global_"}:
            file.package = ""
    todo = [file for file in files.values() if file.group and file.package is None and not file.body]
    while len(todo) > len(todo := [file for file in todo if not _only_patches(file, files, start)]):
        pass


def _only_patches(file: File, files: dict[str, File], start: Callable[[File], str]) -> bool:
    entries = [each for each in file.entries if not each.is_self]
    groups = [group_path(each.group or "", start(file)) for each in entries]
    found = [files.get(normal(f"{group}/{each.options}")) for group, each in zip(groups, entries, strict=True)]
    if not found or not all(each.group and each.package is None and not each.override for each in entries):
        return False
    if all(each is not None and each.package == "" for each in found):
        file.package = ""
    return file.package == ""
