"""What a person sees of a run: lines, and a bar where the output is a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Screen:
    """Lines go to the screen and to log.txt; the bar goes to a terminal's stderr alone."""

    def __init__(self, folder: Path, *, steps: int, step: int) -> None:
        self.log = (folder / "log.txt").open("a")
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            self.bar = Progress(
                TextColumn("step"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self.task = self.bar.add_task("step", total=steps, completed=step)
            self.bar.start()

    def update(self, step: int) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(self.task, completed=step)

    def line(self, text: str) -> None:
        """Say one thing; it is in the log at once."""
        if self.bar is not None and sys.stdout.isatty():
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, flush=True)
        self.note(text)

    def note(self, text: str) -> None:
        """Write to the log alone."""
        self.log.write(text + "\n")
        self.log.flush()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
        self.log.close()
