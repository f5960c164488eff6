"""The request for a run, and the launcher that calls the program's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cn.errors import RunError

PRUNED = 76  # exit status of a run that its sweep ended early


class Pruned(RunError):  # noqa: N818
    """The sweep ended the run early, by its field `prune`."""

    status = PRUNED


class Diverged(RunError):  # noqa: N818
    """The numbers of a run are not finite any more: its fields are at fault, not the code, which other runs share."""


@dataclass(frozen=True)
class Job:
    """How a run was requested: facts that are not in the run's own fields."""

    overrides: tuple[str, ...] = ()  # as typed
    argv: tuple[str, ...] = ()  # the whole command line
    source: Path | None = None  # the folder given with --from
    folder: Path | None = None  # of the run; if the function makes its own: the one requested with Hydra's options
    group: str | None = None  # the folder shared by the runs of one -m
    reports: Callable[[int, Mapping[str, float]], bool] | None = None  # of a sweep that prunes
    past: Past | None = None  # where the run begins, if another trial of its sweep has computed its first steps
    branches: tuple[int, ...] = ()  # steps after which others go on from the run's state

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Tell the sweep the metrics of a validation; call it after a checkpoint, in one process of the run.

        Raises Pruned if the sweep ends the run, RunError if the goal of the sweep is not among the metrics, and
        Diverged if its value is not finite.
        """
        if self.reports is not None and self.reports(step, metrics):
            raise Pruned(f"pruned at step {step}")


class Past(NamedTuple):
    """Where a run begins: with the state that another run had after a step."""

    folder: Path  # that holds the state
    step: int


class Request(NamedTuple):
    """One of the runs that a command line requests."""

    run: Any
    job: Job
    varied: tuple[str, ...] = ()  # the overrides that distinguish this run from the others


Launcher = Callable[[Callable[[Any, Job], Any], list[Request]], None]  # calls it once per request, here or elsewhere


def asked_for(asked: list[Request]) -> list[str]:
    """Return the words of each run: those that distinguish it, if any do."""
    return [" ".join(each.varied or each.job.overrides) for each in asked]
