"""Handwritten digits that come with scikit-learn: the data set that needs no download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data import Images, Share, check_shares, rest

if TYPE_CHECKING:
    from data import Dataset


class Digits(Images):
    """1797 digits of 8x8 pixels (Alpaydin and Kaynak 1998, UCI), split by the seed with the classes in proportion."""

    validation: Share = 0.1  # fraction of all images
    test: Share = 0.2  # fraction of all images

    def side(self) -> int:
        return 8

    def check(self) -> None:
        super().check()
        check_shares(validation=self.validation, test=self.test)

    def examples(self) -> int:
        return rest(1797, self.validation, self.test)

    def build(self, *, seed: int) -> Dataset:
        from data import divide
        from data._digits import read_digits

        validation, test, train = divide(read_digits(), self.validation, self.test, seed=seed)
        return self.assemble(train=train, validation=validation, test=test, classes="0123456789")
