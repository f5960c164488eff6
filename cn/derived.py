"""`derive`: a default that is worked out in Python from the composed run."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cn.errors import CNError, MissingValueError, UserError, lines
from cn.source import where

if TYPE_CHECKING:
    from cn.node import CN

T = TypeVar("T")


class Derived:
    """A default that is worked out from the run once everything else is known; see `derive`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.arguments = function.__code__.co_argcount if isinstance(function, types.FunctionType) else 1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: CN | None, owner: type) -> Any:
        """The value, of a node that is not composed with the node itself as the run."""
        if node is None:
            return self
        here = (node, self.name)
        if any(each is node and name == self.name for each, name in _active):
            circle = " -> ".join(f"{type(each).__name__}.{name}" for each, name in [*_active, here])
            raise UserError(lines(f"values are derived in a circle: {circle}", where(type(node), self.name)))
        _active.append(here)
        try:
            return self.function(*(_roots[-1] if _roots else node, node)[: self.arguments])
        except MissingValueError as error:  # an AttributeError would make Python look for another attribute
            raise UserError(str(error)) from None
        except CNError:
            raise
        except Exception as error:
            why = f"{type(node).__name__}.{self.name} cannot be derived: {type(error).__name__}: {error}"
            address = _address(_roots[-1] if _roots else node, node)
            raise UserError(
                lines(why, where(type(node), self.name), f"to give it: {address}{self.name}=VALUE")
            ) from error
        finally:
            _active.pop()

    def __repr__(self) -> str:
        return "derive(...)"


_roots: list[CN] = []  # the run that is being composed
_active: list[tuple[CN, str]] = []  # what is being derived


@contextlib.contextmanager
def deriving(root: CN) -> Generator[None]:
    """Within it, derived fields are worked out from this run."""
    _roots.append(root)
    try:
        yield
    finally:
        _roots.pop()


def derive(function: Callable[[Any], T] | Callable[[Any, Any], T]) -> T:
    """A default worked out in Python: `warmup: int = derive(lambda run: run.steps // 20)`.

    `function` is called with the whole composed run, and with the node that holds the field if it takes two arguments.
    A value that is given, in a class, in Python or on the command line, wins.
    """
    return cast("T", Derived(function))


def _address(root: CN, node: CN) -> str:
    from cn.node import walk

    return next((f"{address}." for address, each in walk(root) if each is node and address), "")
