"""The nodes in Hydra's ConfigStore, each built when it is first read.

Hydra deep-copies the whole store on every compose and every listing, so an entry returns itself from `__deepcopy__`;
Hydra copies the configuration again when it loads it.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig


class Entry(ConfigNode):
    """An option in the ConfigStore: a node class, or an instance that a class has as a default."""

    def __init__(self, what: Any, folder: str, option: str, address: str | None = None, package: str = "") -> None:
        self.what = what
        self.option = option
        self.address = folder if address is None else address  # where it goes: `model/head`
        self.name = f"{option.rsplit('/', 1)[-1]}.yaml"
        self.group = "/".join([folder, *option.split("/")[:-1]])
        self.package = package or None  # where Hydra puts it, if not at its group's name
        self.provider = "cn"
        self._node: DictConfig | None = None

    @property
    def node(self) -> DictConfig:  # type: ignore[override]
        if self._node is None:
            from cn.content import structured

            self._node = structured(self.what, self.option, self.address)
        return self._node

    @node.setter
    def node(self, node: DictConfig) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._node = node

    def __copy__(self) -> Entry:
        """What `ConfigStore.load` changes; the entry itself keeps the node that is built here."""
        copy = object.__new__(Entry)
        copy.__dict__.update(self.__dict__, _node=self.node)
        return copy

    def __deepcopy__(self, memo: Any) -> Entry:
        return self


class Folder(dict[str, Any]):
    """A group in the ConfigStore, copied in no time where it holds thousands."""

    def __deepcopy__(self, memo: Any) -> Folder:
        return Folder(
            (name, each.__deepcopy__(memo) if isinstance(each, Folder) else each) for name, each in self.items()
        )


def folder(path: str) -> dict[str, Any]:
    """The group of that name, made if it is not there."""
    found: dict[str, Any] = ConfigStore.instance().repo
    for part in path.split("/"):
        found = found.setdefault(part, Folder())
    return found


def store(entry: Entry) -> None:
    """Put an entry where Hydra looks for it."""
    folder(entry.group or "")[entry.name] = entry
