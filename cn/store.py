"""The nodes in Hydra's ConfigStore, each built when it is first read.

Hydra deep-copies the whole store on every compose and every listing, so an entry returns itself from `__deepcopy__`;
Hydra copies the configuration again when it loads it.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig


class Entry(ConfigNode):
    """One node class in the ConfigStore."""

    def __init__(self, cls: Any, group: str, option: str) -> None:
        self.cls = cls
        self.name = f"{option.rsplit('/', 1)[-1]}.yaml"
        self.group = "/".join([group, *option.split("/")[:-1]])
        self.package = None
        self.provider = "cn"
        self._node: DictConfig | None = None

    @property
    def node(self) -> DictConfig:  # type: ignore[override]
        if self._node is None:
            from cn.plain import structured

            self._node = structured(self.cls)
        return self._node

    @node.setter
    def node(self, node: DictConfig) -> None:
        self._node = node

    def __deepcopy__(self, memo: Any) -> Entry:
        return self


def store(entry: Entry) -> None:
    """Put an entry where Hydra looks for it."""
    folder: dict[str, Any] = ConfigStore.instance().repo
    for part in (entry.group or "").split("/"):
        folder = folder.setdefault(part, {})
    folder[entry.name] = entry
