"""Bundles: one option of a dict of nodes that stands for several nodes."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cn.discovery.source import where
from cn.errors import DefinitionError, short
from cn.nodes.derived import derives
from cn.nodes.field_types import Bundled
from cn.nodes.node import CN
from cn.nodes.traversal import NodeType, values

if TYPE_CHECKING:

    class Bundle:  # no CN for a type checker, for which a call of a CN makes an instance of it
        def __new__(cls, **nodes: Any) -> dict[str, Any]: ...

else:

    class Bundle(CN):
        """Each field is an entry of the dict, `ema: Callback = Ema(decay=0.9)`, and a field that is None is left out.

        In Python, `Default()` is the dict. A subclass inherits the entries.
        """

        _bundle_: ClassVar[bool] = True

        def __new__(cls, **nodes):
            return Bundled(values(holder_of(cls, nodes)), cls)


def holder_of(cls: type[CN], nodes: dict[str, Any] | None = None) -> CN:
    """Return a bundle as a node; DefinitionError if a field holds no node or has no default."""
    holder = object.__new__(cls)
    CN.__init__(holder, **nodes or {})
    for name in cls._fields:
        if name not in vars(holder):
            is_derived = derives(holder, name) is not None
            what = "is derived, and each field of a bundle is a node" if is_derived else "has no default"
            instead = f"write: {name}: ... = NODE(); to leave it out: {name}: ... | None = None"
            raise DefinitionError(f"{cls.__name__}.{name} {what}", instead, where(cls, name))
    for name, value in values(holder).items():
        if value is None:
            del vars(holder)[name]
        elif not isinstance(type(value), NodeType):
            what = f"{cls.__name__}.{name} is {short(repr(value))}, and each field of a bundle is a node"
            raise DefinitionError(what, where(cls, name))
    return holder
