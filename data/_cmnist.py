"""Colours for grey images, correlated with their labels in an exact fraction of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data._split import Labels, Part, Pixels, shuffle

PALETTE = np.array(
    [
        (255, 0, 0),  # red
        (0, 255, 0),  # green
        (0, 0, 255),  # blue
        (255, 255, 0),  # yellow
        (255, 0, 255),  # magenta
        (0, 255, 255),  # cyan
        (255, 128, 0),  # orange
        (128, 0, 255),  # violet
        (0, 255, 128),  # spring green
        (255, 255, 255),  # white
    ],
    np.uint8,
)

MAPS: dict[str, Callable[[Labels], Labels]] = {
    "half": lambda digits: digits // 5,
    "parity": lambda digits: digits % 2,
    "digit": lambda digits: digits,
}
CLASSES: dict[str, tuple[str, ...]] = {
    "half": ("0-4", "5-9"),
    "parity": ("even", "odd"),
    "digit": tuple("0123456789"),
}


def coloured(part: Part, *, labels: str, colours: int, correlation: float, seed: int) -> Part:
    """Colour grey digits `n 1 h w` to images `n 3 h w`; return them with labels of the map `labels`."""
    images, digits = part
    mapped = MAPS[labels](digits)
    return paint(images, colours_for(mapped, colours=colours, correlation=correlation, seed=seed)), mapped


def colours_for(labels: Labels, *, colours: int, correlation: float, seed: int) -> Labels:
    """Return a colour for each label: label modulo `colours` in a fraction `correlation` of each label's images.

    The other images take the other colours in equal numbers. The counts are exact; `seed` decides which images.
    """
    chosen = np.empty(len(labels), np.int64)
    order = shuffle(len(labels), seed, stream=1)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        own = round(correlation * len(members))
        chosen[members[:own]] = label % colours
        chosen[members[own:]] = (label + 1 + np.arange(len(members) - own) % (colours - 1)) % colours
    return chosen


def paint(images: Pixels, colour: Labels) -> Pixels:
    """Map grey `n 1 h w` to `n 3 h w`: white becomes the colour, black stays black."""
    painted = np.zeros((len(images), 3, *images.shape[2:]), np.uint8)
    for number, rgb in enumerate(PALETTE):
        members = np.flatnonzero(colour == number)
        painted[members] = images[members].astype(np.uint16) * rgb.reshape(1, 3, 1, 1) // 255
    return painted
