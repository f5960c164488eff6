"""How text becomes numbers; chosen as `data/tokenizer=...`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from cn import CN

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary


class Tokenizer(CN):
    """A way to cut text into tokens, each of which has a number."""

    def packages(self) -> tuple[str, ...]:
        """Return the packages that `build` imports and a plain installation lacks; the extra `text` installs them."""
        return ()

    @abstractmethod
    def build(self, texts: Iterable[str]) -> Vocabulary:
        """Return the vocabulary, learnt from these texts of the training part, or read from a file."""


class Learnt(Tokenizer):
    """One whose tokens are learnt from the training part, by the library `tokenizers`."""

    size: Annotated[int, Ge(300)] = 8192  # tokens at most

    def packages(self) -> tuple[str, ...]:
        return ("tokenizers",)
