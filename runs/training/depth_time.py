"""python train.py run=language training=depth_time"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Gt, Le, Lt

from cn import UserError, derive
from models import Language
from runs.training import Training
from runs.training._flops import classical, depth_time, flops

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary
    from runs.task import Objective

LEVELS = tuple(round(0.85 - 0.1 * each, 2) for each in range(8))  # fraction of masked tokens, 0.85 to 0.15

Ratio = Annotated[float, Gt(0), Le(1)]


class Phase(NamedTuple):
    """Steps in which the same weights learn."""

    start: int  # optimiser step
    stop: int
    first: int | None  # the block that learns, in front of trained ones; None: all blocks


class DepthTime(Training):
    """Blocks learn one after another, from the last to the first, and each hides more tokens than the one after it.

    The last block learns first, with the embeddings and the head, on the lightest noise; then they are frozen. A block
    that is put in front of the others learns alone, by the loss of the whole stack, on noise of its own.
    """

    ratios: list[Ratio] = []  # of hidden tokens, one for each block from the first; []: as `falls` says
    falls: Literal["levels", "linear"] = "levels"  # 0.85 to 0.15 in 8 levels, or 0.90 to 0.15 in a line
    counts: Literal["steps", "flops"] = derive(lambda run: getattr(run, "budget", "steps"))  # what max_steps counts
    classical: Annotated[float, Ge(0), Lt(1)] = 0.0  # fraction of max_steps in which everything learns first
    seed: int = derive(lambda run: run.seed)  # of what is hidden of each window; without a value: the run's

    def check(self) -> None:
        if any(left < right for left, right in zip(self.ratios, self.ratios[1:], strict=False)):
            raise ValueError(f"ratios is {self.ratios}, and none may be above the one before it")

    def build(self, body: Any, *, model: Language, vocabulary: Vocabulary, length: int, rate: float) -> Objective:
        from runs.task._depth_time import DepthTime

        return DepthTime(body, model=model, vocabulary=vocabulary, length=length, training=self, rate=rate)

    def rates(self, layers: int) -> Sequence[float]:
        """Return the fraction of tokens that each block masks, first block first; UserError for a wrong number."""
        if self.ratios and len(self.ratios) != layers:
            what = f"training.ratios has {len(self.ratios)} numbers, and the model {layers} blocks"
            raise UserError(what, "write: one for each block, or training.ratios=[] for the usual ones")
        if self.ratios:
            return self.ratios
        places = [each / max(1, layers - 1) if layers > 1 else 1.0 for each in range(layers)]
        if self.falls == "linear":
            return [0.9 - 0.75 * each for each in places]
        return [LEVELS[round((len(LEVELS) - 1) * each)] for each in places]

    def steps(self, model: Language, *, length: int, rate: float) -> int:
        whole, by_block = self._split(model, length, rate)
        return max(1, round(whole + by_block))

    def phases(self, model: Language, *, length: int, rate: float, steps: int) -> list[Phase]:
        """Divide a run of `steps` steps into phases. UserError if there are fewer steps than blocks."""
        whole, by_block = self._split(model, length, rate)
        start, layers = round(steps * whole / (whole + by_block)), model.layers
        if steps - start < layers:
            what = f"training: {steps - start} steps are too few for {layers} blocks, each of which learns by itself"
            raise UserError(what, f"nearest: training.max_steps={self.max_steps * layers // max(1, steps - start)}")
        ends = [start + (steps - start) * each // layers for each in range(layers + 1)]
        found = [Phase(ends[each], ends[each + 1], layers - 1 - each) for each in range(layers)]
        return [Phase(0, start, None), *found] if start else found

    def _split(self, model: Language, length: int, rate: float) -> tuple[float, float]:
        """Return the number of steps in which all weights learn, and of those in which one block does.

        rate: fraction of tokens that a classical step of an encoder masks.
        """
        whole, rest = self.classical * self.max_steps, (1 - self.classical) * self.max_steps
        if self.counts == "steps":
            return whole, rest
        if model.vocabulary is None:
            what = "training.counts=flops must know how many tokens the model's head predicts"
            raise UserError(what, "write: model.vocabulary=NUMBER")
        own = flops(model, length, model.vocabulary)
        each = depth_time(own, self.rates(model.layers))
        step = classical(own, model.layers, 1.0 if model._causal else rate)
        return whole, rest * step * len(each) / sum(each)
