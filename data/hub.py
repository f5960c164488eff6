"""Data sets of the library `datasets`: python train.py data=hub data.path=DIR"""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from cn.errors import lines, short
from data import Data, Pictures, Share, check_shares

if TYPE_CHECKING:
    from data import Dataset
    from data._hub.source import Source

NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Rows(Data):
    """Rows in files of this machine or in a data set of the Hub; a part without a split is held out of train."""

    path: Path | None = None  # a file (csv, tsv, json, jsonl, parquet, arrow), or a folder of such files or images
    name: str | None = None  # instead of path: of a data set on the Hub, NAME or OWNER/NAME
    config: str | None = None  # where it has several: which of its configurations
    revision: str | None = None  # of a data set on the Hub: a commit, tag or branch; null: the newest
    train_split: str = "train"  # the split to learn from
    validation_split: str | None = "validation"  # null, or where no split is called "validation": held out of train
    test_split: str | None = "test"  # null, or where no split is called "test": held out of train
    validation: Share = 0.1  # fraction of the rows of train, where it is held out
    test: Share = 0.1  # fraction of the rows of train, where it is held out

    def packages(self) -> tuple[str, ...]:
        return ("datasets",)

    def check(self) -> None:
        check_shares(validation=self.validation, test=self.test)
        if (self.path is None) == (self.name is None):
            what = f"path and name are both {'missing' if self.path is None else 'given'}, and one of them says where"
            files = "for files on this machine: data.path=FILE or data.path=DIR"
            raise ValueError(lines(what, files, "for a data set on the Hub: data.name=OWNER/NAME"))
        if self.name is not None and not NAME.fullmatch(self.name):
            what = f"name is {short(self.name)}, and must be NAME or OWNER/NAME of a data set on the Hub"
            raise ValueError(lines(what, "for files on this machine: data.path=FILE or data.path=DIR"))
        if self.revision is not None and self.name is None:
            raise ValueError(lines("revision belongs to name, and files have none", "leave out data.revision"))
        splits = {
            "train_split": self.train_split,
            "validation_split": self.validation_split,
            "test_split": self.test_split,
        }
        for (first, split), (second, other) in combinations(splits.items(), 2):
            if split is not None and split == other:
                what = f"{first} and {second} are both {short(split)}, and no example may be in two parts"
                raise ValueError(lines(what, f"to hold one out of train: data.{second}=null"))

    def open(self) -> Source:
        """Return the rows. UserError if they are unreadable, or a split is missing."""
        from data._hub.source import load

        splits = {"train": self.train_split, "validation": self.validation_split, "test": self.test_split}
        return load(path=self.path, name=self.name, config=self.config, revision=self.revision, splits=splits)


class Hub(Pictures, Rows):
    """Images with one class each: a folder DIR/train/CLASS/*.png, a table with a column of images, or a name.

    Rows of numbers are data=hub/table, where a class is to be predicted, and data=hub/numbers, where numbers are.
    """

    image: str | None = None  # the column of images; null: the only one there is
    target: str = "label"  # the column of classes

    def build(self, *, seed: int) -> Dataset:
        from data._hub.images import stored

        found, classes = stored(self.open(), image=self.image, target=self.target)
        return self.assemble(found, classes=classes, validation=self.validation, test=self.test, seed=seed)


class Table(Rows):
    """Rows of numbers with one class each: python train.py data=hub/table data.path=FILE data.target=COLUMN"""

    target: str = "label"  # the column of classes
    features: list[str] = []  # columns of numbers to predict it from; []: all columns of numbers but the target

    def build(self, *, seed: int) -> Dataset:
        from data._hub.rows import classified

        shares = {"validation": self.validation, "test": self.test}
        return classified(self.open(), features=self.features, target=self.target, **shares, seed=seed)


class Numbers(Rows):
    """Rows of numbers, one or several of which are to be predicted: task=regress data=hub/numbers data.target=COLUMN"""

    target: str | list[str] = "target"  # the column to predict, or several: [x, y]
    features: list[str] = []  # columns of numbers to predict it from; []: all columns of numbers but the targets

    _holds = ("targets",)

    def check(self) -> None:
        super().check()
        if not self.target:
            raise ValueError(lines("target names no column", "write: data.target=COLUMN"))

    def build(self, *, seed: int) -> Dataset:
        from data._hub.rows import measured

        targets = [self.target] if isinstance(self.target, str) else self.target
        shares = {"validation": self.validation, "test": self.test}
        return measured(self.open(), features=self.features, targets=targets, **shares, seed=seed)
