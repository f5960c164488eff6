"""Coloured MNIST: digits whose colour tells the label, more or less, in training and otherwise in the test."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le

from data import Published, rest
from data.mnist import ADDRESS, MD5, TEST, TRAIN

if TYPE_CHECKING:
    from data import Dataset

Colours = Annotated[int, Ge(2), Le(10)]
Correlation = Annotated[float, Ge(0), Le(1)]


class Cmnist(Published):
    """MNIST in colour, after Arjovsky et al. 2019 (arXiv:1907.02893), without their noise in the labels.

    The colour of a label is its number modulo `colours`. The images that do not have it take the other colours in
    equal numbers. The counts are exact; the seed draws which training images they are, and never touches the test.
    """

    labels: Literal["half", "parity", "digit"] = "half"  # 0-4 against 5-9, even against odd, or the ten digits
    colours: Colours = 2  # red, green, blue, yellow, magenta, cyan, orange, violet, spring green, white
    train_correlation: Correlation = 0.9  # fraction of training and validation images in the colour of their label
    test_correlation: Correlation = 0.1  # fraction of test images in the colour of their label

    _address = ADDRESS
    _folder = "mnist"
    _md5 = MD5

    def side(self) -> int:
        return 28

    def examples(self) -> int:
        return rest(60_000, self.validation)

    def build(self, *, seed: int) -> Dataset:
        from data import divide
        from data._cmnist import CLASSES, coloured
        from data._idx import read_pair

        *train_paths, test_images, test_labels = self.paths(*TRAIN, *TEST)
        validation, train = divide(read_pair(*train_paths), self.validation, seed=seed)
        test = read_pair(test_images, test_labels)
        colour = partial(coloured, labels=self.labels, colours=self.colours)
        return self.assemble(
            train=colour(train, correlation=self.train_correlation, seed=seed),
            validation=colour(validation, correlation=self.train_correlation, seed=seed),
            test=colour(test, correlation=self.test_correlation, seed=0),
            classes=CLASSES[self.labels],
        )
