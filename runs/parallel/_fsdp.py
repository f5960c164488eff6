"""FSDP2: a module's parameters divided over all processes, block by block."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard

from cn import UserError
from cn.errors import lines

LISTS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


def shard(module: nn.Module, device: torch.device) -> None:
    """Leave each process its part of every parameter, along the first dimension; what is called stays the module.

    No precision is set for it: autocast alone lowers it, operation by operation, as it does in one process. With
    weights gathered in bf16, norms and losses would be computed in it too, and the run would come to something else.
    """
    scalars = [name for name, each in module.named_parameters() if each.ndim == 0]
    if scalars:
        what = f"parallel=fsdp: {scalars[0]} of {type(module).__name__} is a scalar, which cannot be divided"
        raise UserError(lines(what, "make it a vector of one, torch.zeros(1), or write parallel=ddp"))
    for each in module.parameters():
        each.data = each.data.contiguous()  # it takes no channels_last
    mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
    for unit in [*units(module), module]:
        fully_shard(unit, mesh=mesh)
    module.register_forward_hook(_divide_again)


def _divide_again(module: Any, *_: Any) -> None:
    """FSDP leaves the outermost parameters whole for a backward pass, which does not come after an evaluation.

    Until then the module would list them, and clipping or an average would take hold of what is no part of the run.
    """
    if not torch.is_grad_enabled():
        module.reshard()


def units(module: nn.Module) -> list[nn.Module]:
    """The blocks of a network: of the modules in a list, those whose class another one there has too.

    Lists within lists are followed, blocks within blocks are not. One that shares a parameter with what is outside of
    it is none, since that parameter must be whole in both places.
    """
    uses = Counter(id(each) for owner in module.modules() for each in owner.parameters(recurse=False))

    def apart(block: nn.Module) -> bool:
        own = Counter(id(each) for owner in block.modules() for each in owner.parameters(recurse=False))
        return bool(own) and all(uses[each] == count for each, count in own.items())

    def found(outer: nn.Module) -> Iterator[nn.Module]:
        alike = Counter(type(each) for each in outer.children()) if isinstance(outer, LISTS) else {}
        for each in outer.children():
            if not isinstance(each, LISTS) and alike.get(type(each), 0) > 1 and apart(each):
                yield each
            else:
                yield from found(each)

    return list(dict.fromkeys(found(module)))


def exchange(module: nn.Module) -> Callable[[bool], None]:
    """Before the last forward pass of a step gradients stay where they are, and what was gathered stays gathered."""
    assert isinstance(module, FSDPModule)
    before = True

    def exchange(last: bool) -> None:
        nonlocal before
        if last != before:
            module.set_requires_gradient_sync(last)
            module.set_reshard_after_backward(last)
            before = last

    return exchange


def twin(module: nn.Module) -> nn.Module:
    """A copy without contents, which takes no memory: FSDP does not copy a module that it has divided."""
    blanks: dict[int, Any] = {id(each): each.to("meta") for each in module.buffers()}
    blanks |= {id(each): nn.Parameter(each.detach().to("meta"), each.requires_grad) for each in module.parameters()}
    return copy.deepcopy(module, blanks)
