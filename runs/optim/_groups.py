"""Which parameters an optimiser trains, and which of them shrink by weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from cn import UserError

NORMS = (nn.LayerNorm, nn.RMSNorm)  # the ones whose gain may have two dimensions or more


def owned(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
    """Every parameter in order of registration, with the module that owns it and its name there.

    A parameter that two modules share comes once for each of them.
    """
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            yield owner, name, parameter


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that ask for a gradient, each once."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise UserError(
            f"{type(module).__name__} has no parameter that asks for a gradient, so there is "
            "nothing to train: leave requires_grad on for at least one"
        )
    return parameters


def decay_groups(module: nn.Module, among: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Two groups of the parameters `among` those of `module`: decayed and not; no group is empty.

    Matrices, filters and embeddings (two dimensions or more) decay by the optimiser's own weight
    decay. Biases and the gains of norms do not: pulling them to zero regularises nothing.
    """
    gains = {id(parameter) for owner, _, parameter in owned(module) if isinstance(owner, NORMS)}
    kept = [parameter for parameter in among if parameter.ndim < 2 or id(parameter) in gains]
    keeps = {id(parameter) for parameter in kept}
    decayed = [parameter for parameter in among if id(parameter) not in keeps]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def can_fuse(parameters: list[nn.Parameter], optimizer: Any) -> bool:
    """Whether one kernel may update them all: floating point, and all on a CPU or a CUDA device.

    Of parameters that are divided over processes torch 2.13 knows only how Adam's kernels update them.
    """
    if any(hasattr(each, "full_tensor") for each in parameters) and not issubclass(optimizer, torch.optim.Adam):
        return False
    return all(parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda") for parameter in parameters)
