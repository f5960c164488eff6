"""The report of a benchmark: a JSON file and a Markdown table in the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cn.run_folder.folder import write_json
from cn.table import table
from runs.benchmark._resampled import METHOD, RESAMPLES, Resampled, keep


def report(
    folder: Path,
    name: str,
    data: dict[str, Any],
    *,
    title: str,
    header: list[str],
    rows: list[list[str]],
    resampled: Mapping[str, Resampled],
    examples: str,
    say: Callable[[str], None],
) -> None:
    """Write benchmark/NAME.json and benchmark/NAME.md, and print the table.

    resampled: the measures with intervals. examples: the unit of resampling, such as rows.
    """
    place = folder / "benchmark"
    place.mkdir(exist_ok=True)
    write_json(place / f"{name}.json", {**data, "intervals": {"of": examples, **METHOD, **intervals(resampled)}})
    keep(folder, name, resampled)
    marked = [header, ["---"] * len(header), *rows]
    drawn = f"95 %: percentile bootstrap, {RESAMPLES} resamples of the {examples}"
    lined = "".join(f"| {' | '.join(each)} |\n" for each in marked)
    (place / f"{name}.md").write_text(f"# {title}\n\n{lined}\n{drawn}\n")
    say(f"{title}\n{table(header, rows)}\n{drawn}")


def intervals(resampled: Mapping[str, Resampled]) -> dict[str, Any]:
    """Return the bounds of each measure, as JSON."""
    return {"measures": {name: list(each.interval) for name, each in resampled.items()}}


def bounds(resampled: Mapping[str, Resampled], name: str, form: Callable[[float], str]) -> str:
    """Return the interval of a measure for the table; a dash if it has none."""
    return " to ".join(map(form, resampled[name].interval)) if name in resampled else "-"
