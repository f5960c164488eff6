"""Adam with weight decay that does not pass through the gradient."""

from runs.optim import Momentum, NonNegative, Optim


class AdamW(Optim):
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    _target_: str = "torch.optim.AdamW"
    lr: NonNegative = 1e-3  # base learning rate
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)  # memory of the mean and of the square
    eps: NonNegative = 1e-8  # added to the root of the square
    weight_decay: NonNegative = 0.01  # part of a weight lost a step, times the rate
