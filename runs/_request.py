"""Validation of a run request before torch is imported."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple, cast

from cn import Job, UserError
from cn.errors import hint, short
from cn.launching.ranks import which
from cn.paths import at_home
from cn.run_folder.folder import again
from cn.run_folder.where import names as where_names
from cn.run_folder.where import says_where
from cn.screen import loading
from cn.writing.record import FILE, runs_near, within
from runs import Run
from runs._packages import need

CHECKPOINT = re.compile(r"step-\d+(_\d+)?|.*\.pt")  # a sharded checkpoint is a folder, and its names are links


class Asked(NamedTuple):
    """How a run relates to `--from`."""

    source: Path | None  # the run folder
    resumes: bool  # resumes in that folder; with changes, the run is a new one
    checkpoint: str | None = None  # the named checkpoint in that folder


def asked(run: Run, job: Job) -> Asked:
    """Check a request; UserError for mode=eval without a trained run or with changes, and for missing packages.

    A named checkpoint can be tested; training resumes only from the last one.
    """
    changed = [text for text in job.overrides if not _is_elsewhere(text, run)]
    source, named = within(job.source) if job.source is not None else (None, None)
    # A folder without a record holds a configuration alone, of Hydra or a copy: it is no run to go on with.
    if source is not None and source.is_dir() and not (source / FILE).exists():
        source = named = None
    if source is not None and named is not None and not CHECKPOINT.fullmatch(named):
        known = sorted(each.name for each in source.iterdir() if CHECKPOINT.fullmatch(each.name))
        what = f"--from {job.source}: {short(named)} is not a checkpoint"
        raise UserError(what, hint(named, known), f"for the run itself: {again(source)}")
    if run.mode == "eval" and (source is None or changed):
        write = f"write: {again(job.source or Path('FOLDER'))} mode=eval"
        raise UserError("mode=eval tests a run that has been trained, as it is", write)
    need(run)
    if run.mode == "train":
        if run.init is not None and (source is None or changed):
            _refuse_absent(at_home(run.init))
        if source is not None and named is not None and (changed or not named.startswith("last")):
            _refuse_beginning(job, source, changed)
    return Asked(source, source is not None and not changed, named)


def announce(run: Run) -> None:
    """Print on a terminal which libraries are about to be imported; only rank 0 prints."""
    if which().rank == 0:
        loading("torch", type(run.data).__name__, type(run.model).__name__)


def _refuse_beginning(job: Job, source: Path, changed: list[str]) -> None:
    """Raise UserError: training resumes only from the last checkpoint, and a new run from none."""
    what = f"--from {job.source}: {'a run with changes begins anew' if changed else 'a run goes on from its last step'}"
    words = " ".join([again(source), *map(shlex.quote, changed)])
    to_test = f"to test this checkpoint: {again(cast('Path', job.source))} mode=eval"
    raise UserError(what, f"write: {words}", to_test)


def _is_elsewhere(override: str, run: Run) -> bool:
    """Return whether an override keeps the run the same: it sets the number of processes, or the mode.

    A test may also run elsewhere, with its data in another place. Its folder stays, and it is never a job.
    """
    if override.startswith(("mode=", *(f"launch.{name}=" for name in run.launch.free_to_change))):
        return True
    where = {*where_names(type(run))} - {"folder", "launch"}
    return run.mode == "eval" and (override.startswith(("data.root=", "data.path=")) or says_where(override, where))


def _refuse_absent(init: Path) -> None:
    """Raise UserError if the initial weights do not exist."""
    folder, _ = within(init)
    if not (folder / FILE).is_file() and not init.is_file():
        raise UserError(f"init={init} is neither a run folder nor a file of weights", runs_near(init))
