"""The interface of loggers, and the metrics.jsonl of every run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from cn.files import sync, write_whole
from cn.run_folder.metrics import Record, read
from cn.run_folder.status import RunStatus

State = Literal[RunStatus.FINISHED, RunStatus.INTERRUPTED, RunStatus.FAILED]  # each equals its word, "finished"


class Writer:
    """A destination of metrics, built and called on its own thread."""

    def resume(self, step: int) -> None:
        """Discard records after this step: the run resumes from there."""

    def write(self, record: Record) -> None:
        """Write one record."""

    def picture(self, name: str, image: Any, step: int) -> None:
        """Write one picture, an array `h w 3` of bytes; a writer without pictures ignores it."""

    def text(self, name: str, text: str, step: int) -> None:
        """Write a text that the model produced; a writer without texts ignores it."""

    def result(self, result: dict[str, Any]) -> None:
        """Write the result in the summary of a finished run."""

    def flush(self) -> None:
        """Make all records durable: a checkpoint is about to be saved."""

    def close(self, state: State) -> None:
        """Close the writer; `state` is how the run ended."""


class JsonLines(Writer):
    """metrics.jsonl: one JSON object per line."""

    def __init__(self, path: Path, *, log_every: int = 1) -> None:
        self.path, self.log_every = path, log_every

    def resume(self, step: int) -> None:
        """Discard later records, and a partial log at this step, which an interruption wrote: the full log follows."""
        found = [record for record in read(self.path) if record["step"] <= step]
        if found and found[-1]["step"] == step and step % self.log_every and "train/loss" in found[-1]:
            found.pop()
        kept = [json.dumps(record) + "\n" for record in found]
        write_whole(self.path, "".join(kept))

    def flush(self) -> None:
        """Sync the file: after a power failure, a run that resumes from the checkpoint has the metrics up to it."""
        sync(self.path)

    def write(self, record: Record) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
