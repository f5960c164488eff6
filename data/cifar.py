"""CIFAR-10, and CIFAR-100 as `cifar/hundred` (Krizhevsky 2009)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from data import Published, rest

if TYPE_CHECKING:
    from data import Dataset


class Cifar(Published):
    """CIFAR-10: 60 000 colour images of 32x32 pixels, 45 000 to train on, 5000 held out, 10 000 to test."""

    crop: int = 4
    flip: bool = True

    _address = "https://www.cs.toronto.edu/~kriz/"
    _folder = "cifar"
    _md5 = {
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
    }
    _archive: ClassVar[str] = "cifar-10-binary.tar.gz"
    _train: ClassVar[tuple[str, ...]] = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
    _test: ClassVar[tuple[str, ...]] = ("test_batch.bin",)
    _names: ClassVar[str] = "batches.meta.txt"
    _labels: ClassVar[int] = 1  # bytes before each image, the last of them its class

    def side(self) -> int:
        return 32

    def examples(self) -> int:
        return rest(50_000, self.validation)

    def build(self, *, seed: int) -> Dataset:
        from data import divide
        from data._cifar import read_cifar

        [path] = self.paths(self._archive)
        rest, test, classes = read_cifar(
            path, train=self._train, test=self._test, names=self._names, labels=self._labels
        )
        validation, train = divide(rest, self.validation, seed=seed)
        return self.assemble(train=train, validation=validation, test=test, classes=classes)


class Hundred(Cifar):
    """CIFAR-100: as many images of 100 classes, by their fine labels."""

    _archive = "cifar-100-binary.tar.gz"
    _train = ("train.bin",)
    _test = ("test.bin",)
    _names = "fine_label_names.txt"
    _labels = 2
