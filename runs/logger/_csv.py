"""A csv file with a column for each metric seen so far."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from cn.files import replacing
from cn.run_folder.metrics import Record
from runs.logger._writer import Writer


class CsvWriter(Writer):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []

    def resume(self, step: int) -> None:
        if self.path.exists():
            whole = self.path.read_text(encoding="utf-8").split("\n")[
                :-1
            ]  # a kill or a full disk may have cut the last line short
            rows: list[dict[str, Any]] = [row for row in csv.DictReader(whole) if int(row["step"]) <= step]
            self.columns = list(rows[0]) if rows else []
            self._rewrite(rows)

    def write(self, record: Record) -> None:
        new = [name for name in record if name not in self.columns]
        if new:  # the first row, or the first with a metric that no row had
            rows: list[dict[str, Any]] = []
            if self.columns:
                with self.path.open(newline="", encoding="utf-8") as file:
                    rows = list(csv.DictReader(file))
            self.columns += new
            self._rewrite(rows)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, restval="").writerow(record)

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        with replacing(self.path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, self.columns, restval="")
            table.writeheader()
            table.writerows(rows)
