"""Images in folders, one for each class: python train.py data=folder data.root=DIR"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data import Pictures, Share, check_shares

if TYPE_CHECKING:
    from data import Dataset


class Folder(Pictures):
    """JPEG, PNG and WebP files of any size, as ImageNet has them: DIR/train/CLASS/*, DIR/validation, DIR/test.

    A part that has no folder is held out of the training part by the seed, with the classes in proportion; where
    there is no DIR/train, the classes are the folders of DIR. Worker processes read the files, ahead of the loop.
    """

    root: Path  # the folder
    validation: Share = 0.1  # fraction of the training images, where DIR/validation is missing
    test: Share = 0.1  # fraction of the training images, where DIR/test is missing

    def check(self) -> None:
        check_shares(validation=self.validation, test=self.test)

    def build(self, *, seed: int) -> Dataset:
        from data._folder import read

        stored, classes = read(self.root)
        return self.assemble(stored, classes=classes, validation=self.validation, test=self.test, seed=seed)
