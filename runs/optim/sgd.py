"""Stochastic gradient descent with momentum."""

from runs.optim import Momentum, NonNegative, Optim


class Sgd(Optim):
    """SGD with Nesterov's momentum (Sutskever et al. 2013)."""

    _target_: str = "torch.optim.SGD"
    lr: NonNegative = 0.1  # base learning rate
    momentum: Momentum = 0.9  # part of the last update that is kept
    nesterov: bool = True  # look ahead along the momentum; needs momentum above 0
    weight_decay: NonNegative = 5e-4  # added to the gradient, times the weight

    def check(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "nesterov=True looks ahead along a momentum, and momentum=0.0 leaves none: "
                "give momentum=0.9, or nesterov=False"
            )
