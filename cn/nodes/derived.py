"""`derive`: a default that is computed in Python from the composed run."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cn.discovery.source import where
from cn.errors import CNError, MissingValueError, UnfinishedError, UserError, lines

if TYPE_CHECKING:
    from cn.nodes.node import CN

T = TypeVar("T")


class Derived:
    """A default that is computed from the run after all other values are known; see `derive`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.arguments = function.__code__.co_argcount if isinstance(function, types.FunctionType) else 1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: CN | None, owner: type) -> Any:
        """Compute the value; a node that is not being composed is passed as the run."""
        if node is None:
            return self
        here = (node, self.name)
        if any(each is node and name == self.name for each, name in _active):
            circle = " -> ".join(f"{type(each).__name__}.{name}" for each, name in [*_active, here])
            raise UserError(lines(f"values are derived in a circle: {circle}", where(type(node), self.name)))
        _active.append(here)
        try:
            return self.function(*(_roots[-1][0] if _roots else node, node)[: self.arguments])
        except MissingValueError as error:  # an AttributeError would make Python look for another attribute
            raise UnfinishedError(str(error)) from None
        except CNError:
            raise
        except Exception as error:
            why = f"{type(node).__name__}.{self.name} cannot be derived: {type(error).__name__}: {error}"
            address = _roots[-1][1](node) if _roots else ""
            raise UserError(
                lines(why, where(type(node), self.name), f"to give it: {address and f'{address}.'}{self.name}=VALUE")
            ) from error
        finally:
            _active.pop()

    def __repr__(self) -> str:
        return "derive(...)"


_roots: list[tuple[CN, Callable[[CN], str]]] = []  # the composed run, and a function from a node to its address
_active: list[tuple[CN, str]] = []  # the fields that are being computed


@contextlib.contextmanager
def deriving(root: CN, address_of: Callable[[CN], str]) -> Generator[None]:
    """Context manager: compute derived fields from this run; `address_of` returns the address of a node in the run."""
    _roots.append((root, address_of))
    try:
        yield
    finally:
        _roots.pop()


def derive(function: Callable[[Any], T] | Callable[[Any, Any], T]) -> T:
    """A default computed in Python: `warmup: int = derive(lambda run: run.steps // 20)`.

    `function` is called with the whole composed run, and with the node that holds the field if it takes two arguments.
    A value given in a class, in Python or on the command line takes precedence.
    """
    return cast("T", Derived(function))
