"""FSDP2: a module's parameters sharded over all processes, block by block."""

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

LISTS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


def shard(module: nn.Module, device: torch.device) -> None:
    """Shard every parameter along the first dimension; the module itself stays the one to call.

    No FSDP precision is set: only autocast lowers it, per operation, as in a single process. With weights gathered in
    bf16,
    norms and losses would use bf16 too, and the result would differ.
    """
    scalars = [name for name, each in module.named_parameters() if each.ndim == 0]
    if scalars:
        what = f"parallel=fsdp: {scalars[0]} of {type(module).__name__} is a scalar, which cannot be divided"
        raise UserError(what, "make it a vector of one, torch.zeros(1), or write parallel=ddp")
    for each in module.parameters():
        each.data = each.data.contiguous()  # FSDP does not support channels_last
    mesh = init_device_mesh(device.type, (distributed.get_world_size(),))
    for unit in [*units(module), module]:
        fully_shard(unit, mesh=mesh)
    module.register_forward_hook(_divide_again)


def _divide_again(module: Any, *_: Any) -> None:
    """Reshard the outermost parameters after an evaluation: FSDP keeps them whole for a backward pass.

    Otherwise the module would list unsharded parameters, and clipping or averaging would use the wrong tensors.
    """
    if not torch.is_grad_enabled():
        module.reshard()


def units(module: nn.Module) -> list[nn.Module]:
    """Return the blocks of a network: modules in a list whose class occurs there more than once.

    Nested lists are followed, nested blocks are not. A module that shares a parameter with the outside is no block,
    since
    the parameter must be whole in both places.
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
    """Before a step's last forward pass, skip gradient synchronization and keep gathered parameters."""
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
    """Return a copy on the meta device, which takes no memory: FSDP cannot copy a sharded module."""
    blanks: dict[int, Any] = {id(each): each.to("meta") for each in module.buffers()}
    blanks |= {id(each): nn.Parameter(each.detach().to("meta"), each.requires_grad) for each in module.parameters()}
    return copy.deepcopy(module, blanks)
