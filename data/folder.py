"""Images in folders, one for each class: python train.py data=folder data.root=DIR"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data import Data, check_shares

if TYPE_CHECKING:
    from data import Dataset


class Folder(Data):
    """JPEG, PNG and WebP files of any size, as ImageNet has them: DIR/train/CLASS/*, DIR/validation, DIR/test.

    A part that has no folder is held out of the training part by the seed, with the classes in proportion; where
    there is no DIR/train, the classes are the folders of DIR. Worker processes read the files, ahead of the loop.
    """

    root: Path  # the folder
    size: int = 64  # pixels, height and width of what the model is given
    least: float = 0.35  # of an image's area, in (0, 1]: the smallest window that is cut out of it in training
    flip: bool = True  # in training, mirror each image, left to right, with probability 1/2
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of red, green and blue, in [0, 1]: what becomes 0
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)  # what becomes 1; both are ImageNet's
    workers: int | None = None  # processes that read files; null: one for each core, 8 at most; 0: none but the run's
    on_damaged: Literal["stop", "skip"] = "stop"  # what to do about a file that cannot be read
    validation: float = 0.1  # fraction of the training images, in (0, 1), where DIR/validation is missing
    test: float = 0.1  # fraction of the training images, in (0, 1), where DIR/test is missing

    _holds = ("images", "classes")

    def check(self) -> None:
        super().check()
        check_shares(validation=self.validation, test=self.test)
        if self.size < 1:
            raise ValueError(f"size is {self.size}, and must be at least 1 pixel")
        if not 0 < self.least <= 1:
            raise ValueError(f"least is {self.least}, and must be above 0 and at most 1")
        if min(self.deviation) <= 0:
            raise ValueError(f"deviation is {self.deviation}, and each must be above 0")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers is {self.workers}, and must be at least 0")

    def build(self, *, seed: int) -> Dataset:
        from data._folder import load

        return load(
            self.root,
            size=self.size,
            least=self.least,
            flip=self.flip,
            mean=self.mean,
            deviation=self.deviation,
            workers=self.workers,
            on_damaged=self.on_damaged,
            validation=self.validation,
            test=self.test,
            seed=seed,
        )
