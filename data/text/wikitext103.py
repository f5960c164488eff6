"""python train.py run=language data=text/wikitext103"""

from __future__ import annotations

from typing import ClassVar

from data.text.wikitext2 import Wikitext2


class Wikitext103(Wikitext2):
    """A hundred million words of Wikipedia, cut into words (Merity et al. 2016, arXiv:1609.07843)."""

    _name: ClassVar[str] = "wikitext-103"
