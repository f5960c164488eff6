"""What a run is asked to do, settled before torch is imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from cn import Job, UserError
from cn.errors import lines
from runs import Run, _folder
from runs.launch.local import Local


class Asked(NamedTuple):
    """How a run relates to the folder given with `--from`."""

    source: Path | None
    resumes: bool  # goes on there; with changes on top it is a new run instead


def asked(run: Run, job: Job) -> Asked:
    """Raises UserError for mode=eval without a trained run, or with changes, and for loggers not installed."""
    changed = [text for text in job.overrides if not text.startswith(("mode=", *_elsewhere(run)))]
    source = job.source.parent if job.source is not None and job.source.is_file() else job.source
    if run.mode == "eval" and (source is None or changed):
        write = f"write: {_folder.again(source or Path('FOLDER'))} mode=eval"
        raise UserError(lines("mode=eval tests a run that has been trained, as it is", write))
    if run.mode == "train":
        _need(run)
    return Asked(source, source is not None and not changed)


def _elsewhere(run: Run) -> tuple[str, ...]:
    """What says how many processes share the run, which does not make it another."""
    return ("launch.gpus=",) if isinstance(run.launch, Local) else ()


def _need(run: Run) -> None:
    for name, logger in run.logger.items():
        absent = [package for package in logger.packages() if find_spec(package) is None]
        if absent:
            what = f"logger.{name}: {' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed"
            raise UserError(lines(what, "pip install -c constraints.txt -e '.[track]'"))
