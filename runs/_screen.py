"""Output of a run: lines, and a progress bar on a terminal."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cn.run_folder.folder import log
from cn.screen import escaped, say, unless_closed


class Screen:
    """Lines go to the screen and to log.txt; the bar goes to a terminal's stderr alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()  # a failing logger prints from the writer thread
        self.bar: Progress | None = None

    def start(self, *, step: int, steps: int) -> None:
        """Show the bar, if stderr is a terminal."""
        if sys.stderr.isatty():
            self.bar = Progress(
                TextColumn("step"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # prints belong above the bar, unless stdout is a file
            )
            self.task = self.bar.add_task("step", total=steps, completed=step)
            self.bar.start()

    def update(self, step: int) -> None:
        """Update the bar."""
        if self.bar is not None:
            self.bar.update(self.task, completed=step)

    def line(self, text: str) -> None:
        """Print a line and log it immediately."""
        with self.lock:
            if self.bar is not None and sys.stdout.isatty():
                with unless_closed():
                    self.bar.console.print(escaped(text), markup=False, highlight=False, soft_wrap=True)
            else:
                say(text)
            log(self.folder, text)

    def close(self) -> None:
        if self.bar is not None:
            with unless_closed():
                self.bar.stop()


class Silent(Screen):
    """The screen of a rank other than 0, which prints nothing."""

    def start(self, *, step: int, steps: int) -> None:
        pass

    def line(self, text: str) -> None:
        pass
