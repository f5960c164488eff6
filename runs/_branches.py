"""Runs that share their first steps: one leaves its state after a step, and another begins from it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cn import CNError
from cn.files import write_whole
from cn.job import Past
from cn.run_folder.branches import carry, leave
from cn.run_folder.metrics import read
from cn.run_folder.progress import summary
from cn.writing.record import FILE
from runs import _checkpoint

if TYPE_CHECKING:
    from runs import Run
    from runs._training.device import Device
    from runs._training.state import Training

FILES = ("metrics.jsonl", "predictions", _checkpoint.STEP, _checkpoint.BEST, _checkpoint.LAST)


def leave_branch(training: Training) -> None:
    """Leave the state after this step, which the last checkpoint holds, if others go on from it."""
    if training.step in training.branches and training.ranks.first and training.step < training.steps:
        leave(training.folder, training.step, FILES)


def begin_from(past: Past, folder: Path, run: Run, device: Device) -> str:
    """Take over the state of another run, and return the line that says so; without a state the run begins at step 0.

    A run may have ended early, before the step at which others go on. They come to the same end by themselves.
    """
    try:
        state = _checkpoint.load(past.folder / _checkpoint.LAST, weights=True)
    except CNError as error:
        return f"begins at step 0: {str(error).partition(chr(10))[0]}"
    if state["step"] != past.step or state["reason"] is not None:
        return f"begins at step 0: {past.folder} has the state after step {state['step']}, not after {past.step}"
    other = past.folder if (past.folder / FILE).exists() else past.folder.parents[1]
    if _kind(there := str(summary(other).get("device"))) != _kind(str(device)):  # which would compute other bits
        return f"begins at step 0: the state in {past.folder} is of {there}, and this run is on {device}"
    try:
        carry(past.folder, folder, FILES)
        _shorten(folder / "metrics.jsonl", past.step, run.log_every)
    except OSError as error:
        return f"begins at step 0: the state in {past.folder} cannot be taken over: {error}"
    return f"its first {past.step} steps are those of {past.folder}"


def _shorten(path: Path, step: int, log_every: int) -> None:
    """Remove the log with which the other run ended, if it is one of fewer steps: this run writes the full one."""
    if step % log_every:
        kept = [each for each in read(path) if each["step"] != step or "train/loss" not in each]
        write_whole(path, "".join(json.dumps(each) + "\n" for each in kept))


def _kind(device: str) -> str:
    """Return a device without its number."""
    return re.sub(r"cuda:\d+", "cuda", device)
