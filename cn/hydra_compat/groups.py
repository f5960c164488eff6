"""The groups that plain Hydra needs beyond those of the folders: it looks for options under an attribute's name.

A class registers itself under its path alone, which is cheap. `prepare` imports every file and enters the rest: the
group `teacher` with the options of `Model`, and what stands in it for defaults that have values of their own.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore

from cn.composing.compose import root_name
from cn.discovery import discover
from cn.discovery.registry import is_bundle
from cn.discovery.source import place
from cn.errors import DefinitionError, UserError
from cn.hydra_compat.config import HIDDEN, Slot, entry_name, package, slots
from cn.hydra_compat.store import Entry, folder, store, store_values
from cn.nodes.field_types import Child

PRIMARY = "config"
DEEP = 2  # levels of self-nesting that are listed


def prepare(contract: Any) -> None:
    """Make the ConfigStore complete for runs of a contract, so that `hydra.compose("config", [...])` composes them.

    After it plain Hydra does what `cn.compose` does, but for patches and for what its grammar lacks: `teacher=null`
    is `teacher=[]` (`~teacher` too, but on Hydra 1.4 not where the default is a preset, or an option such as
    `vit/small`), `callbacks=null` and `~callbacks` are `callbacks=[]`, `+callbacks/mine=a` is
    `+callbacks@callbacks.mine=a`, `callbacks=[a] +callbacks=b` is `callbacks=[a,b]`, a value that is derived is set
    with `+`, choosing the option that is there already drops the values that a preset gave it, a node whose key has
    a slash cannot be chosen, and nodes that hold nodes of their own type are listed two deep. Derived values are
    not in the result, and neither `check` nor types beyond OmegaConf's are at work until
    `cn.compose(OmegaConf.to_object(config))`.
    """
    name = root_name(contract)
    known = ConfigStore.instance().repo.get(f"{PRIMARY}.yaml")
    if known is not None and known.provider != "cn":
        raise UserError(
            f"the ConfigStore holds {PRIMARY!r} already, stored by {known.provider or 'your code'}",
            "store it under another name",
        )
    store_values(PRIMARY, {"defaults": [{name: "default"}, "_self_"]})
    _Groups().fill(name, Child((contract,)), "", "_global_", ())


class _Groups:
    """The groups that have been filled."""

    def __init__(self) -> None:
        self.options: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.filled: set[tuple[str, tuple[Any, ...]]] = set()

    def fill(self, name: str, kind: Child, address: str, where: str, above: tuple[tuple[Any, ...], ...]) -> None:
        """Enter all options of a field type, and those of their own attributes; `above`: the types on the path."""
        if (name, kind.types) in self.filled:
            return
        self.filled.add((name, kind.types))
        if kind.types not in self.options:
            self.options[kind.types] = dict(discover.options(kind.types, bundles=True)[0])
        for option, cls in self.options[kind.types].items():
            if is_bundle(cls) and not kind.many:
                continue
            at = f"{address}/{entry_name(option)}" if kind.many and not is_bundle(cls) else address
            _put(Entry(cls, name, option, at, package(at) if kind.many else where))
            self.below(cls, option, at, (*above, kind.types))

    def below(self, what: Any, option: str, address: str, above: tuple[Any, ...]) -> None:
        """Enter the options and the defaults of a node's attributes."""
        try:
            found = list(slots(what, option, address))
        except DefinitionError:  # reported once the class is chosen
            return
        for slot in found:
            listed = above.count(slot.kind.types) < DEEP
            if listed:
                self.fill(slot.folder, slot.kind, slot.folder, "", above)
            if slot.kind.optional:
                _put_null(slot)
            for each in slot.defaults or []:
                if each.hidden or not listed:
                    entry = each.node if each.hidden else type(each.node)
                    _put(Entry(entry, slot.folder, each.option, each.address, each.package))
                if each.hidden:
                    self.below(each.node, each.option, each.address, (*above, slot.kind.types))
                elif not listed:
                    self.below(type(each.node), each.option, each.address, (*above, slot.kind.types))


def _put(entry: Entry) -> None:
    """Store an entry, or replace one of the same class; an equal entry is kept, since it may have been built."""
    known = folder(entry.group or "").get(entry.name)
    if isinstance(known, Entry):
        if vars(known) | {"_node": None} == vars(entry) | {"_node": None}:
            return
        old, new = _class(known), _class(entry)
        if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
            raise UserError(
                f"{entry.group}={entry.option} is two nodes, and Hydra's groups can hold one",
                f"{old.__name__} at {place(old)}",
                f"{new.__name__} at {place(new)}",
                "write: another name for the attribute, or for one of the classes",
            )
    store(entry)


def _put_null(slot: Slot) -> None:
    store_values("null", {slot.name: None}, f"{slot.folder}/{HIDDEN}")


def _class(entry: Entry) -> Any:
    return entry.what if isinstance(entry.what, type) else type(entry.what)
