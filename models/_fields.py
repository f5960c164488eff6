"""Checks of fields that several models share; no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from annotated_types import Ge, Lt, MinLen

from cn import UserError

Size = Annotated[int, Ge(1)]  # of a layer, a kernel, a sequence; or how many there are of something
Sizes = Annotated[tuple[Size, ...], MinLen(1)]  # of layers, at least one
Probability = Annotated[float, Ge(0), Lt(1)]
Activation = Literal["relu", "leaky_relu", "selu", "gelu", "silu", "tanh"]


def divisible(by: str, parts: int, **fields: int) -> None:
    """Raise ValueError for a size that `parts`, the value of the field `by`, does not divide."""
    for name, value in fields.items():
        below = value - value % parts
        if below != value:
            near = nearest(value, [size for size in (below, below + parts) if size])
            raise ValueError(f"{name}={value} does not divide by {by}={parts}: {listed(name, near)}")


def kernel_fits(model: str, kernel_size: int, inputs: tuple[int, int, int]) -> None:
    """Raise UserError for a kernel that is wider than the image, which is known only with the data."""
    _, height, width = inputs
    if kernel_size > min(height, width):
        raise UserError(
            f"{model}.kernel_size is {kernel_size}, wider than an image of {height} x {width} "
            f"pixels: the widest that fits is kernel_size={min(height, width)}"
        )


def nearest(value: int, choices: Iterable[int]) -> tuple[int, ...]:
    """Return the nearest choice below `value` and the nearest above, if they exist."""
    ordered = sorted(choices)
    below = [choice for choice in ordered if choice < value][-1:]
    above = [choice for choice in ordered if choice > value][:1]
    return (*below, *above)


def listed(name: str, values: tuple[int, ...]) -> str:
    """Return `the nearest that do are dim=504 and dim=516`, or its singular."""
    verb = "the nearest that does is" if len(values) == 1 else "the nearest that do are"
    return f"{verb} {' and '.join(f'{name}={value}' for value in values)}"
