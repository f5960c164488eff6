"""What a network begins from: the weights of another run or of a file, and which of its own are not trained."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cn import UserError
from cn.errors import hint, lines, short
from cn.record import within
from runs import _checkpoint, _safetensors
from runs._checkpoint import Unreadable
from runs._unfit import times

SHOWN = 5  # names in a line
PLACES = ("average", "module", "state_dict", "model")  # where checkpoints have weights: ours, Lightning's, others'


@torch.no_grad()
def begin(module: nn.Module, source: Path) -> str:
    """Take the weights that fit by name and shape; says what fitted, what is new and what was left out.

    source: a run folder, of which its best checkpoint is taken, or a file of `torch.save` or of safetensors.
    Raises UserError where nothing fits, and Unreadable for what holds no weights.
    """
    folder, named = within(source)
    path = folder / _checkpoint.BEST if named is None and folder.is_dir() else source
    found, own = _weights(path), module.state_dict()
    fits = {name: each for name, each in found.items() if name in own and own[name].shape == each.shape}
    new = [
        f"{name} ({times(each.shape)}, there {times(found[name].shape)})" if name in found else name
        for name, each in own.items()
        if name not in fits
    ]
    left = [name for name in found if name not in own]
    if not fits:
        what = f"init={source}: none of its {len(found)} tensors fits the network"
        its, ours = (short(", ".join(list(each)[:SHOWN])) for each in (found, own))
        raise UserError(lines(what, f"it has: {its}", f"the network has: {ours}"))
    for name, each in fits.items():
        own[name].copy_(each)
    told = [f"begins from {path}: {len(fits)} of {len(own)} tensors", *_named("new", new), *_named("left out", left)]
    return "; ".join(told)


def freeze(module: nn.Module, patterns: list[str]) -> None:
    """Train no weight whose name fits a pattern. Raises UserError for one that none fits, and where all would."""
    named = dict(module.named_parameters())
    for pattern in patterns:
        fitting = [name for name in named if fnmatchcase(name, pattern)]
        if not fitting:
            what = f"freeze: no weight of the network is called {short(repr(pattern))}"
            raise UserError(lines(what, hint(pattern, named), f"it has: {short(', '.join(list(named)[:SHOWN]))}"))
        for name in fitting:
            named[name].requires_grad_(False)
    if patterns and not any(each.requires_grad for each in named.values()):
        raise UserError(f"freeze={patterns}: every weight of the network would be frozen, and nothing be trained")


def _weights(path: Path) -> dict[str, Tensor]:
    """Those of a checkpoint of a run, of one of another library, or of a file that holds nothing else."""
    found: Any
    if path.suffix == _safetensors.SUFFIX:
        _safetensors.need(f"init={path}")
        found = _safetensors.read(path)
    else:
        found = _checkpoint.load(path, weights=True)
    if isinstance(found, dict):
        whole = cast("dict[str, Any]", found)
        inner = next((whole[place] for place in PLACES if isinstance(whole.get(place), dict)), whole)
        weights = {name: each for name, each in cast("dict[str, Any]", inner).items() if isinstance(each, Tensor)}
        if weights:
            return weights
    raise Unreadable(f"{path} holds no weights: it has no tensor by name")


def _named(what: str, names: list[str]) -> list[str]:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"{what}: {', '.join(names[:SHOWN])}{more}"] if names else []
