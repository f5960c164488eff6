"""The nodes in Hydra's ConfigStore, each built when it is first read. Importing this file puts them there.

Hydra deep-copies the whole store on every compose and every listing, so an entry returns itself from `__deepcopy__`;
Hydra copies the configuration again when it loads it.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf

from cn.discovery import registry
from cn.nodes.patch import Patch


class Entry(ConfigNode):
    """An option in the ConfigStore: a node class, or an instance that is the default of a field."""

    def __init__(self, what: Any, folder: str, option: str, address: str | None = None, package: str = "") -> None:
        self.what = what
        self.option = option
        self.address = folder if address is None else address  # in the composed config: `model/head`
        self.name = f"{option.rsplit('/', 1)[-1]}.yaml"
        self.group = "/".join([folder, *option.split("/")[:-1]])
        self.package = package or None  # Hydra's package, if it is not the group's name
        self.provider = "cn"
        self._node: DictConfig | None = None

    @property
    def node(self) -> DictConfig:  # type: ignore[override]
        if self._node is None:
            from cn.hydra_compat.config import structured

            self._node = structured(self.what, self.option, self.address)
        return self._node

    @node.setter
    def node(self, node: DictConfig) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._node = node

    def __copy__(self) -> Entry:
        """Return a copy that `ConfigStore.load` may change; this entry keeps the built node."""
        copy = object.__new__(Entry)
        copy.__dict__.update(self.__dict__, _node=self.node)
        return copy

    def __deepcopy__(self, memo: Any) -> Entry:
        return self


class Folder(dict[str, Any]):
    """A group in the ConfigStore; a deep copy shares its entries, so that thousands are copied at once."""

    def __deepcopy__(self, memo: Any) -> Folder:
        return Folder(
            (name, each.__deepcopy__(memo) if isinstance(each, Folder) else each) for name, each in self.items()
        )


def folder(path: str) -> dict[str, Any]:
    """Return the group of that name; a missing group is created."""
    found: dict[str, Any] = ConfigStore.instance().repo
    for part in filter(None, path.split("/")):
        found = found.setdefault(part, Folder())
    return found


def store(entry: Entry) -> None:
    """Store an entry in its group."""
    folder(entry.group or "")[entry.name] = entry


def store_values(name: str, values: dict[str, Any], group: str = "") -> None:
    """Store plain values, and replace existing ones, which Hydra's own `store` will refuse from version 1.5 on."""
    node = OmegaConf.create(values)
    folder(group)[f"{name}.yaml"] = ConfigNode(f"{name}.yaml", node, group or None, None, "cn")


def _enter(key: registry.Key, cls: Any) -> None:
    if not issubclass(cls, Patch):  # only `cn` can apply one
        store(Entry(cls, key.group, key.option))


registry.feed(_enter)
