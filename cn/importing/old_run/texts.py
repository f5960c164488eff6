"""Interpolations of an old run, worked out by OmegaConf: with the functions of the project, and without running code.

`${now:...}` is the time of the old run, which no file of it tells.
"""

from __future__ import annotations

import ast
import operator
import re
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

from cn.importing.families.types import mapped, scalars
from cn.importing.old_run.written import Keys, Written
from cn.importing.writing.function_names import function_name

CALLED = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*:")
BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: lambda left, right: operator.mul(_number(left), _number(right)),
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (abs, bool, float, int, len, max, min, round, str, sum)
}


class UnknownTextError(ValueError):
    """An interpolation cannot be worked out; the text says why."""


class Texts:
    """Works out what the configuration of an old run says at an address."""

    def __init__(self, written: Written) -> None:
        from omegaconf import OmegaConf

        self.written = written
        config: Any = OmegaConf
        self.config: Any = config.create(mapped(written.body))
        self.settings: Any = config.create(mapped({"hydra": written.hydra}))

    def value(self, keys: Keys, *, recorded: bool) -> Any:
        """Return the plain value at an address. Raises UnknownTextError.

        recorded: `${hydra:...}` is what it was in the old run, not what the project's own function gives.
        """
        from omegaconf import OmegaConf

        with self._functions(recorded):
            try:
                found: Any = self.config
                for key in cast("tuple[str, ...]", keys):
                    if OmegaConf.is_missing(found, key):
                        raise UnknownTextError("it is missing")
                    found = found[key]
                return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
            except UnknownTextError:
                raise
            except Exception as error:
                raise UnknownTextError(_why(error)) from None

    @contextmanager
    def _functions(self, recorded: bool) -> Generator[None]:
        """Context manager: OmegaConf knows the functions that the interpolations call, and those alone."""
        from omegaconf import OmegaConf
        from omegaconf.basecontainer import BaseContainer

        known = BaseContainer._resolvers  # pyright: ignore[reportPrivateUsage]
        before = dict(known)
        own = sys.modules.get("resolvers")
        try:
            for name in set(CALLED.findall(str(self.written.body))) - {"now"}:
                if name.startswith("oc."):
                    continue
                known.pop(name, None)
                function = _function(own, name)
                if name == "eval":
                    function = arithmetic
                elif name == "hydra" and (recorded or function is None):
                    function = self._setting
                if function is not None:
                    with warnings.catch_warnings():  # OmegaConf 2.4 calls it otherwise
                        warnings.simplefilter("ignore")
                        OmegaConf.register_new_resolver(name, function)
            known.pop("now", None)
            yield
        finally:
            known.clear()
            known.update(before)

    def _setting(self, name: str) -> Any:
        from omegaconf import OmegaConf

        found: Any = OmegaConf.select(self.settings, f"hydra.{name}")
        if found is None:
            raise UnknownTextError(f"the run's hydra.yaml tells no hydra.{name}")
        return found


def _function(own: Any, resolver: str) -> Any:
    """Return the function that a project's resolvers.py has in place of a resolver; None if it has none."""
    name = function_name(resolver)
    return getattr(own, name, getattr(own, f"{name}_", None))  # the second: a class of the project has the first name


def arithmetic(text: str) -> Any:
    """Return what an expression of numbers, texts and lists gives. UnknownTextError if it is another one."""
    try:
        return _evaluated(ast.parse(str(text).strip(), mode="eval").body)
    except UnknownTextError:
        raise
    except Exception as error:
        raise UnknownTextError(f"{type(error).__name__}: {error}") from None


def _evaluated(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_evaluated(each) for each in items]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluated(inner)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _evaluated(inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, power = _evaluated(left), _evaluated(right)
            if max(abs(base), abs(power)) > 1e4:
                raise UnknownTextError("a power of large numbers")
            return base**power
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            return BINARY[type(sign)](_evaluated(left), _evaluated(right))
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in BINARY:
            return BINARY[type(sign)](_evaluated(left), _evaluated(right))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_evaluated(each) for each in parts)
        case ast.BoolOp(values=parts):
            return any(_evaluated(each) for each in parts)
        case ast.IfExp(test=test, body=body, orelse=other):
            return _evaluated(body if _evaluated(test) else other)
        case ast.Subscript(value=value, slice=place):
            return _evaluated(value)[_evaluated(place)]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*map(_evaluated, arguments))
        case _:
            raise UnknownTextError(f"{ast.unparse(node)} is not worked out, since it could run code")


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise UnknownTextError("a product of what is no number")
    return value


def holds_text(value: Any) -> bool:
    """Return whether an interpolation stands in a value, at any depth."""
    return any(isinstance(each, str) and "${" in each for each in scalars(value))


def _why(error: Exception) -> str:
    cause = error
    while cause.__cause__ is not None and not isinstance(cause, UnknownTextError):
        cause = cast("Exception", cause.__cause__)
    if isinstance(cause, UnknownTextError):
        return str(cause)
    from cn.composing.interpolation import in_words

    return str(in_words(str(error))[0])
