"""What Hydra's ConfigStore holds of a node: its plain values, and a defaults list that chooses its children.

The children themselves are left out. Were they in, `_self_` at the end of the list would overwrite the class of the
chosen child. A default that is an instance with changed values is an option of its own, in a folder that Hydra leaves
out when it lists options: `model/_/cifar_vit` is what `runs/cifar_vit.py` has as its model.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from keyword import iskeyword
from typing import Any, NamedTuple, Optional, cast

from hydra.core.default_element import GroupDefault
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict

from cn.composing.interpolation import literal
from cn.discovery import registry
from cn.nodes.containers import Items, Table
from cn.nodes.derived import Derived
from cn.nodes.field_types import Child, Either, Kind, Member, Scalar
from cn.nodes.node import CN
from cn.nodes.ranges import bare
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, differences

HIDDEN = "_"  # the folder of a group that holds what nobody chooses by name
NULL = f"{HIDDEN}/null"  # sets an optional node attribute to None, before the chosen node if any
LISTED = hasattr(GroupDefault, "normalized_shorthand")  # Hydra 1.4 reads `model: vit/small` as `model/vit: small`,
# which neither stands at `model` nor is replaced by `model=mlp`; it leaves the items of a list as they are


class Default(NamedTuple):
    """A node that is the default of a field."""

    option: str
    node: CN
    address: str
    package: str  # where Hydra puts it, if not at its group's name

    @property
    def hidden(self) -> bool:
        return self.option.startswith(f"{HIDDEN}/")


class Slot(NamedTuple):
    """A node attribute: the group with its options, and its default nodes."""

    name: str
    folder: str
    kind: Child
    defaults: list[Default] | None  # None: required


def structured(what: Any, option: str, address: str) -> DictConfig:
    """Return the config of a node class or an instance for Hydra to compose at an address, without derived values."""
    chosen: list[Any] = []
    several: dict[str, Any] = {}
    for slot in slots(what, option, address):
        names = [each.option for each in slot.defaults] if slot.defaults is not None else None
        if slot.kind.many:
            several[slot.name] = {}
            chosen.append({f"/{slot.folder}": names or []})
            continue
        if slot.kind.optional:
            chosen.insert(0, f"/{slot.folder}/{NULL}@_here_")
        default = "???" if names is None else (names or [None])[0]
        listed = LISTED and default is not None and "/" in default
        at = f"@{slot.name}" if address or listed else ""
        chosen.append({f"/{slot.folder}{at}": [default] if listed else default})
    return _typed(what, several | {"defaults": [*chosen, "_self_"]})


def mirror(node: CN) -> DictConfig:
    """Return the DictConfig from which `OmegaConf.to_object` rebuilds an equal node."""
    below: dict[str, Any] = {}
    for name, kind in kinds_of(node).items():
        value = node.__dict__.get(name)
        if isinstance(kind, Child) and name in node.__dict__:
            below[address_of("", type(node), name)] = (
                None
                if value is None
                else {key: mirror(each) for key, each in cast("dict[str, CN]", value).items()}
                if kind.many
                else mirror(value)
            )
    return _typed(node, below)


def slots(what: Any, option: str, address: str) -> Iterator[Slot]:
    """Yield the node attributes of a class or an instance that is an option at an address."""
    for name, kind in kinds_of(what).items():
        if not isinstance(kind, Child):
            continue
        key = address_of("", what if isinstance(what, type) else type(what), name)
        folder = f"{address}/{key}" if address else key
        value = _value(what, name)
        if value is ... or value is None or isinstance(value, Derived):  # a derived node cannot be chosen
            defaults: list[Default] | None = None if value is ... and not kind.many else []
        elif kind.many:
            defaults = [_several(each, kind, folder, option, key) for key, each in cast("dict[str, CN]", value).items()]
        else:
            plain = _plain_option(value, kind)
            defaults = [Default(plain or f"{HIDDEN}/{option}", value, folder, "")]
        yield Slot(key, folder, kind, defaults)


def entry_name(option: str) -> str:
    """Return the key of an option in a dict of nodes."""
    return option.replace("/", "_")


def package(address: str) -> str:
    """Return the package in which Hydra puts the entry of a dict of nodes."""
    return address.replace("/", ".")


def _several(node: CN, kind: Child, folder: str, option: str, key: str) -> Default:
    plain = _plain_option(node, kind)
    named = plain if plain and entry_name(plain) == key else None
    address = f"{folder}/{key}"
    return Default(named or f"{HIDDEN}/{option}/{key}", node, address, package(address))


def _plain_option(node: CN, kind: Child) -> str | None:
    """Return the option that a node equals; None if its values were changed, or if it is no option."""
    key = registry.key_of(type(node))
    groups = [registry.group_of(registry.home(each)) for each in kind.types]
    changed = any(True for _ in differences(node, type(node)()))
    return key.option if key and key.group in groups and not changed else None


def _typed(what: Any, more: dict[str, Any]) -> DictConfig:
    """Return the plain values as a config of the node's class, with the types that OmegaConf knows."""
    cls = what if isinstance(what, type) else type(what)
    fields: list[Any] = []
    keyed: dict[str, Any] = {}
    for name, kind in kinds_of(what).items():
        value = _value(what, name)
        if isinstance(kind, Child) or isinstance(value, Derived):
            continue
        held = MISSING if value is ... else literal(value)
        if (key := address_of("", cls, name)) != name:
            keyed[key] = held  # no name of a field of a dataclass
            continue
        fields.append((name, _type(kind), dataclasses.field(default_factory=lambda x=held: x)))
    for name, value in more.items():
        if not name.isidentifier() or iskeyword(name):
            keyed[name] = value
            continue
        fields.append((name, Any, dataclasses.field(default_factory=lambda x=value: x)))
    config = OmegaConf.structured(dataclasses.make_dataclass(cls.__name__, fields))
    with open_dict(config):
        for name, value in keyed.items():
            config[name] = value
    config._metadata.object_type = dict if registry.is_bundle(cls) else cls
    return config


def _value(what: Any, name: str) -> Any:
    """Return the value of a field, or its default; `...` for a required field without a value."""
    if isinstance(what, CN) and name in what.__dict__:
        return what.__dict__[name]
    if isinstance(what, CN) and name in what._late:
        return what._late[name]
    field = next(field for field in dataclasses.fields(what) if field.name == name)
    if isinstance(what, CN) and not isinstance(field.default, Derived):
        return ...  # required and not given
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return ... if field.default is dataclasses.MISSING else field.default


def _type(kind: Kind) -> Any:
    """Return OmegaConf's type for a field type; Any for a Literal, a tuple, a union, and a container of these."""
    kind = bare(kind)
    if isinstance(kind, (Scalar, Member)):
        return kind.type
    if isinstance(kind, Items) and kind.type is list:
        return list[_type(kind.item)]
    if isinstance(kind, Table):
        return dict[_type(kind.key), _type(kind.value)]
    if isinstance(kind, Either):
        plain = [each for each in kind.members if each != Scalar(type(None), "None")]
        if len(plain) == 1 and len(kind.members) == 2:
            return Optional[_type(plain[0])]  # noqa: UP045
    return Any
