"""Compare runs key by key, from their records alone: the recorded classes may no longer exist."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from cn.errors import CNError, UserError, short
from cn.nodes.former import current
from cn.nodes.resolving import by_key
from cn.nodes.to_json import CLASS, renamed
from cn.run_folder.flat import flat, is_node
from cn.run_folder.folders import names
from cn.run_folder.listing import standing
from cn.run_folder.progress import summary
from cn.run_folder.where import names_in, says_where
from cn.table import table
from cn.writing.record import FILE
from cn.writing.record_class import recorded

ABSENT = object()
# returns a text, and the same as plain data
Compare = Callable[[list[Path], list[str]], tuple[str | None, dict[str, Any]]]
Values = dict[str, Any]  # `optim.lr` -> value; the value of a node is its class


def values(folder: Path) -> Values:
    """Return a run's configuration, flattened, without the folder of the run."""
    return values_in(record_of(folder))


def values_in(record: dict[str, Any]) -> Values:
    """Return the configuration in a run's record, flattened, without the folder of the run."""
    record = _current(record)
    own = "folder" in names_in(record)
    return {key: value for key, value in flat(record) if not (key == "folder" and own) and not _apart(key, value)}


def _current(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the names that fields and classes have now, as far as the classes still exist."""
    found = {
        name: _current(cast("dict[str, Any]", value)) if isinstance(value, dict) else value
        for name, value in record.items()
    }
    if not is_node(found):
        return found
    try:
        cls = recorded(str(found[CLASS]), "the record")
        keys = {name: key for key, name in by_key(cast("Any", cls)).items()}
        return {**renamed(current(cls, found), keys), CLASS: f"{cls.__module__}:{cls.__qualname__}"}
    except CNError:
        return found


def record_of(folder: Path) -> dict[str, Any]:
    """Return the record of a run. UserError if it cannot be read."""
    try:
        record = json.loads((folder / FILE).read_bytes())
    except (ValueError, OSError) as error:
        raise UserError(f"{folder / FILE} cannot be read", f"{type(error).__name__}: {error}") from None
    if not is_node(record):
        raise UserError(f"{folder / FILE} cannot be read", "it holds no run")
    return record


def differences(all_values: list[Values]) -> dict[str, list[Any]]:
    """Return the keys whose values differ, with the value in each run; ABSENT if a run lacks the key."""
    keys = dict.fromkeys(key for each in all_values for key in each)
    parts = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    keys = sorted(keys, key=lambda key: parts.index(key.partition(".")[0]))  # keep the keys of a part together
    rows = {key: [each.get(key, ABSENT) for each in all_values] for key in keys}
    return {key: row for key, row in rows.items() if any(_unlike(row[0], value) for value in row[1:])}


def diff(folders: list[Path], compare: Compare | None = None) -> tuple[str, dict[str, Any]]:
    """Return the differing values and the summaries side by side, as a text and as plain data.

    compare: adds a comparison of results; it gets the folders and their short names.

    Fields of `_where_` have a table of their own: the seconds depend on them, and no result does.
    """
    found = differences([values(folder) for folder in folders])
    summaries = [_summary(folder) for folder in folders]
    called = list(names(folders).values())
    records = [record_of(folder) for folder in folders]
    where = {name for record in records for name in names_in(record)}
    told = [(key, [key, *texts(row)]) for key, row in found.items()]
    rows, apart = ([row for key, row in told if says_where(key, where) is each] for each in (False, True))
    results = dict.fromkeys(key for each in summaries for key in each)
    outcome = [[key, *(text(each.get(key, ABSENT)) for each in summaries)] for key in results]
    parts = [table(["", *called], rows) if rows else "their configurations are the same"]
    parts += [table(["where", *called], apart)] if apart else []
    parts += [table(["", *called], outcome)]
    more, of_more = compare(folders, called) if compare is not None else (None, {})
    parts += [more] if more is not None else []
    data = {
        "folders": list(map(str, folders)),
        "differences": {
            key: {str(folder): value for folder, value in zip(folders, row, strict=True) if value is not ABSENT}
            for key, row in found.items()
        },
        "where": [key for key, *_ in apart],
        "summaries": {str(folder): each for folder, each in zip(folders, summaries, strict=True)},
        **of_more,
    }
    return "\n\n".join(parts), data


def text(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is ABSENT:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return short(value if isinstance(value, str) else json.dumps(value))


def texts(row: list[Any]) -> list[str]:
    """Return values as a table shows them; different values that it would show alike are written in full."""
    brief = [text(value) for value in row]
    whole = ["-" if value is ABSENT else json.dumps(value) for value in row]
    shown_as: dict[str, set[str]] = {}
    for told, full in zip(brief, whole, strict=True):
        shown_as.setdefault(told, set()).add(full)
    return [full if len(shown_as[told]) > 1 else told for told, full in zip(brief, whole, strict=True)]


def _summary(folder: Path) -> dict[str, Any]:
    said = summary(folder)
    state, reason = standing(folder, said)
    why = {"reason": reason} if reason is not None else {}
    return {"state": state, **why, **{key: each for key, each in said.items() if key not in ("state", "command")}}


def _apart(key: str, value: Any) -> bool:
    """Return whether a key is no setting: a private name, or an empty dict."""
    return value == {} or any(name.startswith("_") for name in key.split("."))


def _unlike(a: Any, b: Any) -> bool:
    """Return whether two values differ; True differs from 1, and 1 from 1.0."""
    return a is not b and (type(a) is not type(b) or json.dumps(a) != json.dumps(b))
