"""`derive`: a default that is computed in Python from the composed run."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from cn.discovery.source import where
from cn.errors import CNError, FrozenError, MissingValueError, UnfinishedError, UserError

if TYPE_CHECKING:
    from cn.nodes.node import CN

T = TypeVar("T")


class Derived:
    """A default that is computed from the run after all other values are known; see `derive`."""

    name = ""  # of the field

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.arguments = 1
        if isinstance(function, types.FunctionType):
            self.arguments = function.__code__.co_argcount - len(function.__defaults__ or ())

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

    name = "extra"  # unless it is the default of another field

    def __init__(self, template: Any) -> None:
        self.template = template

    def compute(self, node: CN) -> Any:
        template: Any = self.template
        if isinstance(template, dict):
            return {key: self.item(node, key, whole=True) for key in cast("dict[Any, Any]", template)}
        return _filled(template, node)

    def item(self, node: CN, key: Any, *, whole: bool = False) -> Any:
        """Compute an item of a dict. whole: fail if its values need one another; else compute them as they are read."""
        value, here = self.template[key], (node, f"{self.name}[{key!r}]")
        if _is_active(here):
            return _read(value, node)
        try:
            with _activated(here):
                return _filled(value, node)
        except Circle:
            if whole:
                raise
            return _read(value, node)

    def __repr__(self) -> str:
        return repr(self.template)


class Unfilled:
    """A view of a container with derived values: each item is computed when it is read."""

    def __init__(self, template: Any, node: CN) -> None:
        self.template, self.node = template, node

    def __getitem__(self, key: Any) -> Any:
        return _read(self.template[key], self.node)

    def __len__(self) -> int:
        return len(self.template)


class UnfilledTable(Unfilled, Mapping[Any, Any]):
    """A dict."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.template)


class UnfilledRow(Unfilled, Sequence[Any]):
    """A list or a tuple."""


class Circle(UserError):  # noqa: N818
    """A value is derived from itself."""


class Fallback:
    """Descriptor of a field with a plain default: gives the value of an instance that derives it, else the default."""

    def __init__(self, name: str, default: Any) -> None:
        self.name, self.default = name, default

    def __get__(self, node: CN | None, owner: type) -> Any:
        late = None if node is None else node._late.get(self.name)
        return self.default if node is None or late is None else computed(node, self.name, late)


def as_derived(value: Any) -> Derived | None:
    """Return a Derived unchanged, and a container with a Derived in it as a Nested; None for other values."""
    return value if isinstance(value, Derived) else Nested(value) if _holds_derived(value) else None


def derives(node: CN, name: str) -> Derived | None:
    """Return the Derived of a field without a value: that of the instance, else of its class; else None."""
    default = type(node)._fields[name].default
    return None if name in node.__dict__ else node._late.get(name, default if isinstance(default, Derived) else None)


def computed(node: CN, name: str, value: Derived) -> Any:
    """Compute a field; while a run is composed, the field keeps the value."""
    value = node._late.get(name, value)
    here = (node, name)
    if _is_active(here) and isinstance(value, Nested):
        return _read(value.template, node)
    try:
        with _activated(here):
            found = _whole(value.compute(node))
    except Circle:
        if _active and isinstance(value, Nested):
            return _read(value.template, node)
        raise
    except MissingValueError as error:  # an AttributeError would make Python look for another attribute
        raise UnfinishedError(str(error)) from None
    except FrozenError as error:
        instead = "write: a function that returns the value of its field, and sets no other"
        raise error.within(f"{type(node).__name__}.{name} cannot be derived: ", instead) from None
    except CNError:
        raise
    except Exception as error:
        why = f"{type(node).__name__}.{name} cannot be derived: {type(error).__name__}: {error}"
        address = _roots[-1].address_of(node) if _roots else ""
        raise UserError(why, where(type(node), name), f"to give it: {address and f'{address}.'}{name}=VALUE") from error
    return _roots[-1].keep(node, name, found) if _roots else found


def _holds_derived(value: Any) -> bool:
    held = cast("Any", value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ())
    return isinstance(value, Derived) or any(map(_holds_derived, held))


@contextlib.contextmanager
def _activated(here: tuple[CN, str | Derived]) -> Generator[None]:
    """Context manager: a value is being computed. Raises UserError if it is already."""
    if _is_active(here):
        named = [(each, name) for each, name in [*_active, here] if isinstance(name, str)]
        circle = " -> ".join(f"{type(each).__name__}.{name}" for each, name in named)
        node, name = named[-1]
        raise Circle(f"values are derived in a circle: {circle}", where(type(node), name.partition("[")[0]))
    _active.append(here)
    try:
        yield
    finally:
        _active.pop()


def _is_active(here: tuple[CN, str | Derived]) -> bool:
    return any(node is here[0] and name == here[1] for node, name in _active)


def _read(value: Any, node: CN) -> Any:
    """Return a part of a Nested that is being computed."""
    if isinstance(value, (dict, list, tuple)) and _holds_derived(value):
        return UnfilledTable(value, node) if isinstance(value, dict) else UnfilledRow(value, node)
    return _filled(value, node)


def _whole(value: Any) -> Any:
    """Return a computed value, with all that is in it if it is a part of a Nested."""
    return _filled(value.template, value.node) if isinstance(value, Unfilled) else value


def _filled(value: Any, node: CN) -> Any:
    """Return a copy of a value in which each derived value is computed."""
    if isinstance(value, Derived):
        with _activated((node, value)):
            return _whole(value.compute(node))
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
_active: list[tuple[CN, str | Derived]] = []  # what is being computed: a field, or a value within one


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
