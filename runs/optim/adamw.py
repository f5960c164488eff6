"""Adam with weight decay that does not pass through the gradient."""

from runs.optim import Optim


class AdamW(Optim):
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    _target_: str = "torch.optim.AdamW"
    lr: float = 1e-3  # base learning rate, at least 0
    betas: tuple[float, float] = (0.9, 0.999)  # memory of the mean and of the square, in [0, 1)
    eps: float = 1e-8  # added to the root of the square, at least 0
    weight_decay: float = 0.01  # part of a weight lost a step, times the rate; at least 0
