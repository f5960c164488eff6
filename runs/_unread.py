"""Hyper-parameters that were set and that nothing read, told at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from cn import CN, Job
from cn.deriving import read_sources
from cn.help import displayed
from cn.kinds import Kind, same
from cn.node import resolve, values, walk
from cn.overrides import parse
from cn.reading import Reading, Unread
from runs import Run, _folder

WHERE = ("folder", "launch", "mode", "parallel")  # and how it is computed: these are no hyper-parameters
MOST = 8  # that are named


class Watch:
    """Sees what a run's values are read, from now until `close`."""

    def __init__(self, run: Run, job: Job) -> None:
        self.run, self.job = run, job
        nodes = {address for address, _ in walk(run)}
        paths = [each.path for each in parse(job.overrides)]
        parts = {".".join(path[:end]) for path in paths for end in range(1, len(path))}  # a list, of one of its items
        self.typed = {".".join(path) for path in paths} | (parts - nodes)
        self.reading = Reading(run, named=self.typed, without=WHERE)
        read_sources(run)

    def warning(self, folder: Path) -> str | None:
        """A line that names what was set and not read; None where there is nothing of the kind."""
        self.close()
        unread = self.reading.unread()
        if not unread:
            return None
        fresh = dict(walk(cast("type[CN]", type(self.run))()))
        named = ", ".join(f"{each.address}={_shown(each)}{self._by(each, fresh)}" for each in unread[:MOST])
        more = f" and {len(unread) - MOST} more" if len(unread) > MOST else ""
        see = f"{_folder.again(folder)} --explain {unread[0].address}"
        return f"set, but nothing read it: {named}{more}; see: {see}"

    def close(self) -> None:
        """Nothing more is seen."""
        self.reading.close()

    def _by(self, each: Unread, fresh: dict[str, CN]) -> str:
        """Who set it, as far as that can be told."""
        if each.address in self.typed:
            return " (command line)"
        holder = fresh.get(each.address.rpartition(".")[0])
        there = _value(holder, each.name) if holder is not None and type(holder) is type(each.node) else ...
        if there is not ... and same(there, _value(each.node, each.name)):
            return f" ({type(self.run).__name__})"
        return f" (--from {self.job.source})" if self.job.source is not None else ""


def _value(node: CN, name: str) -> Any:
    """A field's value; of a node its class."""
    value = values(node).get(name, ...)
    return type(value) if isinstance(value, CN) else value


def _shown(each: Unread) -> str:
    value = _value(each.node, each.name)
    kinds = cast("dict[str, Kind]", resolve(type(each.node)))
    return value.__name__ if isinstance(value, type) else displayed(kinds[each.name], value)
