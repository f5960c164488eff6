"""Muon for hidden matrices, AdamW for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from cn import instantiate
from runs.optim import Momentum, NonNegative, Optim

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class Muon(Optim):
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), with AdamW beside it.

    Muon trains the matrices and filters between the embeddings and the head, which is the matrix registered last unless
    it is tied to an embedding. Embeddings, head, biases and norms are AdamW's, with a rate of their own.
    """

    _target_: str = "runs.optim._muon.Muon"
    lr: NonNegative = 0.02  # base learning rate of the hidden matrices
    momentum: Momentum = 0.95  # part of the average of gradients that is kept
    nesterov: bool = True  # look ahead along the momentum
    iterations: Annotated[int, Ge(1)] = 5  # Newton-Schulz iterations a step
    weight_decay: NonNegative = 0.01  # part of a weight lost a step, times its rate
    adam_lr: NonNegative = 3e-4  # base learning rate of all other parameters
    betas: tuple[Momentum, Momentum] = (0.9, 0.95)  # AdamW's memory of mean and square
    eps: NonNegative = 1e-8  # AdamW's, added to the root of the square

    def build(self, module: nn.Module) -> Optimizer:
        return instantiate(self, module)
