"""python train.py run=language training=classical"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import Language
from runs.training import Training

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary
    from runs.task import Objective


class Classical(Training):
    """All blocks learn at once: an encoder hidden tokens, a decoder the next one."""

    def build(self, body: Any, *, model: Language, vocabulary: Vocabulary, length: int, rate: float) -> Objective:
        from runs.task._language import Causal, Masked

        if body.causal:
            return Causal(body, vocabulary=vocabulary, training=self)
        return Masked(body, vocabulary=vocabulary, training=self, rate=rate)
