"""Adam."""

from runs.optim import Optim


class Adam(Optim):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980)."""

    _target_: str = "torch.optim.Adam"
    lr: float = 1e-3  # base learning rate, at least 0
    betas: tuple[float, float] = (0.9, 0.999)  # memory of the mean and of the square, in [0, 1)
    eps: float = 1e-8  # added to the root of the square, at least 0
    weight_decay: float = 0.0  # added to the gradient, times the weight; at least 0
