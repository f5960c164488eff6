"""Held-out parts: a pure function of the labels and a seed, independent of global generators."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from cn import UserError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
Part = tuple[Pixels, Labels]  # images n c h w, labels n


def divide(part: Part, *fractions: float, seed: int) -> list[Part]:
    """Return disjoint parts: one per fraction of the images, then the rest, with the classes in proportion."""
    images, labels = part
    return [(images[index], labels[index]) for index in hold_out(labels, *fractions, seed=seed)]


def parted(
    labels: Mapping[str, Labels], *, validation: float, test: float, seed: int, noun: str
) -> dict[str, tuple[str, npt.NDArray[np.int64]]]:
    """Return the source of each part's examples: `train` or the part's own, and the indices in it.

    labels: of train, and of validation and test unless they are held out of train.
    """
    held = {name: share for name, share in (("validation", validation), ("test", test)) if name not in labels}
    *out, rest = hold_out(labels["train"], *held.values(), seed=seed, noun=noun)
    own = {name: (name, np.arange(len(each))) for name, each in labels.items()}
    return own | {name: ("train", each) for name, each in zip([*held, "train"], [*out, rest], strict=True)}


def hold_out(labels: Labels, *fractions: float, seed: int, noun: str = "images") -> list[npt.NDArray[np.int64]]:
    """Return the indices of such parts, each sorted."""
    ends = np.cumsum([round(fraction * len(labels)) for fraction in fractions], dtype=np.int64)
    indices = [np.sort(index) for index in np.split(_even_order(labels, seed), ends)]
    if not all(map(len, indices)):
        sizes, shares = ", ".join(str(len(index)) for index in indices), ", ".join(map(str, fractions))
        raise UserError(f"{len(labels)} {noun} are too few to hold out {shares} of them: the parts would have {sizes}")
    return indices


def shuffle(length: int, seed: int, *, stream: int = 0) -> npt.NDArray[np.int64]:
    """Return a reproducible permutation: NumPy guarantees that the raw bits of PCG64 never change."""
    return np.argsort(np.random.PCG64([seed, stream]).random_raw(length), kind="stable")


def _even_order(labels: Labels, seed: int) -> npt.NDArray[np.int64]:
    """Return a shuffle in which every prefix has the classes in proportion."""
    shuffled = shuffle(len(labels), seed)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, starts, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(labels)) - np.repeat(starts, counts)
    return by_class[np.argsort((rank + 0.5) / np.repeat(counts, counts), kind="stable")]
