"""python train.py run=language data=text/wikitext2"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from data._text import Fetched


class Wikitext2(Fetched):
    """Two million words of Wikipedia, cut into words (Merity et al. 2016, arXiv:1609.07843)."""

    _name: ClassVar[str] = "wikitext-2"

    _address = "https://wikitext.smerity.com/"
    _folder = "wikitext"
    _md5 = {
        "wikitext-2-v1.zip": "542ccefacc6c27f945fb54453812b3cd",
        "wikitext-103-v1.zip": "9ddaacaf6af0710eda8c456decff7832",
    }

    def files(self) -> Mapping[str, list[Path]]:
        from data.text._unpacked import unpacked

        return unpacked(*self.paths(f"{self._name}-v1.zip"), folder=self._name)
