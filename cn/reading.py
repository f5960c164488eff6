"""Which values of a run somebody set, and nothing has read since.

While a `Reading` is open, `CN` has a `__getattribute__` that takes note of the fields that code asks for. Nodes stay
what they are, of the same class and the same identity: a subclass for the time of the reading would be another type
to whoever asks, and pickle. Once all that was set has been read, or the reading is closed, nothing is left of it.
"""
# pyright: reportPrivateUsage=false
# (_fields and _derived belong to cn, and have names that no field may have; Python offers _getframe)

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Collection
from types import FrameType, MethodType
from typing import Any, NamedTuple, cast

from cn.kinds import same
from cn.node import CN, CNMeta, is_field, thaw, values, walk
from cn.target import instantiate

HANDED_ON = {"__dict__", "__getstate__", "__reduce__", "__reduce_ex__"}  # all values at once, to be read out of sight
HANDING_ON = {thaw.__code__, instantiate.__code__, CN.__replace__.__code__}  # of cn, what does so for others


class Unread(NamedTuple):
    """A value that was set and not read."""

    address: str
    node: CN
    name: str


class Reading:
    """Takes note of what is read from the nodes of a composed run, until it is closed.

    Set is what differs from its class's own default, and what is in `named`; of a value that is not read, those below
    it are not asked for. Written down, compared or printed is not read; copied or pickled is, since the copy may be.

    without: addresses that do not matter, with all below them.
    """

    def __init__(self, root: CN, *, named: Collection[str] = (), without: Collection[str] = ()) -> None:
        self.places = [(address, node) for address, node in walk(root) if not _below(address, without)]
        self.left: dict[int, set[str]] = {}  # of each node, by its id: what is set and was not read
        for address, node in self.places:
            typed = {name for name in values(node) if f"{address}.{name}".lstrip(".") in named}
            self.left.setdefault(id(node), set()).update(_set(node), typed)
        for name in without:
            self.left[id(root)].discard(name)
        with _lock:
            _open.append(self)
            _install()
        self._close_if_done()

    def unread(self) -> list[Unread]:
        """What is left, in the order of the run."""
        found: list[Unread] = []
        for address, node in self.places:
            if _below(address, [each.address for each in found]):
                continue
            names = [name for name in type(node)._fields if name in self.left[id(node)]]
            found += [Unread(f"{address}.{name}".lstrip("."), node, name) for name in names]
        return found

    def close(self) -> None:
        """Nothing more is noted."""
        with _lock:
            if self in _open:
                _open.remove(self)
            if not _open and "__getattribute__" in vars(CN):
                type.__delattr__(CN, "__getattribute__")

    def _note(self, node: CN, name: str) -> None:
        left = self.left.get(id(node))
        if not left:
            return
        if name in left:
            left.discard(name)
        elif name in HANDED_ON and not _writes_down(sys._getframe(2)):
            left.clear()
        if not left:
            self._close_if_done()

    def _close_if_done(self) -> None:
        if not any(self.left.values()):
            self.close()


_open: list[Reading] = []
_lock = threading.RLock()


def _install() -> None:
    if "__getattribute__" not in vars(CN):
        type.__setattr__(CN, "__getattribute__", _Noting())
    _see_forks()


class _Noting:
    """Stands where a class has its `__getattribute__`; were it a function, torch.compile would compile that too."""

    def __get__(self, node: CN | None, owner: type) -> Callable[..., Any]:
        return _noted if node is None else MethodType(_noted, node)


def _noted(node: CN, name: str) -> Any:
    for each in tuple(_open):
        each._note(node, name)
    return super(CN, node).__getattribute__(name)


@functools.cache
def _see_forks() -> None:
    """Another process that is forked from here may read what it likes."""

    def give_up() -> None:
        for each in tuple(_open):
            each.left = {key: set[str]() for key in each.left}
            each.close()

    os.register_at_fork(before=give_up)


def _writes_down(asking: FrameType) -> bool:
    """Whether all values at once are asked for by cn itself, to write them down or to compare them."""
    above = asking.f_back
    if asking.f_code is values.__code__ and above is not None:
        asking = above
    return asking.f_globals.get("__name__", "").partition(".")[0] == "cn" and asking.f_code not in HANDING_ON


def _set(node: CN) -> list[str]:
    """The fields whose value is not that of a fresh instance; what was derived nobody has set."""
    cls = type(node)
    if any("__getattribute__" in vars(base) for base in cls.__mro__[: cls.__mro__.index(CN)]):
        return []  # it need not come to ours
    fresh, own = values(cls()), values(node)
    return [
        name
        for name, value in own.items()
        if is_field(name)
        and name not in node._derived
        and not (name in fresh and same(_chosen(value), _chosen(fresh[name])))
    ]


def _chosen(value: Any) -> Any:
    """Of a node its class, since its own fields are looked at by themselves."""
    if isinstance(type(value), CNMeta):
        return cast("type[CN]", type(value))
    if isinstance(value, dict):
        return {key: _chosen(each) for key, each in cast("dict[Any, Any]", value).items()}
    return value


def _below(address: str, others: Collection[str]) -> bool:
    return any(address == each or address.startswith(f"{each}.") for each in others)
