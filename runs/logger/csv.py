"""python train.py logger=csv"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runs.logger import Logger

if TYPE_CHECKING:
    from runs.logger._csv import CsvWriter


class Csv(Logger):
    """The metrics as a table, metrics.csv, for a spreadsheet."""

    def build(self, folder: Path) -> CsvWriter:
        from runs.logger._csv import CsvWriter

        return CsvWriter(folder / "metrics.csv")
