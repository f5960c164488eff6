"""SVHN: house numbers from street pictures, one digit an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data import Published, rest

if TYPE_CHECKING:
    from data import Dataset


class Svhn(Published):
    """99 289 colour digits of 32x32 pixels (Netzer et al. 2011): 65 931 to train on, 7326 held out, 26 032 to test."""

    _address = "http://ufldl.stanford.edu/housenumbers/"
    _folder = "svhn"
    _md5 = {
        "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
        "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
    }

    def side(self) -> int:
        return 32

    def examples(self) -> int:
        return rest(73_257, self.validation)

    def build(self, *, seed: int) -> Dataset:
        from data import divide
        from data._svhn import read_svhn

        train_path, test_path = self.paths("train_32x32.mat", "test_32x32.mat")
        validation, train = divide(read_svhn(train_path), self.validation, seed=seed)
        return self.assemble(train=train, validation=validation, test=read_svhn(test_path), classes="0123456789")
