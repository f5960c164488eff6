"""What a run asks of a data set (`Data`), and what kinds of it share (`Images`, `Published`, `Table`).

`Dataset` and `Split` are what `build` gives, and `divide` holds examples out; each imports torch or NumPy when it is
first used.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cn import CN
from cn.lazy import lazily

if TYPE_CHECKING:
    from data._batch import Batch as Batch
    from data._batch import size as size
    from data._dataset import BadExample as BadExample
    from data._dataset import Dataset as Dataset
    from data._dataset import Split as Split
    from data._dataset import Stream as Stream
    from data._images import ImageSplit as ImageSplit
    from data._loaded import Loaded as Loaded
    from data._seed import seed_of as seed_of
    from data._split import Part
    from data._split import divide as divide
    from data._stream import Streamed as Streamed
    from data._table import Numbers

__getattr__ = lazily(
    __name__,
    Batch="data._batch",
    Dataset="data._dataset",
    Split="data._dataset",
    size="data._batch",
    ImageSplit="data._images",
    BadExample="data._dataset",
    Loaded="data._loaded",
    Stream="data._dataset",
    seed_of="data._seed",
    Streamed="data._stream",
    divide="data._split",
)


class Data(CN):
    """What a model learns from: three disjoint parts, and the facts that a model's sizes come from."""

    batch_size: int = 128  # examples a step

    _holds: ClassVar[tuple[str, ...]] = ("classes",)  # with each example: classes, targets

    def check(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, and must be at least 1")

    @abstractmethod
    def build(self, *, seed: int) -> Dataset:
        """The data, in memory; `seed` decides what is held out, whatever the state of any global generator."""


class Images(Data):
    """Square images with one label each, and how those of the training part are varied at each step."""

    _holds = ("images", "classes")

    crop: int = 0  # pixels of reflect padding on each side, before a random window is cut out
    flip: bool = False  # mirror each image, left to right, with probability 1/2
    cutout: int = 0  # pixels, side of a random square that is blanked
    randaugment: int = 0  # operations on each image, each drawn at random out of 14 (arXiv:1909.13719); 0: none
    magnitude: int = 9  # 0 to 30, of those operations

    _added_: ClassVar[tuple[str, ...]] = ("randaugment", "magnitude")

    @abstractmethod
    def side(self) -> int:
        """Height and width of an image, in pixels."""

    def check(self) -> None:
        super().check()
        side = self.side()
        if not 0 <= self.crop < side:
            raise ValueError(f"crop is {self.crop}, and must be 0 to {side - 1} for images of {side}x{side} pixels")
        if not 0 <= self.cutout <= side:
            raise ValueError(f"cutout is {self.cutout}, and must be 0 to {side} for images of {side}x{side} pixels")
        if self.randaugment < 0:
            raise ValueError(f"randaugment is {self.randaugment}, and must be at least 0 operations")
        if not 0 <= self.magnitude <= 30:
            raise ValueError(f"magnitude is {self.magnitude}, and must be 0 to 30")

    def assemble(self, *, train: Part, validation: Part, test: Part, classes: Sequence[str]) -> Dataset:
        """The data set with these parts, its training part varied as this node says."""
        from data._images import assemble

        return assemble(
            train=train,
            validation=validation,
            test=test,
            classes=classes,
            crop=self.crop,
            flip=self.flip,
            cutout=self.cutout,
            randaugment=self.randaugment,
            magnitude=self.magnitude,
        )


class Table(Data):
    """Rows of numbers, with one number or several to predict; what is held out follows from the seed."""

    validation: float = 0.1  # fraction of all rows, in (0, 1)
    test: float = 0.2  # fraction of all rows, in (0, 1)

    _holds = ("targets",)

    def check(self) -> None:
        super().check()
        check_shares(validation=self.validation, test=self.test)

    def assemble(self, features: Numbers, values: Numbers, *, targets: Sequence[str], seed: int) -> Dataset:
        """The data set of features `n f` and values `n t`, which `targets` names."""
        from data._table import assemble

        return assemble(features, values, targets=targets, validation=self.validation, test=self.test, seed=seed)


def check_shares(*, validation: float, test: float) -> None:
    """Refuse fractions that leave nothing to hold out, or nothing to train on."""
    if not (validation > 0 and test > 0 and validation + test < 1):
        held = f"validation is {validation} and test is {test}"
        raise ValueError(f"{held}: each must be above 0, and both together below 1")


class Published(Images):
    """Images in files that others publish: fetched once and kept, or read from a folder; always checked by md5."""

    root: Path | None = None  # folder that holds the files; default: fetched once into this user's cache
    mirror: str | None = None  # http address of a folder with the same files; default: where they were published
    validation: float = 0.1  # fraction of the training images that is held out, in (0, 1)

    _address: ClassVar[str]  # of the folder where the files were published
    _folder: ClassVar[str]  # in the cache
    _md5: ClassVar[Mapping[str, str]]  # of each file, by its name

    def check(self) -> None:
        super().check()
        if not 0 < self.validation < 1:
            raise ValueError(f"validation is {self.validation}, and must be a fraction above 0 and below 1")
        if self.root is not None and self.mirror is not None:
            raise ValueError("root and mirror are both given: leave one out, since files in root are never fetched")
        if self.mirror is not None and not self.mirror.startswith(("http://", "https://")):
            raise ValueError(f"mirror is {self.mirror!r}, and must begin with http:// or https://; root takes a folder")

    def paths(self, *names: str) -> list[Path]:
        """Where these files are, whole and checked; fetched first where that is needed."""
        from data._download import fetch, local

        if self.root is not None:
            return local(names, md5=self._md5, root=self.root)
        return fetch(names, md5=self._md5, address=self.mirror or self._address, folder=self._folder)
