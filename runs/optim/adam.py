"""Adam."""

from runs.optim import Momentum, NonNegative, Optim


class Adam(Optim):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980)."""

    _target_: str = "torch.optim.Adam"
    lr: NonNegative = 1e-3  # base learning rate
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)  # memory of the mean and of the square
    eps: NonNegative = 1e-8  # added to the root of the square
    weight_decay: NonNegative = 0.0  # added to the gradient, times the weight
