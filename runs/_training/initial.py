"""Initial weights: from another run or a file; and frozen weights."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from cn import UserError
from cn.errors import hint, short
from cn.writing.record import within
from runs import _checkpoint, _safetensors
from runs._checkpoint import Unreadable
from runs._compatibility import other_tokens, tokens
from runs._network_error import times

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary

SHOWN = 5  # names per message
PLACES = ("average", "module", "state_dict", "model")  # keys of the weights in checkpoints: ours, Lightning's, others'


@torch.no_grad()
def begin(module: nn.Module, source: Path) -> str:
    """Load the weights that match by name and shape; return a message about loaded, new and unused ones.

    source: a run folder, whose best checkpoint is used, or a file of `torch.save` or of safetensors. If a part of the
        network has a method `published`, as language models do, weights in the published layout are accepted too.
    Raises UserError if nothing matches, and Unreadable for a file without weights.
    """
    folder, named = within(source)
    path = folder / _checkpoint.BEST if named is None and folder.is_dir() else source
    found, own = _as_ours(module, _weights(path)), module.state_dict()
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
        raise UserError(what, f"it has: {its}", f"the network has: {ours}")
    for name, each in fits.items():
        own[name].copy_(each)
    told = [f"begins from {path}: {len(fits)} of {len(own)} tensors", *_named("new", new), *_named("left out", left)]
    return "; ".join(told)


def refuse_other_tokens(source: Path, vocabulary: Vocabulary | None) -> None:
    """Raise UserError if the run that gives the weights numbered the tokens otherwise than these data do."""
    folder, _ = within(source)
    if other_tokens(folder, vocabulary):
        what = f"init={source}: its embeddings are those of other tokens than the data have"
        raise UserError(what, f"write: {tokens(folder)}")


def freeze(module: nn.Module, patterns: list[str]) -> None:
    """Freeze the weights whose names match a pattern. UserError for a pattern without a match, or if all match."""
    named = dict(module.named_parameters())
    for pattern in patterns:
        fitting = [name for name in named if fnmatchcase(name, pattern)]
        if not fitting:
            what = f"freeze: no weight of the network is called {short(repr(pattern))}"
            raise UserError(what, hint(pattern, named), f"it has: {short(', '.join(list(named)[:SHOWN]))}")
        for name in fitting:
            named[name].requires_grad_(False)
    if patterns and not any(each.requires_grad for each in named.values()):
        raise UserError(f"freeze={patterns}: every weight of the network would be frozen, and nothing be trained")


def _weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a checkpoint of a run or of another library, or in a file with weights only."""
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


def _as_ours(module: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the network's names, converted by parts that know the published names."""
    found: dict[str, Tensor] = {}
    for place, part in module.named_modules():
        read: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = getattr(part, "published", None)
        if read is None or (ours := read(weights)) is weights:
            continue
        own, above = part.state_dict(), f"{place}." if place else ""
        found |= {f"{above}{name}" if name in own else name: each for name, each in ours.items()}
    return found or weights


def _named(what: str, names: list[str]) -> list[str]:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"{what}: {', '.join(names[:SHOWN])}{more}"] if names else []
