"""python train.py run=language"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data._text import Text


class Python(Text):
    """The help that Python has of its own language, about 450 000 characters of English: it needs no download.

    It differs a little between versions of Python.
    """

    def files(self) -> Mapping[str, list[Path]]:
        from data.text._python import written

        return {"train": [written()]}
