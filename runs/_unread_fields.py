"""Warning at the end of a run about hyper-parameters that were set but never read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from cn import CN, Job
from cn.composing.deriving import read_sources
from cn.composing.overrides import parse
from cn.nodes.field_types import same
from cn.nodes.read_tracking import Reading, Unread
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import values, walk
from cn.run_folder.folder import again
from cn.run_folder.where import names as where_names
from cn.writing.displayed import displayed
from runs import Run

MOST = 8  # maximum of named values


class Watch:
    """Tracks reads of a run's values until `close`."""

    def __init__(self, run: Run, job: Job) -> None:
        self.run, self.job = run, job
        nodes = {address for address, _ in walk(run)}
        paths = [each.path for each in parse(job.overrides)]
        parts = {".".join(path[:end]) for path in paths for end in range(1, len(path))}  # also the list of an item
        self.typed = {".".join(path) for path in paths} | (parts - nodes)
        apart = (*where_names(type(run)), "parallel")  # a single-process run does not read `parallel`
        self.reading = Reading(run, named=self.typed, without=apart)
        read_sources(run)

    def warning(self, folder: Path) -> str | None:
        """Return a line that names the values set but not read, or None."""
        self.close()
        unread = self.reading.unread()
        if not unread:
            return None
        fresh = dict(walk(cast("type[CN]", type(self.run))()))
        named = ", ".join(f"{each.address}={_shown(each)}{self._by(each, fresh)}" for each in unread[:MOST])
        more = f" and {len(unread) - MOST} more" if len(unread) > MOST else ""
        see = f"{again(folder)} --explain {unread[0].address}"
        return f"set, but nothing read it: {named}{more}; see: {see}"

    def close(self) -> None:
        """Stop tracking."""
        self.reading.close()

    def _by(self, each: Unread, fresh: dict[str, CN]) -> str:
        """Return where the value was set, if known."""
        if each.address in self.typed:
            return " (command line)"
        holder = fresh.get(each.address.rpartition(".")[0])
        there = _value(holder, each.name) if holder is not None and type(holder) is type(each.node) else ...
        if there is not ... and same(there, _value(each.node, each.name)):
            return f" ({type(self.run).__name__})"
        return f" (--from {self.job.source})" if self.job.source is not None else ""


def _value(node: CN, name: str) -> Any:
    """Return a field's value; of a node, its class."""
    value = values(node).get(name, ...)
    return type(value) if isinstance(value, CN) else value


def _shown(each: Unread) -> str:
    value = _value(each.node, each.name)
    kinds = kinds_of(each.node)
    return value.__name__ if isinstance(value, type) else displayed(kinds[each.name], value)
