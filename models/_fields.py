"""What the fields of several models may hold, and the sentence that refuses the rest; no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from cn import UserError

Activation = Literal["relu", "leaky_relu", "selu", "gelu", "silu", "tanh"]


def positive(**fields: int | tuple[int, ...]) -> None:
    """Refuse a size below 1, alone or in a tuple."""
    for name, value in fields.items():
        if min(value if isinstance(value, tuple) else (value,), default=1) < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")


def not_empty(**fields: tuple[int, ...]) -> None:
    """Refuse a tuple that holds nothing."""
    for name, value in fields.items():
        if not value:
            raise ValueError(f"{name} must hold at least one size, such as [16]")


def probability(**fields: float) -> None:
    """Refuse what is not in [0, 1)."""
    for name, value in fields.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, not {value}")


def kernel_fits(model: str, kernel_size: int, inputs: tuple[int, int, int]) -> None:
    """Refuse a kernel that is wider than the image; known only once the data is."""
    _, height, width = inputs
    if kernel_size > min(height, width):
        raise UserError(
            f"{model}.kernel_size is {kernel_size}, wider than an image of {height} x {width} "
            f"pixels: the widest that fits is kernel_size={min(height, width)}"
        )


def nearest(value: int, choices: Iterable[int]) -> tuple[int, ...]:
    """The nearest choice below `value` and the nearest above, as far as there are any."""
    ordered = sorted(choices)
    below = [choice for choice in ordered if choice < value][-1:]
    above = [choice for choice in ordered if choice > value][:1]
    return (*below, *above)


def listed(name: str, values: tuple[int, ...]) -> str:
    """`the nearest that do are dim=504 and dim=516`, or its singular."""
    verb = "the nearest that does is" if len(values) == 1 else "the nearest that do are"
    return f"{verb} {' and '.join(f'{name}={value}' for value in values)}"
