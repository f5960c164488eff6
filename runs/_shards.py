"""What a run has whose parameters are divided over its processes: checkpoints written while it goes on."""

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
from runs import _checkpoint
from runs._divided import REST, Like, divide, read, take_apart
from runs._folder import sync


class Shards:
    """All processes call each of these, in the same order."""

    def __init__(self, blank: nn.Module, shard: Callable[[nn.Module], None]) -> None:
        self.blank, self.shard = blank, shard
        self.group: Any = distributed.new_group(backend="gloo")  # a save talks while the run does
        self.pending: Future[Any] | None = None  # a save that is going on
        self.folder = Path()  # where to

    def copy(self, module: nn.Module) -> nn.Module:
        """Another module with the same contents, divided in the same way."""
        other = copy.deepcopy(self.blank).requires_grad_(False)
        self.shard(other)
        other.to_empty(device=next(module.parameters()).device)
        mine, its = (chain(each.parameters(), each.buffers()) for each in (other, module))
        with torch.no_grad():
            for to, source in zip(mine, its, strict=True):
                to.copy_(source)
        return other

    def finite(self, module: nn.Module) -> bool:
        """Whether every weight in this process's part is a finite number."""
        parts = (each.to_local() if isinstance(each, DTensor) else each for each in module.parameters())
        return all(bool(each.isfinite().all()) for each in parts)

    def save(self, folder: Path, state: dict[str, Any], *, best: bool, keep: bool) -> None:
        """What `_checkpoint.save` does, once the save before has ended; returns as soon as all is copied."""
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
        """Until the last save has ended; RunError if it failed, in all processes."""
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
        """However it is left, the last save has ended; it is told of its failure before it is told of a stop."""
        try:
            yield
        except RunError:
            self.wait()
            raise
        except Exception:
            with suppress(Exception):  # what ended the run is the news
                self.wait()
            raise
        self.wait()

    def read(self, path: Path, like: Like, *, weights: bool = False) -> dict[str, Any]:
        """The state in a checkpoint of any run, divided as the parameters `like` are."""
        found = [path.resolve()]
        distributed.broadcast_object_list(found, src=0, group=self.group)  # another machine may see an older link
        if not found[0].is_dir():
            return divide(_checkpoint.load(path, weights=weights), like)
        with _checkpoint.readable(path):
            return read(found[0], only=_checkpoint.WEIGHTS if weights else None, like=like, group=self.group)


class _Writer(FileSystemWriter):
    """Writes below a name of its own, which becomes a checkpoint's once every process has written and synced."""

    def __init__(self, folder: Path, names: list[str], step: int) -> None:
        self.run, self.names, self.step = folder, names, step
        self.rest = io.BytesIO()  # in the first process
        super().__init__(folder / f".step-{step:06d}.partial")

    def storage_meta(self) -> None:
        """Nothing of the machine that it was written on."""

    def write_data(self, plan: Any, planner: Any) -> Any:
        try:
            return super().write_data(plan, planner)
        except RuntimeError as error:  # torch raises it where a write comes up short
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise cause from None

    def finish(self, metadata: Metadata, results: list[list[Any]]) -> None:
        """In the first process, when all have written."""
        super().finish(metadata, results)
        partial = Path(self.path)
        (partial / REST).write_bytes(self.rest.getbuffer())
        sync(partial / REST)
        sync(partial)
        whole = self.run / f"step-{self.step:06d}"
        for number in range(2, 100):  # the same step again, after a kill that left no other name than best.pt to it
            if whole.exists():
                whole = self.run / f"step-{self.step:06d}_{number}"
        partial.rename(whole)
        sync(self.run)
        _checkpoint.link(self.run, whole.name, self.names)
        sync(self.run)
        _checkpoint.prune(self.run)
