"""metrics.jsonl: each line is a JSON object of metrics by name, with `step` and `epoch`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cn.errors import RunError, short
from cn.run_folder.state_files import content

Record = dict[str, float]  # metrics by name, including `step` and `epoch`


def read(path: Path) -> list[Record]:
    """Return the records of a metrics.jsonl, without an incomplete last line."""
    return records((content(path) or b"").split(b"\n")[:-1], path)


def records(found: list[bytes], path: Path) -> list[dict[str, Any]]:
    """Parse lines of a metrics.jsonl; RunError for an invalid line."""
    result: list[dict[str, Any]] = []
    for line in found:
        try:
            record = json.loads(line)
            record["step"]
            if not all(isinstance(value, (int, float)) for value in record.values()):
                raise TypeError
        except (ValueError, TypeError, KeyError, RecursionError):
            what = f"{path} holds a line that is no record: {short(line.decode(errors='replace'))}"
            raise RunError(what, "delete that line to have the others") from None
        result.append(record)
    return result
