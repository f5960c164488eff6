"""The files of a tree: their groups, which of them are patches, and where their relative entries start."""

from __future__ import annotations

from collections.abc import Iterable

from cn.importing.defaults_lists.packages import normal
from cn.importing.defaults_lists.starts import start_of
from cn.importing.defaults_lists.taken_up import take_up
from cn.importing.reading.yaml_files import Entry, File, refuse_unread


class Tree:
    """Knows files. files: by Hydra's name; unread: those that cannot be read, refused where one is named."""

    def __init__(self, files: dict[str, File], unread: Iterable[File] = ()) -> None:
        self.files = files
        self.unread = {file.config: file for file in unread}
        self.groups: dict[str, list[File]] = {}  # with the options in folders below
        for file in files.values():
            for home in file.homes:
                self.groups.setdefault(home, []).append(file)
        self._starts: dict[str, str] = {}
        take_up(files, self.start)

    def named(self, config: str) -> File | None:
        """Return the file that an entry names, if it is there. UserError if it cannot be read."""
        if normal(config) in self.unread:
            refuse_unread(self.unread[normal(config)])
        return self.files.get(normal(config))

    def start(self, file: File) -> str:
        """Return the folder from which relative entries of a file start."""
        if file.config not in self._starts:
            self._starts[file.config] = start_of(file, self.files, self.groups)
        return self._starts[file.config]

    def at_once(self, group: str, options: list[str], entry: Entry) -> File:
        """Return an option of a group that is several of its options: `override /metrics: [accuracy, f1]`."""
        member = self.files[normal(f"{group}/{options[0]}")]
        root = member.path.parents[member.config.count("/")]
        file = File(root / group / f"{'_'.join(normal(each).replace('/', '_') for each in options)}.yaml", root)
        if file.config not in self.files:
            file.entries = [Entry(None, each, None, False, False, entry.line) for each in options]
            file.head, file.is_made = [f"{', '.join(options)} at once."], True
            self.files[file.config] = file
            self.groups[group].append(file)
        return self.files[file.config]

    def is_patch(self, file: File) -> bool:
        """Return whether a file of a group sets values elsewhere than at the group: `# @package _global_`."""
        home = file.group.partition("/")[0]
        return bool(home) and file.package is not None and not f"{file.package}.".startswith(f"{home}.")

    def is_spread(self, file: File, group: str) -> bool:
        """Return whether an option of a group, `task/optimizer`, sets values of what holds the group: of `task`."""
        return bool(file.package) and file.group == group and group.replace("/", ".").startswith(f"{file.package}.")

    def is_hydra(self, file: File) -> bool:
        """Return whether a file holds Hydra's own settings."""
        package = file.package if file.package is not None else file.group.replace("/", ".")
        return f"{package}.".startswith("hydra.")
