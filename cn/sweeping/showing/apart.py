"""What sets trials apart that look alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from cn.run_folder.differences import texts
from cn.sweeping.folder.store import Trial


def apart(
    trials: Iterable[Trial], look: Callable[[Trial], Hashable], differing: Callable[[list[Trial]], dict[str, list[Any]]]
) -> dict[str, list[str]]:
    """Return `key=value` for each key that differs in trials that look alike, by the id of the trial.

    look: what is equal for trials that look alike. differing: returns keys, with the value in each trial.
    """
    alike: dict[Hashable, list[Trial]] = {}
    for each in trials:
        alike.setdefault(look(each), []).append(each)
    found: dict[str, list[str]] = {}
    for group in alike.values():
        for key, row in (differing(group) if len(group) > 1 else {}).items():
            for each, told in zip(group, texts(row), strict=True):
                found.setdefault(each.id, []).append(f"{key}={told}")
    return found
