"""What a run is asked to do, settled before torch is imported."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple, cast

from cn import Job, UserError
from cn.errors import hint, lines, short
from cn.record import FILE, runs_near, within
from cn.screen import loading
from runs import Run, _folder
from runs._meeting import which
from runs._needed import need
from runs.launch.local import Local

CHECKPOINT = re.compile(r"step-\d+(_\d+)?|.*\.pt")  # of several processes, a folder, and links to it


class Asked(NamedTuple):
    """How a run relates to what was given with `--from`."""

    source: Path | None  # the run folder
    resumes: bool  # goes on there; with changes on top it is a new run instead
    checkpoint: str | None = None  # the one of that folder that was named


def asked(run: Run, job: Job) -> Asked:
    """Raises UserError for mode=eval without a trained run, or with changes, and for what is not installed.

    A checkpoint that is named is tested; only the last one is trained on.
    """
    changed = [text for text in job.overrides if not text.startswith(("mode=", *_elsewhere(run)))]
    source, named = within(job.source) if job.source is not None else (None, None)
    if source is not None and named is not None and not CHECKPOINT.fullmatch(named):
        known = sorted(each.name for each in source.iterdir() if CHECKPOINT.fullmatch(each.name))
        what = f"--from {job.source}: {short(named)} is not a checkpoint"
        raise UserError(lines(what, hint(named, known), f"for the run itself: {_folder.again(source)}"))
    if run.mode == "eval" and (source is None or changed):
        write = f"write: {_folder.again(job.source or Path('FOLDER'))} mode=eval"
        raise UserError(lines("mode=eval tests a run that has been trained, as it is", write))
    need(run)
    if run.mode == "train":
        if run.init is not None and (source is None or changed):
            _refuse_absent(run.init)
        if source is not None and named is not None and (changed or not named.startswith("last")):
            _refuse_beginning(job, source, changed)
    return Asked(source, source is not None and not changed, named)


def announce(run: Run) -> None:
    """Say on a terminal what is loaded before a run can say anything; of several processes the first does."""
    if which().first:
        loading("torch", type(run.data).__name__, type(run.model).__name__)


def _refuse_beginning(job: Job, source: Path, changed: list[str]) -> None:
    """A run goes on from its last checkpoint; a new one begins at none."""
    what = f"--from {job.source}: {'a run with changes begins anew' if changed else 'a run goes on from its last step'}"
    words = " ".join([_folder.again(source), *map(shlex.quote, changed)])
    to_test = f"to test this checkpoint: {_folder.again(cast('Path', job.source))} mode=eval"
    raise UserError(lines(what, f"write: {words}", to_test))


def _elsewhere(run: Run) -> tuple[str, ...]:
    """What says where the run is computed: how many processes share it, and for a test also on what device, with
    the data where. None of it makes it another run.
    """
    processes = ("launch.gpus=",) if isinstance(run.launch, Local) else ()
    return (*processes, "gpu=", "data.root=") if run.mode == "eval" else processes


def _refuse_absent(init: Path) -> None:
    """UserError for weights to begin from that are not there."""
    folder, _ = within(init)
    if not (folder / FILE).is_file() and not init.is_file():
        raise UserError(lines(f"init={init} is neither a run folder nor a file of weights", runs_near(init)))
