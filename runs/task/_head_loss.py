"""Chunked cross entropy of a language model's head, which never holds the logits of all positions.

m positions, d channels, v tokens of the vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

AT_ONCE = 1 << 24  # maximum of logits in memory


def head_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *, count: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Return the sum of cross entropies and, with `count`, the number of correct positions: both scalars.

    hidden: m d, the head's input.
    weight, bias: v d and v; the logits are `hidden @ weight.T + bias`.
    targets: m, the correct tokens.

    More logits than `AT_ONCE` are never held together: their gradients are computed with the loss, chunk by chunk, so
    that no logits are kept for the backward pass.
    """
    if hidden.shape[0] * weight.shape[0] <= AT_ONCE:
        logits = F.linear(hidden, weight, bias)
        right = (logits.argmax(dim=1) == targets).sum() if count else None
        return F.cross_entropy(logits, targets, reduction="sum"), right
    learns = torch.is_grad_enabled()  # always off within `apply`
    total, right = _HeadLoss.apply(hidden, weight, bias, targets, learns, count)  # pyright: ignore[reportGeneralTypeIssues]
    return total, right if count else None


class _HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, learns: bool, count: bool
    ) -> tuple[Tensor, Tensor]:
        wanted = [learns and each for each in ctx.needs_input_grad]
        grads = [
            torch.zeros_like(each) if each is not None and want else None
            for each, want in zip((hidden, weight, bias), wanted, strict=False)
        ]
        total = torch.zeros((), device=hidden.device)
        right = torch.zeros((), device=hidden.device, dtype=torch.int64)
        rows = max(1, AT_ONCE // len(weight))
        for start in range(0, len(hidden), rows):
            part, own = hidden[start : start + rows], targets[start : start + rows, None]
            logits = part @ weight.T
            logits = logits if bias is None else logits + bias
            if count:
                right += (logits.argmax(dim=1, keepdim=True) == own).sum()
            logits = logits.log_softmax(dim=1, dtype=torch.float32)
            total -= logits.gather(1, own).sum()
            if any(each is not None for each in grads):
                _add(grads, start, part, weight, logits.exp_(), own)
        ctx.save_for_backward(*grads)
        ctx.mark_non_differentiable(right)
        return total, right

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> Any:
        return (*(None if each is None else each * outer[0] for each in ctx.saved_tensors), None, None, None)


def _add(grads: list[Tensor | None], start: int, part: Tensor, weight: Tensor, shares: Tensor, targets: Tensor) -> None:
    """Add the gradients of a chunk; `shares` is its softmax."""
    shares.scatter_add_(1, targets, torch.full_like(targets, -1, dtype=shares.dtype))
    of_hidden, of_weight, of_bias = grads
    if of_hidden is not None:
        of_hidden[start : start + len(part)] = shares.to(weight.dtype) @ weight
    if of_weight is not None:
        of_weight += shares.to(part.dtype).T @ part
    if of_bias is not None:
        of_bias += shares.sum(dim=0)
