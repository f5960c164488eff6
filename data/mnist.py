"""MNIST (LeCun, Cortes, Burges), and the part of it that its test files alone make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from data import Published, rest

if TYPE_CHECKING:
    from data import Dataset

ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
TRAIN = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
TEST = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class Mnist(Published):
    """70 000 handwritten digits of 28x28 pixels: 54 000 to train on, 6000 held out, the published 10 000 to test."""

    images: Literal["all", "t10k"] = "all"  # t10k: the 10 000 published for testing and no others, 2000 of them to test

    _address = ADDRESS
    _folder = "mnist"
    _md5 = MD5

    def side(self) -> int:
        return 28

    def examples(self) -> int:
        return rest(rest(10_000, 0.2) if self.images == "t10k" else 60_000, self.validation)

    def build(self, *, seed: int) -> Dataset:
        from data import divide
        from data._idx import read_pair

        if self.images == "t10k":
            test, rest = divide(read_pair(*self.paths(*TEST)), 0.2, seed=seed)
        else:
            *train_paths, test_images, test_labels = self.paths(*TRAIN, *TEST)
            rest, test = read_pair(*train_paths), read_pair(test_images, test_labels)
        validation, train = divide(rest, self.validation, seed=seed)
        return self.assemble(train=train, validation=validation, test=test, classes="0123456789")


class TenThousand(Mnist):
    """The published test files alone, split 8000/2000 by the seed: for trials, never quoted against full MNIST."""

    images: Literal["all", "t10k"] = "t10k"
