"""Classification or regression of sequences. b sequences, n tokens, d channels, k classes, r rows of a split."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from runs.task._objective import Network, Objective

SPREAD = 0.02  # standard deviation of initial weights, as in BERT
Batch = Mapping[str, Tensor]  # tokens, kinds and visible `b n`, label `b`, and row `b`, the index in the split


class Sentences(nn.Module):
    """Map tokens `b n` to outputs `b k`. The language model is called `body`, as in the run that trained it."""

    def __init__(self, body: Any, *, outputs: int, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.pooler = None if body.causal else nn.Linear(body.width, body.width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.width, outputs)
        for each in [self.head] if self.pooler is None else [self.head, self.pooler]:
            nn.init.normal_(each.weight, std=SPREAD)
            nn.init.zeros_(each.bias)
        _freeze_unread(body)

    def forward(self, tokens: Tensor, kinds: Tensor, visible: Tensor) -> Tensor:
        if self.pooler is None:
            hidden = self.body(tokens, visible=visible)  # b n d
            last = rearrange(visible.sum(dim=1) - 1, "b -> b 1 1").expand(-1, 1, hidden.shape[2])
            found = rearrange(hidden.gather(1, last), "b 1 d -> b d")
        else:
            found = self.pooler(self.body(tokens, kinds=kinds, visible=visible)[:, 0]).tanh()
        return self.head(self.dropout(found))


def _freeze_unread(body: nn.Module) -> None:
    """Freeze weights that only the language model's own head reads: DDP would wait for their gradients."""
    training = body.training
    body.eval()  # no dropout, so no random number is drawn
    named = [each for each in body.parameters() if each.requires_grad]
    found = body(torch.zeros(1, 1, dtype=torch.int64)).sum()
    for weight, gradient in zip(named, torch.autograd.grad(found, named, allow_unused=True), strict=True):
        weight.requires_grad_(gradient is not None)
    body.train(training)


class Judged(Objective):
    """The base of classification and regression."""

    def __init__(self, network: nn.Module, *, metrics: Sequence[str]) -> None:
        super().__init__(network)
        self.asked = metrics

    def found(self, network: Network, batch: Batch) -> Tensor:
        """Return the network's output for a batch."""
        return network(batch["tokens"], batch["kinds"], batch["visible"])

    @abstractmethod
    def answers(self, network: Network, batch: Batch) -> Tensor:
        """Return the prediction for each row of a batch, fp64 or integer: `b`."""

    @abstractmethod
    def scores(self, answers: Tensor, labels: Tensor) -> dict[str, float]:
        """Return the metrics of predictions and labels, both `r`, without the loss."""


class Classes(Judged):
    """Cross entropy; accuracy, F1 of class 1 and Matthews' correlation, all from counts."""

    def __init__(self, network: nn.Module, *, classes: int, metrics: Sequence[str]) -> None:
        super().__init__(network, metrics=metrics)
        self.classes = classes
        self.outputs = (classes,)

    def loss(self, network: Network, batch: Batch) -> Tensor:
        return F.cross_entropy(self.found(network, batch), batch["label"])

    def measure(self, network: Network, batch: Batch) -> Mapping[str, Tensor]:
        logits = self.found(network, batch).float()
        return {
            "loss": F.cross_entropy(logits, batch["label"], reduction="sum"),
            "confusion": self._confusion(logits.argmax(dim=1), batch["label"]),
        }

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        return {"loss": float(sums["loss"] / examples)} | self._named(sums["confusion"])

    def answers(self, network: Network, batch: Batch) -> Tensor:
        return self.found(network, batch).float().argmax(dim=1)

    def scores(self, answers: Tensor, labels: Tensor) -> dict[str, float]:
        return self._named(self._confusion(answers, labels))

    def _confusion(self, answers: Tensor, labels: Tensor) -> Tensor:
        counts = torch.bincount(labels * self.classes + answers, minlength=self.classes**2)
        return rearrange(counts, "(label chosen) -> label chosen", label=self.classes)

    def _named(self, confusion: Tensor) -> dict[str, float]:
        every = {"accuracy": accuracy, "f1": f1, "matthews": matthews}
        return {name: float(every[name](confusion)) for name in self.asked}


class Numbers(Judged):
    """The squared error of scaled numbers; Pearson's and Spearman's correlations, from each row's prediction."""

    def __init__(self, network: nn.Module, *, metrics: Sequence[str], rows: int) -> None:
        """rows: of the longest evaluated split."""
        super().__init__(network, metrics=metrics)
        self.rows = rows
        self.outputs = (1,)

    def loss(self, network: Network, batch: Batch) -> Tensor:
        return F.mse_loss(self.found(network, batch)[:, 0], batch["label"])

    def measure(self, network: Network, batch: Batch) -> Mapping[str, Tensor]:
        """Scatter each row to its index in zeros, so that the sum over all batches has each row once."""
        given = self.found(network, batch)[:, 0].double()
        wanted = batch["label"].double()
        rows = torch.stack([torch.ones_like(given), given, wanted])  # 3 b
        return {
            "loss": F.mse_loss(given, wanted, reduction="sum"),
            "rows": rows.new_zeros(3, self.rows).index_add_(1, batch["row"], rows),
        }

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        seen, given, wanted = sums["rows"]
        given, wanted = given[seen > 0], wanted[seen > 0]
        return {"loss": float(sums["loss"] / examples)} | self.scores(given, wanted)

    def answers(self, network: Network, batch: Batch) -> Tensor:
        return self.found(network, batch)[:, 0].double()

    def scores(self, answers: Tensor, labels: Tensor) -> dict[str, float]:
        every = {"pearson": pearson, "spearman": spearman}
        return {name: float(every[name](answers, labels.double())) for name in self.asked}


def accuracy(confusion: Tensor) -> Tensor:
    """Return the fraction of `label chosen` on the diagonal."""
    return confusion.diagonal().sum() / confusion.sum()


def f1(confusion: Tensor) -> Tensor:
    """Return the harmonic mean of precision and recall of class 1; 0 if both are 0 or undefined."""
    either = confusion[1].sum() + confusion[:, 1].sum()
    return 2 * confusion[1, 1] / either.clamp(min=1)


def matthews(confusion: Tensor) -> Tensor:
    """Return Matthews' correlation of labels and predictions, for any number of classes; 0 if one is constant."""
    total, labels, chosen = confusion.sum(), confusion.sum(dim=1), confusion.sum(dim=0)
    both = confusion.diagonal().sum() * total - labels @ chosen
    spread = (total**2 - labels @ labels) * (total**2 - chosen @ chosen)
    return both / spread.clamp(min=1).sqrt()


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlation of two vectors `r`; 0 if one is constant."""
    a, b = a - a.mean(), b - b.mean()
    spread = (a @ a * (b @ b)).sqrt()
    return torch.where(spread > 0, a @ b / spread, torch.zeros_like(spread))


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlation of the ranks of two vectors `r`; ties share their mean rank."""
    return pearson(_ranks(a), _ranks(b))


def _ranks(numbers: Tensor) -> Tensor:
    _, group, counts = numbers.unique(return_inverse=True, return_counts=True)
    counts = counts.double()
    return (counts.cumsum(0) - (counts - 1) / 2)[group]
