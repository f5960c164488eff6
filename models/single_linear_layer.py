"""`fcn` without a hidden layer."""

from models.fcn import Fcn


class SingleLinearLayer(Fcn):
    """One linear layer; `model.num_hidden=1` gives it a hidden one."""

    num_hidden: int = 0  # hidden layers
