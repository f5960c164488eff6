"""python train.py run=language model=decoder/gpt2_family/small benchmark=nlg/lambada benchmark.path=FILE.jsonl"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runs.benchmark import Benchmark

if TYPE_CHECKING:
    from runs.benchmark.nlg._lambada import LastWords


class Lambada(Benchmark):
    """The last word of each passage of LAMBADA (Paperno et al. 2016, arXiv:1606.06031), predicted from all before it.

    Accuracy counts the words of which every token is the most likely one. Perplexity is for each word: a word's
    probability is the product of its tokens'. Of a passage that is longer than the model takes, the end is read.
    """

    path: Path  # a passage a line, as plain text, or in a file .jsonl as {"text": ...}

    _causal = True

    def build(self) -> LastWords:
        from runs.benchmark.nlg._lambada import LastWords

        return LastWords(self.path)
