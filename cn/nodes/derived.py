"""`derive`: a default that is computed in Python from the composed run."""
# pyright: reportPrivateUsage=false
# (_fields and _late belong to cn; no user field may have these names)

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from cn.discovery.source import where
from cn.errors import CNError, MissingValueError, UnfinishedError, UserError, lines

if TYPE_CHECKING:
    from cn.nodes.node import CN

T = TypeVar("T")


class Derived:
    """A default that is computed from the run after all other values are known; see `derive`."""

    name = ""  # of the field

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.arguments = function.__code__.co_argcount if isinstance(function, types.FunctionType) else 1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: CN | None, owner: type) -> Any:
        return self if node is None else computed(node, self.name, self)

    def compute(self, node: CN) -> Any:
        """Call the function; a node that is not being composed is passed as the run."""
        return self.function(*(_roots[-1].run if _roots else node, node)[: self.arguments])

    def __repr__(self) -> str:
        return "derive(...)"


class Nested(Derived):
    """A list, tuple or dict in which some values are derived."""

    def __init__(self, template: Any) -> None:
        self.template = template

    def compute(self, node: CN) -> Any:
        return _filled(self.template, node)

    def item(self, node: CN, key: str) -> Any:
        """Compute one item of a dict, so that the other items may use it."""
        return _filled(self.template[key], node)

    def __repr__(self) -> str:
        return repr(self.template)


class Fallback:
    """A plain default of a class of which an instance has a derived value in place of it."""

    def __init__(self, name: str, default: Any) -> None:
        self.name, self.default = name, default

    def __get__(self, node: CN | None, owner: type) -> Any:
        late = None if node is None else node._late.get(self.name)
        return self.default if node is None or late is None else computed(node, self.name, late)


def as_derived(value: Any) -> Derived | None:
    """Return a value that is derived, or in which a value is; None for other values."""
    return value if isinstance(value, Derived) else Nested(value) if _holds_derived(value) else None


def derives(node: CN, name: str) -> Derived | None:
    """Return from what a field without a value is derived: what the node gives, or its class."""
    default = type(node)._fields[name].default
    return None if name in node.__dict__ else node._late.get(name, default if isinstance(default, Derived) else None)


def computed(node: CN, name: str, value: Derived) -> Any:
    """Compute a field; while a run is composed, the field keeps the value."""
    value = node._late.get(name, value)
    here = (node, name)
    if any(each is node and other == name for each, other in _active):
        circle = " -> ".join(f"{type(each).__name__}.{name}" for each, name in [*_active, here])
        raise UserError(lines(f"values are derived in a circle: {circle}", where(type(node), name)))
    _active.append(here)
    try:
        found = value.compute(node)
    except MissingValueError as error:  # an AttributeError would make Python look for another attribute
        raise UnfinishedError(str(error)) from None
    except CNError:
        raise
    except Exception as error:
        why = f"{type(node).__name__}.{name} cannot be derived: {type(error).__name__}: {error}"
        address = _roots[-1].address_of(node) if _roots else ""
        raise UserError(
            lines(why, where(type(node), name), f"to give it: {address and f'{address}.'}{name}=VALUE")
        ) from error
    finally:
        _active.pop()
    return _roots[-1].keep(node, name, found) if _roots else found


def _holds_derived(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(cast("dict[Any, Any]", value).values())
    return isinstance(value, Derived) or (
        isinstance(value, (list, tuple)) and any(map(_holds_derived, cast("list[Any]", value)))
    )


def _filled(value: Any, node: CN) -> Any:
    """Return a copy of a value in which each derived value is computed."""
    if isinstance(value, Derived):
        return value.compute(node)
    if isinstance(value, (list, tuple)):
        items = cast("list[Any] | tuple[Any, ...]", value)
        return type(items)(_filled(each, node) for each in items)
    if isinstance(value, dict):
        return {key: _filled(each, node) for key, each in cast("dict[Any, Any]", value).items()}
    return value


class Deriving(NamedTuple):
    """A run whose values are being derived."""

    run: CN
    address_of: Callable[[CN], str]
    keep: Callable[[CN, str, Any], Any]  # is given the computed value of a field, and returns the value to read


_roots: list[Deriving] = []
_active: list[tuple[CN, str]] = []  # the fields that are being computed


@contextlib.contextmanager
def deriving(run: Deriving) -> Generator[None]:
    """Context manager: compute derived fields from this run."""
    _roots.append(run)
    try:
        yield
    finally:
        _roots.pop()


def derive(function: Callable[[Any], T] | Callable[[Any, Any], T]) -> T:
    """A default computed in Python: `warmup: int = derive(lambda run: run.steps // 20)`.

    `function` is called with the whole composed run, and with the node that holds the field if it takes two arguments.
    It may also stand in a list, tuple or dict, and in `ViT(depth=derive(...))`. For a node field it returns a node, a
    class, or the name of an option. A value given in a class, in Python or on the command line takes precedence.
    """
    return cast("T", Derived(function))
