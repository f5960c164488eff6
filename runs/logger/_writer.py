"""Where metrics are written: what a logger must do, and the metrics.jsonl of every run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from cn import RunError
from cn.errors import lines, short
from runs._state_files import content

Record = dict[str, float]  # metrics by name, and with them `step` and `epoch`
State = Literal["finished", "interrupted", "failed"]


class Writer:
    """One place that metrics go to, built and called on a thread of its own."""

    def resume(self, step: int) -> None:
        """Forget what was written after this step: the run goes on from there."""

    def write(self, record: Record) -> None:
        """Take one record."""

    def picture(self, name: str, image: Any, step: int) -> None:
        """Take one picture, an array `h w 3` of bytes; what has no place for it leaves it."""

    def result(self, result: dict[str, Any]) -> None:
        """Take what the summary of a run that was trained and tested says of it."""

    def flush(self) -> None:
        """See to it that what was taken outlives a kill: a checkpoint is about to be saved."""

    def close(self, state: State) -> None:
        """Nothing more comes; `state` is how the run ended."""


class JsonLines(Writer):
    """metrics.jsonl: one JSON object a line, each whole on disk once written."""

    def __init__(self, path: Path, *, log_every: int = 1) -> None:
        self.path, self.log_every = path, log_every

    def resume(self, step: int) -> None:
        """Forget the training loss of a part of a log too, which an interruption wrote last: that log goes on."""
        found = [record for record in read(self.path) if record["step"] <= step]
        if found and found[-1]["step"] == step and step % self.log_every and "train/loss" in found[-1]:
            found.pop()
        kept = [json.dumps(record) + "\n" for record in found]
        partial = self.path.with_name(f".{self.path.name}")
        partial.write_text("".join(kept))
        partial.replace(self.path)

    def write(self, record: Record) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[Record]:
    """The records of a metrics.jsonl; a last line that a kill or a full disk cut short is left out."""
    return records((content(path) or b"").split(b"\n")[:-1], path)


def records(found: list[bytes], path: Path) -> list[dict[str, Any]]:
    """The records in lines of a metrics.jsonl; RunError where one is none."""
    result: list[dict[str, Any]] = []
    for line in found:
        try:
            record = json.loads(line)
            record["step"]
            if not all(isinstance(value, (int, float)) for value in record.values()):
                raise TypeError
        except (ValueError, TypeError, KeyError, RecursionError):
            what = f"{path} holds a line that is no record: {short(line.decode(errors='replace'))}"
            raise RunError(lines(what, "delete that line to have the others")) from None
        result.append(record)
    return result
