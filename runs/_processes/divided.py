"""Sharded checkpoints: read the folder that several processes wrote, without running any code from it.

A file per process and `.metadata` with the place of each tensor, in the format of torch.distributed.checkpoint; and
`rest.pt` with everything that is not sharded, and None in place of sharded tensors.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed.checkpoint import filesystem, metadata, state_dict_loader
from torch.distributed.tensor import DTensor, distribute_tensor

State = dict[str, Any]
Place = tuple[Any, ...]  # the keys that lead to a tensor in a state
Like = Callable[[Place], Tensor | None]  # maps a place to the parameter that the tensor belongs to
REST, DIVIDED = "rest.pt", "divided"


def take_apart(state: State) -> tuple[dict[str, Tensor], State]:
    """Split a state into its sharded tensors, by name, and the rest, with the places of these tensors."""
    parts = {"/".join(map(str, place)): (place, each) for place, each in _tensors(state) if isinstance(each, DTensor)}
    rest = _with(state, {place: None for place, _ in parts.values()})
    rest[DIVIDED] = {name: list(place) for name, (place, _) in parts.items()}
    return {name: each for name, (_, each) in parts.items()}, rest


def divide(state: State, like: Like) -> State:
    """Shard a state that is whole in every process, in the same way as the parameters `like`."""
    divided: dict[Place, Any] = {}
    for place, each in _tensors(state):
        model = like(place)
        if isinstance(model, DTensor) and model.shape == each.shape:
            here = each.to(model.device)
            divided[place] = distribute_tensor(here, model.device_mesh, model.placements, src_data_rank=None)
    return _with(state, divided)


def read(
    folder: Path,
    *,
    only: Container[str] | None = None,
    like: Like | None = None,
    group: distributed.ProcessGroup | None = None,
) -> State:
    """Read the state in a folder: whole and on the CPU, or, with `like`, sharded as these parameters are.

    only: keys of the state whose tensors are needed. With `like`, all processes of `group` must call this.
    """
    state = torch.load(folder / REST, map_location="cpu", weights_only=True)
    places = {name: tuple(place) for name, place in state.pop(DIVIDED).items() if only is None or place[0] in only}
    known = _metadata(folder)
    tensors: dict[str, Tensor] = {}
    for name, place in places.items():
        each = known.state_dict_metadata[name]
        assert isinstance(each, metadata.TensorStorageMetadata)
        model, dtype = like(place) if like is not None else None, each.properties.dtype
        if isinstance(model, DTensor) and model.shape == each.size:
            tensors[name] = torch.empty_like(model, dtype=dtype, requires_grad=False)
        else:
            tensors[name] = torch.empty(each.size, dtype=dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")  # expected for a single process
        reader = _Reader(folder, known)
        state_dict_loader.load(tensors, storage_reader=reader, process_group=group, no_dist=like is None)
    return _with(state, {place: tensors[name] for name, place in places.items()})


class _Reader(filesystem.FileSystemReader):
    """Reads only tensors, by torch.load(weights_only=True), and uses the given metadata."""

    def __init__(self, folder: Path, known: metadata.Metadata) -> None:
        super().__init__(folder)
        self.known = known

    def read_metadata(self, *args: Any, **kwargs: Any) -> metadata.Metadata:
        return self.known


PLAIN: tuple[Any, ...] = (  # without BytesStorageMetadata: such an entry would be unpickled
    metadata.Metadata,
    metadata.MetadataIndex,
    metadata.TensorStorageMetadata,
    metadata.TensorProperties,
    metadata.ChunkStorageMetadata,
    metadata._MEM_FORMAT_ENCODING,  # pyright: ignore[reportPrivateUsage]
    filesystem._StorageInfo,  # pyright: ignore[reportPrivateUsage]
    torch.Size,
    torch.serialization._get_layout,  # pyright: ignore[reportPrivateUsage]
)


class _Unpickler(pickle.Unpickler):
    """Unpickles only the classes of metadata: a pickle could otherwise name any function."""

    known = {(each.__module__, each.__qualname__): each for each in PLAIN}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        dtype = getattr(torch, global_name, None) if module_name == "torch" else None
        if isinstance(dtype, torch.dtype):
            return dtype
        try:
            return self.known[module_name, global_name]
        except KeyError:
            what = f"{module_name}.{global_name} is nothing that metadata consist of"
            raise pickle.UnpicklingError(what) from None


def _metadata(folder: Path) -> metadata.Metadata:
    with (folder / ".metadata").open("rb") as file:
        found = _Unpickler(file).load()
    if not isinstance(found, metadata.Metadata):
        raise pickle.UnpicklingError(f"a {type(found).__name__} is no metadata")
    return found


def _tensors(value: Any, place: Place = ()) -> Iterator[tuple[Place, Tensor]]:
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _tensors(each, (*place, key))


def _with(value: Any, changed: dict[Place, Any], place: Place = ()) -> Any:
    """Return a copy of nested dicts, in the same order, with other values at some places."""
    if isinstance(value, dict):
        return {key: _with(each, changed, (*place, key)) for key, each in value.items()}
    return changed.get(place, value)
