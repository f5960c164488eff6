"""Runs that measured the same benchmarks, compared with the first of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cn.run_folder.progress import summary
from cn.run_folder.state_files import read
from cn.run_folder.status import is_finished
from cn.table import table

LEAST = 2  # measures; a single one is the run's score, which other tables show
RESAMPLES = "*_resamples.json"  # in a run's folder benchmark/


class Against(NamedTuple):
    """A measure of a run, and its difference from that of the first run."""

    value: float
    difference: float
    interval: tuple[float, float] | None  # of the difference; None: no resamples of the same examples


def measures(folder: Path) -> dict[str, float]:
    """Return the measures that a finished run has only in its test, as a benchmark adds them."""
    told = summary(folder)
    if not is_finished(told):
        return {}
    named = {name.removeprefix("test/"): value for name, value in told.items() if name.startswith("test/")}
    return {name: float(value) for name, value in named.items() if f"validation/{name}" not in told}


def against(folders: list[Path]) -> dict[str, list[Against | None]]:
    """Compare runs by each measure of the first one: a row per measure, with None for a run that lacks it.

    Returns {} if the first run has fewer than two such measures, or shares none with another run.
    """
    every = [measures(each) for each in folders]
    if not every or len(every[0]) < LEAST or not any(every[0].keys() & each.keys() for each in every[1:]):
        return {}
    kept = [_resamples(each) for each in folders]

    def compared(name: str, place: int) -> Against | None:
        if name not in every[place]:
            return None
        value, first = every[place][name], every[0][name]
        return Against(value, value - first, _interval(kept[0].get(name), kept[place].get(name)) if place else None)

    return {name: [compared(name, place) for place in range(len(folders))] for name in every[0]}


def told(rows: dict[str, list[Against | None]], called: list[str]) -> str:
    """Return the rows as a table: the first run's values, then each other run's with its differences."""
    some = any(each is not None and each.interval is not None for row in rows.values() for each in row)
    header = ["test", called[0]]
    for name in called[1:]:
        header += [name, "difference", *(["95 % of it"] if some else [])]
    body: list[list[str]] = []
    for name, (first, *others) in rows.items():
        assert first is not None
        line = [name, f"{first.value:.6g}"]
        for each in others:
            line += ["-", "-"] if each is None else [f"{each.value:.6g}", f"{each.difference:+.4g}"]
            if some:
                bounds = None if each is None else each.interval
                line.append("-" if bounds is None else f"{bounds[0]:+.4g} to {bounds[1]:+.4g}")
        body.append(line)
    note = "\n95 %: percentile bootstrap of the difference, paired by example" if some else ""
    return table(header, body) + note


def compare(folders: list[Path], called: list[str]) -> tuple[str | None, dict[str, Any]]:
    """The table and the plain data of `against`; None and nothing where the runs share no benchmark."""
    rows = against(folders)
    return (told(rows, called), {"against_first": as_data(rows, folders)}) if rows else (None, {})


def as_data(rows: dict[str, list[Against | None]], folders: list[Path]) -> dict[str, Any]:
    """Return the rows as plain data, by measure and folder."""
    return {
        name: {str(folder): each._asdict() for folder, each in zip(folders, row, strict=True) if each is not None}
        for name, row in rows.items()
    }


def _resamples(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the resamples of benchmarks: by measure, the digest of its examples and its value in each resample."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / "benchmark").glob(RESAMPLES)):
        record = read(path)
        drawn = {key: record[key] for key in ("resamples", "seed")}
        found |= {name: {**each, **drawn} for name, each in record["measures"].items()}
    return found


def _interval(first: dict[str, Any] | None, other: dict[str, Any] | None) -> tuple[float, float] | None:
    """Return the interval of the difference, if both runs have the same resamples of the same examples."""
    if first is None or other is None or any(first[key] != other[key] for key in ("examples", "resamples", "seed")):
        return None
    from runs.benchmark._resampled import interval

    return interval([b - a for a, b in zip(first["values"], other["values"], strict=True)])
