"""The report of some runs, in folders of their own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from cn.errors import UserError
from cn.report.content import Content, Entry, content, curve
from cn.report.page import write
from cn.run_folder.differences import record_of, values_in
from cn.run_folder.folder import again
from cn.run_folder.folders import names
from cn.run_folder.listing import standing
from cn.run_folder.progress import goal as goal_of
from cn.run_folder.progress import summary, value_of
from cn.run_folder.where import names_in


def report(folders: list[Path], path: Path) -> tuple[str, dict[str, Any]]:
    """Write the report of these run folders to a file."""
    found = of_runs(folders)
    write(found, path)
    return str(path), {"report": str(path), **found.plain()}


def of_runs(folders: list[Path]) -> Content:
    """Return the content of the report of these run folders. UserError if they have no goal in common."""
    called = names(folders)
    summaries = [summary(folder) for folder in folders]
    goals = [goal_of(each) for each in summaries if "goal" in each] or [goal_of({})]  # a run may fail before it has one
    wanted = {(each.name, each.less) for each in goals}
    if len(wanted) > 1:
        told = " and ".join(sorted(name for name, _ in wanted))
        raise UserError(f"these runs have several goals: {told}", "name runs of one goal")
    ((metric, less),) = wanted
    entries: list[Entry] = []
    where: set[str] = set()
    for folder, told in zip(folders, summaries, strict=True):
        record = record_of(folder)
        state, reason = standing(folder, told)
        where.update(names_in(record))
        entries.append(
            Entry(
                name=called[folder],
                state=str(state),
                folder=str(folder),
                values=values_in(record),
                goal=value_of(told, metric),
                seconds=told.get("seconds"),
                curve=curve(folder / "metrics.jsonl", metric),
                reason=reason,
                command=again(folder, _program(told)),
                order=(folder / "config.json").stat().st_mtime,
            )
        )
    what = shlex.join(map(str, folders)) if len(folders) <= 4 else f"{len(folders)} runs"
    return content(what, metric, "minimize" if less else "maximize", entries, apart=tuple(where), commands={})


def _program(told: dict[str, Any]) -> str | None:
    """Return what started a run, such as train.py or -m proj.train; None if its summary does not say it."""
    _, *words = shlex.split(told.get("command", ""))[:3] or [""]
    return shlex.join(words[: 2 if words[0] == "-m" else 1]) if words else None
