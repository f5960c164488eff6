"""What a run is asked to do, settled before torch is imported."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cn import Job, UserError
from cn.errors import lines
from runs import Run


class Asked(NamedTuple):
    """How a run relates to the folder given with `--from`."""

    source: Path | None
    resumes: bool  # goes on there; with changes on top it is a new run instead


def asked(run: Run, job: Job) -> Asked:
    """Raises UserError for mode=eval without a trained run, or with changes to it."""
    changed = [text for text in job.overrides if not text.startswith("mode=")]
    source = job.source.parent if job.source is not None and job.source.is_file() else job.source
    if run.mode == "eval" and (source is None or changed):
        what = f"leave out {' '.join(changed)}" if changed else "write: --from FOLDER mode=eval"
        raise UserError(lines("mode=eval tests a run that has been trained, as it is", what))
    return Asked(source, source is not None and not changed)
