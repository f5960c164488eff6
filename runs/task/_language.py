"""Objectives of language models on windows of text.

b windows of n tokens, k of them predicted; d channels, v tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from runs.task._corrupt import Corruption
from runs.task._head_loss import head_loss
from runs.task._noise import uniform
from runs.task._objective import Network, Objective, Shown

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from data.tokenizer._vocabulary import Vocabulary
    from runs.optim import Optim
    from runs.schedule import Schedule
    from runs.schedule._rule import Rule
    from runs.training import Training

SAMPLE = 200  # tokens that `show` generates


class Predictor(nn.Module):
    """A language model that returns the loss of some of its tokens, or their logits."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body

    def forward(
        self,
        tokens: Tensor,
        at: Tensor | None = None,
        targets: Tensor | None = None,
        layers: range | None = None,
        count: bool = False,
        each: bool = False,
    ) -> Any:
        """Map tokens `b n` to the logits `b k v` at positions `b k`, or at all.

        With targets `b k`: return the sum of their losses; logits of other positions are never computed.
        layers: the blocks that run; None: all.
        count: also return the number of correct positions.
        each: return the sum of the losses of each row `b` instead, without gradients.
        """
        body = self.body
        hidden = body(tokens, layers=layers)  # b n d
        if at is not None:
            hidden = hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1]))
        if targets is None:
            return body.logits(hidden)
        put_in = body.head_input(hidden)
        head = (body.head_weight, body.head_bias)
        if each:
            with torch.no_grad():
                rows = zip(put_in, targets, strict=True)
                return torch.stack([head_loss(row, *head, own)[0] for row, own in rows])
        put_in = put_in.flatten(0, 1)
        total, right = head_loss(put_in, *head, targets.flatten(), count=count)
        return (total, right) if count else total


class LanguageObjective(Objective):
    """The base of these objectives: the network, its optimiser and schedule from the training, and its metrics."""

    def __init__(self, body: nn.Module, *, vocabulary: Vocabulary, training: Training) -> None:
        super().__init__(Predictor(body))
        self.body: Any = body
        self.vocabulary, self.training = vocabulary, training
        self.lengths = None if vocabulary.lengths is None else torch.from_numpy(vocabulary.lengths)

    def optimizer(self, optim: Optim) -> Optimizer:
        return self.training.changed(optim.build(self.network))

    def schedule(self, schedule: Schedule, *, steps: int) -> Rule:
        return self.training.rule(schedule, steps=steps)


class Causal(LanguageObjective):
    """Each token is predicted from the tokens before it."""

    def loss(self, network: Network, batch: Tensor) -> Tensor:
        windows, tokens = batch.shape
        return network(batch[:, :-1], None, batch[:, 1:]) / (windows * (tokens - 1))

    def measure(self, network: Network, batch: Tensor) -> Mapping[str, Tensor]:
        targets = batch[:, 1:]
        total, right = network(batch[:, :-1], None, targets, None, True)
        found = {"loss": total, "right": right, "tokens": torch.tensor(targets.numel(), device=total.device)}
        if self.lengths is not None:
            found["bytes"] = self.lengths.to(targets.device)[targets].sum()
        return found

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        loss = float(sums["loss"] / sums["tokens"])
        found = {
            "loss": loss,
            "perplexity": float((sums["loss"] / sums["tokens"]).exp()),
            "accuracy": float(sums["right"] / sums["tokens"]),
        }
        if "bytes" in sums:
            found["bits_per_byte"] = float(sums["loss"] / sums["bytes"]) / math.log(2)
        return found

    def show(self, network: Network, batch: Tensor) -> Shown:
        """Generate a continuation of a window's beginning, sampled from the model's probabilities."""
        begun = batch[:1, : max(1, batch.shape[1] // 8)]
        longest, tokens = batch.shape[1] - 1, begun
        draws = uniform(batch[:1], SAMPLE)[0].tolist()
        for draw in draws:
            seen = tokens[:, -longest:]
            last = torch.full((1, 1), seen.shape[1] - 1, device=seen.device)
            shares = network(seen, last)[0, 0, : self.vocabulary.size].float().cpu().softmax(dim=0).cumsum(dim=0)
            drawn = torch.searchsorted(shares, draw * float(shares[-1])).clamp(max=self.vocabulary.size - 1)
            tokens = torch.cat([tokens, drawn.view(1, 1).to(tokens.device)], dim=1)
        own = tokens[0].tolist()
        beginning, rest = own[: begun.shape[1]], own[begun.shape[1] :]
        return f"{self.vocabulary.decode(beginning)}|{self.vocabulary.decode(rest)}"


class Masked(LanguageObjective):
    """Masked tokens are predicted from all others (Devlin et al. 2019, arXiv:1810.04805).

    Each window masks the same number, so that the mean over windows equals the mean over tokens for any batch size.
    """

    def __init__(self, body: nn.Module, *, vocabulary: Vocabulary, training: Training, rate: float) -> None:
        super().__init__(body, vocabulary=vocabulary, training=training)
        self.corruption = Corruption(vocabulary, rate=rate)

    def loss(self, network: Network, batch: Tensor) -> Tensor:
        tokens = batch[:, :-1]
        seen, at = self.corruption(tokens, torch.rand(3, *tokens.shape, device=tokens.device))
        return network(seen, at, tokens.gather(1, at)) / at.numel()

    def measure(self, network: Network, batch: Tensor) -> Mapping[str, Tensor]:
        tokens = batch[:, :-1]
        seen, at = self.corruption.of(tokens)
        total, right = network(seen, at, tokens.gather(1, at), None, True)
        return {"loss": total, "right": right, "tokens": torch.tensor(at.numel(), device=total.device)}

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        return {"loss": float(sums["loss"] / sums["tokens"]), "accuracy": float(sums["right"] / sums["tokens"])}

    def show(self, network: Network, batch: Tensor) -> Shown:
        """Return a window with predicted tokens in brackets; a wrong one is followed by a slash and the right token."""
        tokens = batch[:1, :-1]
        seen, at = self.corruption.of(tokens)
        found = network(seen, at)[0, :, : self.vocabulary.size].argmax(dim=1).tolist()
        return filled(self.vocabulary, tokens[0].tolist(), dict(zip(at[0].tolist(), found, strict=True)))


def filled(vocabulary: Vocabulary, tokens: list[int], found: dict[int, int]) -> str:
    """Return the text of tokens, with predictions by position."""
    pieces: list[str] = []
    kept: list[int] = []
    for place, token in enumerate(tokens):
        if place not in found:
            kept.append(token)
            continue
        given, right = vocabulary.decode([found[place]]), vocabulary.decode([token])
        pieces += [vocabulary.decode(kept), f"[{given}]" if found[place] == token else f"[{given}/{right}]"]
        kept = []
    return "".join([*pieces, vocabulary.decode(kept)])
