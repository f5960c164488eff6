"""Examples that a run skipped because they are unreadable, with data.on_damaged=skip."""

from __future__ import annotations

from typing import Any

from cn.errors import short
from data import Split
from runs._training.state import Training

SHOWN, KEPT = 3, 20  # maximum: on the screen, and in summary.json


def tell_left_out(training: Training) -> dict[str, str]:
    """Print the skipped examples; return, on rank 0, their names and the errors of all ranks."""
    data = training.dataset
    parts = [each for each in (data.train, data.validation, data.test) if isinstance(each, Split)]
    own = {name: why for part in parts for name, why in part.damaged.items()}
    found = dict(sorted({name: why for each in training.ranks.gather(own) for name, why in each.items()}.items()))
    if found:
        training.say(_line(found, data.noun))
    return found


def _line(found: dict[str, str], noun: str) -> str:
    """Return the line for the screen."""
    count = len(found)
    shown = [f"{name} ({short(why)})" for name, why in list(found.items())[:SHOWN]]
    more = f", and {count - SHOWN} more" if count > SHOWN else ""
    what = noun if count > 1 else noun.removesuffix("s")
    return f"left out {count} {what} that cannot be read: {', '.join(shown)}{more}"


def record(found: dict[str, str]) -> dict[str, Any]:
    """Return the entry in summary.json."""
    return {"count": len(found), "examples": dict(list(found.items())[:KEPT])}
