"""Read tracking: find the values of a run that were set but never read.

While a `Reading` is open, `CN` has a `__getattribute__` that records the fields that code reads. Nodes keep their
class and identity: a temporary subclass would be another type to `isinstance` and pickle. The hook is removed once all
set values have been read, or when the reading is closed.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Collection
from types import FrameType, MethodType
from typing import Any, NamedTuple

from cn.nodes.node import CN
from cn.nodes.target import built, instantiated
from cn.nodes.traversal import address_of, differences, is_field, thaw, values, walk

# attributes that expose all values at once, whose use we cannot see
HANDED_ON = {"__dict__", "__getstate__", "__reduce__", "__reduce_ex__"}
# functions of cn that expose them
HANDING_ON = {thaw.__code__, instantiated.__code__, built.__code__, CN.__replace__.__code__}


class Unread(NamedTuple):
    """A value that was set but not read."""

    address: str
    node: CN
    name: str


class Reading:
    """Records the reads of a composed run's fields until it is closed.

    A value counts as set if it differs from its class's default or is in `named`. Below an unread node, no further
    value is reported. Printing, comparing or recording a value is no read; copying it is, since the copy may be read.

    without: addresses to ignore, with everything below them.
    """

    def __init__(self, root: CN, *, named: Collection[str] = (), without: Collection[str] = ()) -> None:
        self.places = [(address, node) for address, node in walk(root) if not _below(address, without)]
        self.left: dict[int, set[str]] = {}  # id of a node -> its fields that are set and not yet read
        for address, node in self.places:
            typed = {name for name in values(node) if address_of(address, type(node), name) in named}
            self.left.setdefault(id(node), set()).update(_set(node), typed)
        for name in without:
            self.left[id(root)].discard(name)
        with _lock:
            _open.append(self)
            type.__setattr__(CN, "__getattribute__", _Noting())
            _see_forks()
        self._close_if_done()

    def unread(self) -> list[Unread]:
        """Return the unread values in the order of the run."""
        found: list[Unread] = []
        for address, node in self.places:
            if _below(address, [each.address for each in found]):
                continue
            names = [name for name in type(node)._fields if name in self.left[id(node)]]
            found += [Unread(address_of(address, type(node), name), node, name) for name in names]
        return found

    def close(self) -> None:
        """Stop recording."""
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


class _Noting:
    """Stands in for `__getattribute__`; torch.compile would compile a plain function too."""

    def __get__(self, node: CN | None, owner: type) -> Callable[..., Any]:
        return _noted if node is None else MethodType(_noted, node)


def _noted(node: CN, name: str) -> Any:
    for each in tuple(_open):
        each._note(node, name)
    return super(CN, node).__getattribute__(name)


@functools.cache
def _see_forks() -> None:
    """Stop tracking at a fork: reads in a child process cannot be seen."""

    def give_up() -> None:
        for each in tuple(_open):
            each.left = {key: set[str]() for key in each.left}
            each.close()

    os.register_at_fork(before=give_up)


def _writes_down(asking: FrameType) -> bool:
    """Return whether cn itself asks for all values at once, to record or to compare them."""
    above = asking.f_back
    if asking.f_code is values.__code__ and above is not None:
        asking = above
    return asking.f_globals.get("__name__", "").partition(".")[0] == "cn" and asking.f_code not in HANDING_ON


def _set(node: CN) -> list[str]:
    """Return the fields that differ from those of a fresh instance, derived fields excluded."""
    cls = type(node)
    if any("__getattribute__" in vars(base) for base in cls.__mro__[: cls.__mro__.index(CN)]):
        return []  # its own `__getattribute__` may bypass ours: not tracked
    return [name for name, *_ in differences(node, cls(), nested=False) if is_field(name)]


def _below(address: str, others: Collection[str]) -> bool:
    return any(address == each or address.startswith(f"{each}.") for each in others)
