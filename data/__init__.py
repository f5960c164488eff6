"""Data sets: the contract (`Data`), and shared base classes (`Images`, `Pictures`, `Published`, `Table`).

`Dataset` and `Split` are the results of `build`, and `divide` holds examples out; each imports torch or NumPy at its
first use.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from cn import CN, Neutral
from cn.lazy import lazily

if TYPE_CHECKING:
    from data._batch import Batch as Batch
    from data._batch import send as send
    from data._batch import size as size
    from data._dataset import BadExample as BadExample
    from data._dataset import Dataset as Dataset
    from data._dataset import Split as Split
    from data._dataset import Stream as Stream
    from data._images import ImageSplit as ImageSplit
    from data._loaded import Loaded as Loaded
    from data._pictures import Stored
    from data._seed import seed_of as seed_of
    from data._split import Part
    from data._split import divide as divide
    from data._stream import Streamed as Streamed
    from data._table import Numbers
    from data._text import Text as Text

__getattr__ = lazily(
    __name__,
    Batch="data._batch",
    Dataset="data._dataset",
    Split="data._dataset",
    send="data._batch",
    size="data._batch",
    ImageSplit="data._images",
    BadExample="data._dataset",
    Loaded="data._loaded",
    Stream="data._dataset",
    seed_of="data._seed",
    Streamed="data._stream",
    divide="data._split",
    Text="data._text",
)


Share = Annotated[float, Gt(0), Lt(1)]  # of all examples, or of those of the training part
Deviation = Annotated[float, Gt(0)]


class Data(CN):
    """What a model learns from: three disjoint parts, and the facts that a model's sizes come from."""

    batch_size: Annotated[int, Ge(1)] = 128  # examples a step

    _holds: ClassVar[tuple[str, ...]] = ("classes",)  # labels of each example: classes, targets
    _metrics: ClassVar[tuple[str, ...]] = ()  # metrics of a model, the main one first; (): the task decides

    def packages(self) -> tuple[str, ...]:
        """Return the packages that `build` imports and a plain installation lacks; the extra `hub` installs them."""
        return ()

    def examples(self) -> int | None:
        """Return the number of training examples if it is known before the data are read; None if it is not."""
        return None

    @abstractmethod
    def build(self, *, seed: int) -> Dataset:
        """Return the data, in memory; `seed` alone decides which examples are held out."""


class Images(Data):
    """Square images with one label each, and how those of the training part are varied at each step."""

    _holds = ("images", "classes")

    crop: int = 0  # pixels of reflect padding on each side, before a random window is cut out
    flip: bool = False  # mirror each image, left to right, with probability 1/2
    cutout: int = 0  # pixels, side of a random square that is blanked
    randaugment: Annotated[int, Ge(0), Neutral()] = 0  # operations on each image, drawn out of 14 (arXiv:1909.13719)
    magnitude: Annotated[int, Ge(0), Le(30), Neutral()] = 9  # of those operations

    @abstractmethod
    def side(self) -> int:
        """Return the height and width of an image, in pixels."""

    def check(self) -> None:
        side = self.side()
        if not 0 <= self.crop < side:
            raise ValueError(f"crop is {self.crop}, and must be 0 to {side - 1} for images of {side}x{side} pixels")
        if not 0 <= self.cutout <= side:
            raise ValueError(f"cutout is {self.cutout}, and must be 0 to {side} for images of {side}x{side} pixels")

    def assemble(self, *, train: Part, validation: Part, test: Part, classes: Sequence[str]) -> Dataset:
        """Return the data set with these parts; its training part is augmented with this node's fields."""
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


class Pictures(Data):
    """Images of any size with one label each, which worker processes read ahead of the loop."""

    size: Annotated[int, Ge(1)] = 64  # pixels, height and width of what the model is given
    least: Annotated[float, Gt(0), Le(1)] = 0.35  # of an image's area: the smallest window cut out of it in training
    flip: bool = True  # in training, mirror each image, left to right, with probability 1/2
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of red, green and blue, in [0, 1]: what becomes 0
    deviation: tuple[Deviation, Deviation, Deviation] = (0.229, 0.224, 0.225)  # what becomes 1; both are ImageNet's
    workers: Annotated[int | None, Ge(0)] = None  # that read images; null: one a core, 8 at most; 0: the run itself
    on_damaged: Literal["stop", "skip"] = "stop"  # what to do about an image that cannot be read

    _holds = ("images", "classes")

    def assemble(
        self, stored: Mapping[str, Stored], *, classes: Sequence[str], validation: float, test: float, seed: int
    ) -> Dataset:
        """Return the data set of these images, augmented by this node's fields; missing parts are held out of train."""
        from data._pictures import assemble

        return assemble(
            stored,
            classes=classes,
            size=self.size,
            least=self.least,
            flip=self.flip,
            mean=self.mean,
            deviation=self.deviation,
            workers=self.workers,
            on_damaged=self.on_damaged,
            validation=validation,
            test=test,
            seed=seed,
        )


class Table(Data):
    """Rows of numbers, with one number or several to predict; what is held out follows from the seed."""

    validation: Share = 0.1  # fraction of all rows
    test: Share = 0.2  # fraction of all rows

    _holds = ("targets",)

    def check(self) -> None:
        check_shares(validation=self.validation, test=self.test)

    def assemble(self, features: Numbers, values: Numbers, *, targets: Sequence[str], seed: int) -> Dataset:
        """Return the data set of features `n f` and values `n t` with the names `targets`."""
        from data._table import assemble

        return assemble(features, values, targets=targets, validation=self.validation, test=self.test, seed=seed)


def rest(count: int, *shares: float) -> int:
    """Return how many of the examples are left when these shares of them are held out."""
    return count - sum(round(share * count) for share in shares)


def check_shares(*, validation: float, test: float) -> None:
    """Refuse fractions that leave nothing to train on."""
    if not validation + test < 1:
        raise ValueError(f"validation is {validation} and test is {test}: both together must be below 1")


def check_source(root: Path | None, mirror: str | None) -> None:
    """Raise ValueError for two sources of the same files, or an invalid address."""
    if root is not None and mirror is not None:
        raise ValueError("root and mirror are both given: leave one out, since files in root are never fetched")
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise ValueError(f"mirror is {mirror!r}, and must begin with http:// or https://; root takes a folder")


class Published(Images):
    """Images in files that others publish: fetched once and kept, or read from a folder; always checked by md5."""

    root: Path | None = None  # folder that holds the files; default: fetched once into this user's cache
    mirror: str | None = None  # http address of a folder with the same files; default: where they were published
    validation: Share = 0.1  # fraction of the training images that is held out

    _address: ClassVar[str]  # of the folder with the published files
    _folder: ClassVar[str]  # in the cache
    _md5: ClassVar[Mapping[str, str]]  # file name -> md5

    def check(self) -> None:
        super().check()
        check_source(self.root, self.mirror)

    def paths(self, *names: str) -> list[Path]:
        """Return the paths of these files, verified by md5; missing files are downloaded first."""
        from data._download import found

        address = self.mirror or self._address
        return found(names, md5=self._md5, root=self.root, address=address, folder=self._folder)
