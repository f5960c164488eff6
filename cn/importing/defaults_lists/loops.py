"""Files whose defaults lists lead back to them: Hydra composes none of them."""

from __future__ import annotations

from collections.abc import Iterator

from cn.importing.defaults_lists.packages import joined, normal
from cn.importing.reading.yaml_files import File


def mark_loops(files: dict[str, File]) -> None:
    """Give each file that extends itself, by way of others too, its `error`."""
    for file in files.values():
        if loop := _loop(files, file):
            file.error = f"its defaults lead back to it: {' -> '.join(loop)}"


def _loop(files: dict[str, File], start: File) -> list[str] | None:
    """Return the names from a file back to itself, if it extends itself."""
    todo = [[start.config]]
    seen: set[str] = set()
    while todo:
        path = todo.pop()
        for name in _extended(files, files[path[-1]]):
            if name == start.config:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                todo.append([*path, name])
    return None


def _extended(files: dict[str, File], file: File) -> Iterator[str]:
    """Yield the files that a file extends: entries without a group."""
    for entry in file.entries:
        path = str(entry.options)
        if entry.group is None and not entry.is_self:
            name = normal(path[1:] if path.startswith("/") else joined(file.group, path))
            if name in files:
                yield name
