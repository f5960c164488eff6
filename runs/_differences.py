"""What sets runs apart, key by key: read from their records, whose classes need not be there any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cn import UserError
from cn.errors import lines, short
from cn.record import FILE
from cn.table import table
from runs._flat import flat, is_node
from runs._folders import names
from runs._listing import standing
from runs._progress import summary

ABSENT = object()
Values = dict[str, Any]  # key -> value, as `optim.lr`; that of a node is its class


def values(folder: Path) -> Values:
    """A run's configuration, flat, without where it is kept."""
    try:
        record = json.loads((folder / FILE).read_bytes())
    except (ValueError, OSError) as error:
        raise UserError(lines(f"{folder / FILE} cannot be read", f"{type(error).__name__}: {error}")) from None
    if not is_node(record):
        raise UserError(lines(f"{folder / FILE} cannot be read", "it holds no run"))
    return {key: value for key, value in flat(record) if key != "folder" and not _apart(key, value)}


def differences(all_values: list[Values]) -> dict[str, list[Any]]:
    """The keys whose values are not the same in all, with the value in each: ABSENT where a run has no such key."""
    keys = dict.fromkeys(key for each in all_values for key in each)
    parts = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    keys = sorted(keys, key=lambda key: parts.index(key.partition(".")[0]))  # what only one run has, beside its likes
    rows = {key: [each.get(key, ABSENT) for each in all_values] for key in keys}
    return {key: row for key, row in rows.items() if any(_unlike(row[0], value) for value in row[1:])}


def diff(folders: list[Path]) -> tuple[str, dict[str, Any]]:
    """What differs in the configurations, then the summaries side by side; and the same as plain data."""
    found = differences([values(folder) for folder in folders])
    summaries = [_summary(folder) for folder in folders]
    called = list(names(folders).values())
    rows = [[key, *map(text, row)] for key, row in found.items()]
    results = dict.fromkeys(key for each in summaries for key in each)
    told = [[key, *(text(each.get(key, ABSENT)) for each in summaries)] for key in results]
    parts = [table(["", *called], rows) if rows else "their configurations are the same", table(["", *called], told)]
    data = {
        "folders": list(map(str, folders)),
        "differences": {
            key: {str(folder): value for folder, value in zip(folders, row, strict=True) if value is not ABSENT}
            for key, row in found.items()
        },
        "summaries": {str(folder): each for folder, each in zip(folders, summaries, strict=True)},
    }
    return "\n\n".join(parts), data


def text(value: Any) -> str:
    """A value in a table."""
    if value is ABSENT:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return short(value if isinstance(value, str) else json.dumps(value))


def _summary(folder: Path) -> dict[str, Any]:
    said = summary(folder)
    state, reason = standing(folder, said)
    why = {"reason": reason} if reason is not None else {}
    return {"state": state, **why, **{key: each for key, each in said.items() if key not in ("state", "command")}}


def _apart(key: str, value: Any) -> bool:
    """What is no setting: what a node wraps, and where nothing is held."""
    return value == {} or any(name.startswith("_") for name in key.split("."))


def _unlike(a: Any, b: Any) -> bool:
    """True and 1 are not the same, nor are 1 and 1.0."""
    return a is not b and (type(a) is not type(b) or json.dumps(a) != json.dumps(b))
