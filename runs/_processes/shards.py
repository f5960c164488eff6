"""Sharded runs: copies of the module, finite checks, and checkpoints that are written asynchronously."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.tensor import DTensor

from cn import RunError
from cn.files import sync
from runs import _checkpoint
from runs._processes.divided import REST, Like, divide, read, take_apart


class Shards:
    """Operations on a sharded run; all processes must call each of them, in the same order."""

    def __init__(self, blank: nn.Module, shard: Callable[[nn.Module], None]) -> None:
        self.blank, self.shard = blank, shard
        self.group: Any = distributed.new_group(backend="gloo")  # its own: a save communicates during the steps
        self.pending: Future[Any] | None = None  # the running save
        self.folder = Path()  # of the running save

    def copy(self, module: nn.Module) -> nn.Module:
        """Return another module with the same contents and the same sharding."""
        other = copy.deepcopy(self.blank).requires_grad_(False)
        self.shard(other)
        other.to_empty(device=next(module.parameters()).device)
        mine, its = (chain(each.parameters(), each.buffers()) for each in (other, module))
        with torch.no_grad():
            for to, source in zip(mine, its, strict=True):
                to.copy_(source)
        return other

    def finite(self, module: nn.Module) -> bool:
        """Return whether every weight in this process's shard is finite."""
        parts = (each.to_local() if isinstance(each, DTensor) else each for each in module.parameters())
        return all(bool(each.isfinite().all()) for each in parts)

    def save(self, folder: Path, state: dict[str, Any], *, best: bool, keep: bool) -> None:
        """Save a checkpoint asynchronously, after the previous save; return once everything is copied."""
        self.wait()
        parts, rest = take_apart(state)
        self.folder = folder
        writer = _Writer(folder, _checkpoint.names(state, best=best, keep=keep), state["step"])
        if distributed.get_rank() == 0:
            torch.save(rest, writer.rest)
            _checkpoint.refuse_unreadable(writer.rest)
        pending = async_save(parts, storage_writer=writer, process_group=self.group)
        assert isinstance(pending, Future)
        self.pending = pending

    def wait(self) -> None:
        """Wait for the last save; RunError on all ranks if it failed."""
        pending, self.pending = self.pending, None
        if pending is None:
            return
        try:
            pending.result()
        except CheckpointException as error:
            cause, _ = next(iter(error.failures.values()))
            if distributed.get_rank() == 0:
                _checkpoint.clean(self.folder)
            if not isinstance(cause, OSError):
                raise cause from error
            raise RunError(f"cannot write to {self.folder}: {cause}") from error

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Wait for the last save at exit; its failure takes precedence over a stop."""
        try:
            yield
        except RunError:
            self.wait()
            raise
        except Exception:
            with suppress(Exception):  # the error that ended the run takes precedence
                self.wait()
            raise
        self.wait()

    def read(self, path: Path, like: Like, *, weights: bool = False) -> dict[str, Any]:
        """Return the state in a checkpoint of any run, sharded as the parameters `like`."""
        found = [path.resolve()]
        distributed.broadcast_object_list(found, src=0, group=self.group)  # another node may see an older link
        if not found[0].is_dir():
            return divide(_checkpoint.load(path, weights=weights), like)
        with _checkpoint.readable(path):
            return read(found[0], only=_checkpoint.WEIGHTS if weights else None, like=like, group=self.group)


class _Writer(FileSystemWriter):
    """Writes to a temporary name, which is renamed to a checkpoint once every process has written and synced."""

    def __init__(self, folder: Path, names: list[str], step: int) -> None:
        self.run, self.names, self.step = folder, names, step
        self.rest = io.BytesIO()  # used on rank 0
        super().__init__(folder / f".step-{step:06d}.partial")

    def storage_meta(self) -> None:
        """Store nothing about the machine."""

    def write_data(self, plan: Any, planner: Any) -> Any:
        try:
            return super().write_data(plan, planner)
        except RuntimeError as error:  # torch raises it for a short write
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise cause from None

    def finish(self, metadata: Metadata, results: list[list[Any]]) -> None:
        """On rank 0, after all ranks have written: rename the folder and update the links."""
        super().finish(metadata, results)
        partial = Path(self.path)
        (partial / REST).write_bytes(self.rest.getbuffer())
        sync(partial / REST)
        sync(partial)
        whole = self.run / f"step-{self.step:06d}"
        for number in range(2, 100):  # the step was saved before a kill, and only best.pt links to it
            if whole.exists():
                whole = self.run / f"step-{self.step:06d}_{number}"
        partial.rename(whole)
        sync(self.run)
        _checkpoint.link(self.run, whole.name, self.names)
        sync(self.run)
        _checkpoint.prune(self.run)
