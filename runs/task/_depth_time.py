"""Block-wise training of a language model. b windows of n tokens, k of them masked; L blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cn import UserError
from data import seed_of
from runs.schedule._rule import Factors, Rule
from runs.task._corrupt import Corruption
from runs.task._language import Causal, LanguageObjective, Masked
from runs.task._objective import Minimize, Network, Shown

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary
    from models import Language
    from runs.optim import Optim
    from runs.schedule import Schedule
    from runs.training.depth_time import DepthTime as Node
    from runs.training.depth_time import Phase

STREAMS = 1 << 20  # number of random streams per window


class DepthTime(LanguageObjective):
    """Takes its steps itself: blocks that do not learn in a phase are frozen.

    A frozen weight has requires_grad off, so that its activations are not kept for the backward pass.
    """

    training: Node

    def __init__(
        self, body: Any, *, model: Language, vocabulary: Vocabulary, length: int, training: Node, rate: float
    ) -> None:
        super().__init__(body, vocabulary=vocabulary, training=training)
        self.model, self.length, self.rate = model, length, rate
        rates = training.rates(model.layers)
        self.levels = [Corruption(vocabulary, rate=each, masked=1.0, replaced=0.0) for each in rates]
        self.streams = [seed_of(training.seed, each) % STREAMS for each in rates]
        own = {"vocabulary": vocabulary, "training": training}
        self.classical = Causal(body, **own) if body.causal else Masked(body, **own, rate=rate)
        self.phases: list[Phase] = []
        self.now: Phase | None = None  # the phase whose weights are trainable
        self.taken = 0  # steps so far
        self.trained: list[nn.Parameter] = []  # trainable weights of the whole run

    def schedule(self, schedule: Schedule, *, steps: int) -> Rule:
        """Return a rule in which each phase goes through the whole schedule."""
        self.phases = self.training.phases(self.model, length=self.length, rate=self.rate, steps=steps)
        rules = [super(DepthTime, self).schedule(schedule, steps=each.stop - each.start) for each in self.phases]
        if any(each.observes for each in rules):
            what = f"schedule: {type(schedule).__name__} follows the loss of a run, and here each block has its own"
            raise UserError(what, "nearest: schedule=cosine")
        starts = [each.start for each in self.phases]

        def factor(step: int) -> float:
            phase = bisect_right(starts, step) - 1
            return rules[phase].factors[step - starts[phase]]

        return Rule(Factors(factor, steps))

    def optimizer(self, optim: Optim) -> Optimizer:
        """Return one optimiser of all weights: it skips weights without a gradient."""
        self.trained = [each for each in self.network.parameters() if each.requires_grad]
        return super().optimizer(optim)

    def _learn(self, phase: Phase) -> None:
        """Freeze all weights except those of a phase."""
        self.now = phase
        blocks, last = self.body.blocks, len(self.body.blocks) - 1
        others = [each for number, each in enumerate(blocks) if number != phase.first]
        if phase.first is None:
            own = {id(each) for each in self.network.parameters()}
        elif phase.first == last:  # weights outside of all blocks learn with it
            own = {id(each) for each in self.network.parameters()}
            own -= {id(each) for block in others for each in block.parameters()}
        else:
            own = {id(each) for each in blocks[phase.first].parameters()}
        for each in self.trained:
            each.requires_grad_(id(each) in own)

    def step(self, batch: Tensor, minimize: Minimize) -> Tensor:
        phase = self.phases[bisect_right([each.start for each in self.phases], self.taken) - 1]
        if phase is not self.now:
            self._learn(phase)
        if phase.first is None:
            loss = self.classical.loss(self.network, batch)
        else:
            tokens = batch[:, :-1]
            seen, at = self._corrupted(tokens, phase.first)
            loss = self.network(seen, at, tokens.gather(1, at), self._stack(phase.first)) / at.numel()
        minimize(loss)
        self.taken += 1
        return loss

    def _corrupted(self, tokens: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Return the input of the stack that begins with this block, and the masked positions."""
        return self.levels[first].of(tokens, self.streams[first])

    def _stack(self, first: int) -> range:
        return range(first, len(self.body.blocks))

    def state_dict(self) -> dict[str, Any]:
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.taken = state["taken"]

    def measure(self, network: Network, batch: Tensor) -> Mapping[str, Tensor]:
        found: dict[str, Tensor] = {}
        for first in range(len(self.levels)):
            tokens = batch[:, :-1]
            seen, at = self._corrupted(tokens, first)
            total, right = network(seen, at, tokens.gather(1, at), self._stack(first), True)
            found |= {f"loss_{first}": total, f"right_{first}": right}
            found[f"tokens_{first}"] = torch.tensor(at.numel(), device=total.device)
        return found

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """Return the mean over all blocks' noise levels, then the accuracy of the stack that begins with each block."""
        each = [
            [float(sums[f"{name}_{first}"] / sums[f"tokens_{first}"]) for name in ("loss", "right")]
            for first in range(len(self.levels))
        ]
        loss, accuracy = (sum(values) / len(each) for values in zip(*each, strict=True))
        own = {f"accuracy_block_{first + 1}": right for first, (_, right) in enumerate(each)}
        return {"loss": loss, "accuracy": accuracy, **own}

    def show(self, network: Network, batch: Tensor) -> Shown:
        """Generate a text from mask tokens: each stack, the longest first, fills in its most confident tokens."""
        length = batch.shape[1] - 1
        tokens = torch.full((1, length), self.levels[0].mask, device=batch.device)
        hidden = torch.ones_like(tokens, dtype=torch.bool)
        for first in range(len(self.levels)):
            logits = network(tokens, None, None, self._stack(first))[0, :, : self.vocabulary.size].float()
            logits[:, list(self.vocabulary.special.values())] = -torch.inf
            sure, found = logits.softmax(dim=1).max(dim=1)
            later = self.levels[first + 1].count(length) if first + 1 < len(self.levels) else 0
            sure = torch.where(hidden[0], sure, 2.0)  # filled positions stay
            now = sure.topk(length - later).indices
            now = now[hidden[0, now]]
            tokens[0, now], hidden[0, now] = found[now], False
        return self.vocabulary.decode(tokens[0].tolist())
