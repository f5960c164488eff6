"""The base of text data sets; `data/text/tinyshakespeare.py` is chosen by `data=text/tinyshakespeare`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from cn import derive
from data import Data, Share, check_shares, check_source
from data.tokenizer import Tokenizer
from data.tokenizer.characters import Characters

if TYPE_CHECKING:
    from data import Dataset

SIZE = 32  # windows per step, if the run's training does not set it


def _batch_size(run: Any) -> int:
    asked = getattr(getattr(run, "training", None), "batch_size", None)
    return SIZE if asked is None else asked


class Text(Data):
    """Text in windows of so many tokens, one after another; where they begin differs from epoch to epoch.

    Tokens are made once and kept in this user's cache. A text without parts of its own gives its end to the
    validation and to the test.
    """

    batch_size: int = derive(_batch_size)  # windows a step; without a value training.batch_size, or 32
    length: Annotated[int, Ge(2)] = 128  # tokens of a window
    tokenizer: Tokenizer = Characters()
    validation: Share = 0.05  # fraction of the text, where it has no such part
    test: Share = 0.05  # fraction of the text, where it has no such part

    _holds = ("tokens", "text")

    @abstractmethod
    def files(self) -> Mapping[str, list[Path]]:
        """Return the files of each part, in order: train, and validation and test if they are separate."""

    def check(self) -> None:
        check_shares(validation=self.validation, test=self.test)

    def build(self, *, seed: int) -> Dataset:
        from data.text._windows import load

        return load(
            self.files(),
            tokenizer=self.tokenizer,
            length=self.length,
            validation=self.validation,
            test=self.test,
            seed=seed,
        )


class Fetched(Text):
    """Text that others publish: fetched once and kept, or read from a folder; always checked by md5."""

    root: Path | None = None  # folder that holds the files; default: fetched once into this user's cache
    mirror: str | None = None  # http address of a folder with the same files; default: where they were published

    _address: ClassVar[str]  # of the folder with the published files
    _folder: ClassVar[str]  # in the cache
    _md5: ClassVar[Mapping[str, str]]  # file name -> md5

    def check(self) -> None:
        super().check()
        check_source(self.root, self.mirror)

    def paths(self, *names: str) -> list[Path]:
        """Return the paths of these files, verified by md5; missing files are downloaded first."""
        from data._download import found

        address, nearest = self.mirror or self._address, "data=text/python"
        return found(names, md5=self._md5, root=self.root, address=address, folder=self._folder, nearest=nearest)
