"""python train.py run=language data=text/tinyshakespeare"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data._text import Fetched

NAME = "input.txt"


class TinyShakespeare(Fetched):
    """40 000 lines of Shakespeare in one file, 1 115 394 characters of 65 kinds; the selection is A. Karpathy's."""

    _address = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"
    _folder = "tinyshakespeare"
    _md5 = {NAME: "6fb458f1232090904fb40fe944165e91"}

    def files(self) -> Mapping[str, list[Path]]:
        return {"train": self.paths(NAME)}
