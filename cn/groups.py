"""The groups that plain Hydra needs beyond those of the folders: it looks for options under an attribute's name.

A class registers itself under its path alone, which is cheap. `prepare` imports every file and enters the rest: the
group `teacher` with the options of `Model`, and what stands in it for defaults that have values of their own.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore

from cn import discover
from cn.compose import root_name
from cn.content import HIDDEN, Slot, entry_name, package, slots
from cn.errors import DefinitionError, UserError, lines
from cn.kinds import Child
from cn.source import place
from cn.store import Entry, folder, store

PRIMARY = "config"
DEEP = 2  # how often a node may hold, through others, nodes of its own type


def prepare(contract: Any) -> None:
    """Make the ConfigStore complete for runs of a contract, so that `hydra.compose("config", [...])` composes them.

    After it plain Hydra does what `cn.compose` does, but for what its grammar lacks: `teacher=null` is `~teacher`,
    `callbacks=null` and `~callbacks` are `callbacks=[]`, `+callbacks/mine=a` is `+callbacks@callbacks.mine=a`,
    `callbacks=[a] +callbacks=b` is `callbacks=[a,b]`, a value that is derived is set with `+`, choosing the option
    that is there already drops the values that a preset gave it, and nodes that hold nodes of their own type are
    listed two deep. Derived values are not in the result, and neither `check` nor types beyond OmegaConf's are at
    work until `cn.compose(OmegaConf.to_object(config))`.
    """
    name = root_name(contract)
    known = ConfigStore.instance().repo.get(f"{PRIMARY}.yaml")
    if known is not None and known.provider != "cn":
        raise UserError(
            lines(
                f"the ConfigStore holds {PRIMARY!r} already, stored by {known.provider or 'your code'}",
                "store it under another name",
            )
        )
    ConfigStore.instance().store(PRIMARY, {"defaults": [{name: "default"}, "_self_"]}, provider="cn")
    _Groups().fill(name, Child((contract,)), "", "_global_", ())


class _Groups:
    """The groups that are filled so far."""

    def __init__(self) -> None:
        self.options: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.filled: set[tuple[str, tuple[Any, ...]]] = set()

    def fill(self, name: str, kind: Child, address: str, where: str, above: tuple[tuple[Any, ...], ...]) -> None:
        """Enter all options of a kind, and all that they hold; `above` are the types on the way here."""
        if (name, kind.types) in self.filled:
            return
        self.filled.add((name, kind.types))
        if kind.types not in self.options:
            self.options[kind.types] = dict(discover.options(kind.types)[0])
        for option, cls in self.options[kind.types].items():
            at = f"{address}/{entry_name(option)}" if kind.many else address
            _put(Entry(cls, name, option, at, package(at) if kind.many else where))
            self.below(cls, option, at, (*above, kind.types))

    def below(self, what: Any, option: str, address: str, above: tuple[Any, ...]) -> None:
        """Enter what the attributes of a node may hold, and what they hold by default."""
        try:
            found = list(slots(what, option, address))
        except DefinitionError:  # told where the class is chosen
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
    """Store an entry where there is none, or another of the same class; an entry that is the same is kept as built."""
    known = folder(entry.group or "").get(entry.name)
    if isinstance(known, Entry):
        if vars(known) | {"_node": None} == vars(entry) | {"_node": None}:
            return
        old, new = _class(known), _class(entry)
        if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
            raise UserError(
                lines(
                    f"{entry.group}={entry.option} is two nodes, and Hydra's groups can hold one",
                    f"{old.__name__} at {place(old)}",
                    f"{new.__name__} at {place(new)}",
                    "write: another name for the attribute, or for one of the classes",
                )
            )
    store(entry)


def _put_null(slot: Slot) -> None:
    ConfigStore.instance().store("null", {slot.name: None}, group=f"{slot.folder}/{HIDDEN}", provider="cn")


def _class(entry: Entry) -> Any:
    return entry.what if isinstance(entry.what, type) else type(entry.what)
