"""Parameter groups: trainable parameters, with and without weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from cn import UserError

NORMS = (nn.LayerNorm, nn.RMSNorm)  # norms whose gain may have two or more dimensions


def owned(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
    """Yield every parameter in order of registration, with its owner module and its name there.

    A parameter shared by two modules is yielded once for each.
    """
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            yield owner, name, parameter


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters with requires_grad, each once; UserError if there are none."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError(
            f"{type(module).__name__} has no parameter that asks for a gradient, so there is "
            "nothing to train: leave requires_grad on for at least one"
        )
    return parameters


def decay_groups(module: nn.Module, among: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Return parameter groups for those `among` the module's parameters: with and without decay; none is empty.

    Matrices, filters and embeddings (two dimensions or more) use the optimiser's weight decay. Biases and the gains of
    norms do not: decay to zero does not regularize them.
    """
    gains = {id(parameter) for owner, _, parameter in owned(module) if isinstance(owner, NORMS)}
    kept = [parameter for parameter in among if parameter.ndim < 2 or id(parameter) in gains]
    keeps = {id(parameter) for parameter in kept}
    decayed = [parameter for parameter in among if id(parameter) not in keeps]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def can_fuse(parameters: list[nn.Parameter], optimizer: Any) -> bool:
    """Return whether a fused kernel can update all parameters: floating point, all on CPU or CUDA.

    For sharded parameters, torch 2.13 supports only Adam's fused kernels.
    """
    if any(hasattr(each, "full_tensor") for each in parameters) and not issubclass(optimizer, torch.optim.Adam):
        return False
    return all(parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda") for parameter in parameters)


def begin_momentum(optimizer: Any) -> None:
    """Give each parameter of SGD its momentum, 0, which changes no bit of a step.

    torch's fused kernel fails where some of a step's parameters had no gradient before, as blocks that are left out of
    steps at random have.
    """
    if not isinstance(optimizer, torch.optim.SGD):
        return
    for group in optimizer.param_groups:
        if group["momentum"] and not group["dampening"]:  # with dampening, the first step is another
            for each in group["params"]:
                optimizer.state[each]["momentum_buffer"] = torch.zeros_like(each)
