"""Which images are held out: a pure function of the labels and a seed, whatever the state of any global generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cn import UserError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
Part = tuple[Pixels, Labels]  # images n c h w, labels n


def divide(part: Part, *fractions: float, seed: int) -> list[Part]:
    """Disjoint parts: one for each fraction of the images, then the rest, with the classes in proportion."""
    images, labels = part
    return [(images[index], labels[index]) for index in hold_out(labels, *fractions, seed=seed)]


def hold_out(labels: Labels, *fractions: float, seed: int) -> list[npt.NDArray[np.int64]]:
    """The indices of such parts, each in order."""
    ends = np.cumsum([round(fraction * len(labels)) for fraction in fractions], dtype=np.int64)
    indices = [np.sort(index) for index in np.split(_even_order(labels, seed), ends)]
    if not all(map(len, indices)):
        sizes, shares = ", ".join(str(len(index)) for index in indices), ", ".join(map(str, fractions))
        raise UserError(f"{len(labels)} images are too few to hold out {shares} of them: the parts would have {sizes}")
    return indices


def shuffle(length: int, seed: int, *, stream: int = 0) -> npt.NDArray[np.int64]:
    """A permutation that stays the same: NumPy promises that the raw bits of PCG64 never change."""
    return np.argsort(np.random.PCG64([seed, stream]).random_raw(length), kind="stable")


def _even_order(labels: Labels, seed: int) -> npt.NDArray[np.int64]:
    """A shuffle in which every beginning holds the classes in proportion."""
    shuffled = shuffle(len(labels), seed)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, starts, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(labels)) - np.repeat(starts, counts)
    return by_class[np.argsort((rank + 0.5) / np.repeat(counts, counts), kind="stable")]
