"""`Immutable`: a class of a few named values, like a frozen dataclass but without code that is generated at import.

A dataclass compiles its methods when its class is made: ten of them took a fifth of the time to import `cn`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, dataclass_transform

REQUIRED = object()


@dataclass_transform(frozen_default=True)
class Immutable:
    """Base class. The annotations of a subclass are its values, in the order of the arguments."""

    _defaults: ClassVar[dict[str, Any]] = {}  # value name -> default, or REQUIRED

    def __init_subclass__(cls) -> None:
        own = {name: vars(cls).get(name, REQUIRED) for name in cls.__annotations__}
        cls._defaults = {**cls._defaults, **own}

    if not TYPE_CHECKING:

        def __init__(self, *args, **named):
            names = self._defaults
            values = {**names, **dict(zip(names, args)), **named}  # noqa: B905
            if len(args) > len(names) or len(values) > len(names) or REQUIRED in values.values():
                raise TypeError(f"{type(self).__name__} takes {', '.join(names)}")
            self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed."""
        return type(self)(**{**self.__dict__, **changes})
