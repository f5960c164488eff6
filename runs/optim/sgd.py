"""Stochastic gradient descent with momentum."""

from runs.optim import Optim


class Sgd(Optim):
    """SGD with Nesterov's momentum (Sutskever et al. 2013)."""

    _target_: str = "torch.optim.SGD"
    lr: float = 0.1  # base learning rate, at least 0
    momentum: float = 0.9  # part of the last update that is kept, in [0, 1)
    nesterov: bool = True  # look ahead along the momentum; needs momentum above 0
    weight_decay: float = 5e-4  # added to the gradient, times the weight; at least 0

    def check(self) -> None:
        super().check()
        if self.nesterov and self.momentum == 0:
            raise ValueError(
                "nesterov=True looks ahead along a momentum, and momentum=0.0 leaves none: "
                "give momentum=0.9, or nesterov=False"
            )
