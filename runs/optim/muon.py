"""Muon for hidden matrices, AdamW for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cn import instantiate
from runs.optim import Optim

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class Muon(Optim):
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), with AdamW beside it.

    Muon trains the matrices and filters between the embeddings and the head, which is the matrix
    registered last. Embeddings, head, biases and norms are AdamW's, with a rate of their own.
    """

    _target_: str = "runs.optim._muon.Muon"
    lr: float = 0.02  # base learning rate of the hidden matrices, at least 0
    momentum: float = 0.95  # part of the average of gradients that is kept, in [0, 1)
    nesterov: bool = True  # look ahead along the momentum
    iterations: int = 5  # Newton-Schulz iterations a step, at least 1
    weight_decay: float = 0.01  # part of a weight lost a step, times its rate; at least 0
    adam_lr: float = 3e-4  # base learning rate of all other parameters, at least 0
    betas: tuple[float, float] = (0.9, 0.95)  # AdamW's memory of mean and square, in [0, 1)
    eps: float = 1e-8  # AdamW's, added to the root of the square, at least 0

    def build(self, module: nn.Module) -> Optimizer:
        return instantiate(self, module)
