"""The examples that a run could not read and left out, where data.on_damaged=skip says so."""

from __future__ import annotations

from typing import Any

from cn.errors import short
from data import Split
from runs._training import Training

SHOWN, KEPT = 3, 20  # at most: on the screen, and in summary.json


def tell_left_out(training: Training) -> dict[str, str]:
    """Say which they are; returns their names, and why each cannot be read, in the first process of all."""
    data = training.dataset
    parts = [each for each in (data.train, data.validation, data.test) if isinstance(each, Split)]
    own = {name: why for part in parts for name, why in part.damaged.items()}
    found = dict(sorted({name: why for each in training.ranks.gather(own) for name, why in each.items()}.items()))
    if found:
        training.say(_line(found, data.noun))
    return found


def _line(found: dict[str, str], noun: str) -> str:
    """The sentence for the screen."""
    count = len(found)
    shown = [f"{name} ({short(why)})" for name, why in list(found.items())[:SHOWN]]
    more = f", and {count - SHOWN} more" if count > SHOWN else ""
    what = noun if count > 1 else noun.removesuffix("s")
    return f"left out {count} {what} that cannot be read: {', '.join(shown)}{more}"


def record(found: dict[str, str]) -> dict[str, Any]:
    """What summary.json says of them."""
    return {"count": len(found), "examples": dict(list(found.items())[:KEPT])}
