"""Optimisers: how gradients change the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cn import CN, instantiate
from cn.lazy import lazily
from cn.node import values
from cn.target import locate, target_of

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from runs.optim._several import Several as Several

__getattr__ = lazily(__name__, Several="runs.optim._several")


class Optim(CN):
    """An optimiser of all parameters that ask for a gradient.

    A node that names its target in `_target_` and holds the target's arguments as fields needs no
    code. A schedule multiplies the `lr` that `build` gives each group, so groups may differ in it.
    """

    def build(self, module: nn.Module) -> Optimizer:
        """The target, with weight decay on matrices alone: biases and norms have a group without.

        Fused on a CPU too: there AdamW over 16 small tensors took 94 us a step against 415 us.
        """
        from inspect import signature

        from runs.optim._groups import can_fuse, decay_groups, trainable

        parameters = trainable(module)
        groups = decay_groups(module, parameters)
        target = locate(target_of(self))
        if "fused" in signature(target).parameters and can_fuse(parameters, target):
            return instantiate(self, groups, fused=True)
        return instantiate(self, groups)

    def check(self) -> None:
        """Refuses a hyper-parameter outside the range that its name has in every optimiser."""
        from runs.optim._ranges import check_ranges

        check_ranges(values(self))
