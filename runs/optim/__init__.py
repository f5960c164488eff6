"""Optimisers: how gradients change the parameters."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from cn import CN, instantiate
from cn.lazy import lazily
from cn.nodes.target import locate, target_of

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from runs.optim._several import Several as Several

__getattr__ = lazily(__name__, Several="runs.optim._several")

NonNegative = Annotated[float, Ge(0), Lt(inf)]  # a learning rate, a weight decay, an eps
Momentum = Annotated[float, Ge(0), Lt(1)]  # part of an average over the steps that is kept


class Optim(CN):
    """An optimiser of all parameters that ask for a gradient.

    A node that names its target in `_target_` and holds the target's arguments as fields needs no
    code. A schedule multiplies the `lr` that `build` gives each group, so groups may differ in it.
    """

    def build(self, module: nn.Module) -> Optimizer:
        """Return the target with weight decay on matrices only; biases and norms are in a group without decay.

        Fused on a CPU too: AdamW over 16 small tensors took 94 us per step, against 415 us.
        """
        from inspect import signature

        from runs.optim._groups import begin_momentum, can_fuse, decay_groups, trainable

        parameters = trainable(module)
        groups = decay_groups(module, parameters)
        target = locate(target_of(self))
        if "fused" in signature(target).parameters and can_fuse(parameters, target):
            optimizer = instantiate(self, groups, fused=True)
            begin_momentum(optimizer)
            return optimizer
        return instantiate(self, groups)
