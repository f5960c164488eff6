"""python train.py run=language model=decoder/gpt2_family/small benchmark=nlg/language_modeling"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from runs.benchmark import Benchmark

if TYPE_CHECKING:
    from runs.benchmark.nlg._language_modeling import Perplexity


class LanguageModeling(Benchmark):
    """Perplexity of the test text, by a window that slides over it: each token is predicted once, from all before it.

    The first window predicts all of its tokens, and each one after it the last `stride`.
    """

    stride: Annotated[int, Ge(1)] = 64  # tokens that the window moves; at most its length, which is data.length

    _causal = True

    def build(self) -> Perplexity:
        from runs.benchmark.nlg._language_modeling import Perplexity

        return Perplexity(stride=self.stride)
