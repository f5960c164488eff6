"""What trials came to, for the tests of results."""

from __future__ import annotations

from typing import Any

from cn.sweeping.folder.store import Trial, of_trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.showing.scores import Outcome
from sweeps import maximize

GOAL = maximize("validation/accuracy")


def outcome(
    words: str,
    value: Any = None,
    state: str = "done",
    code: str | None = "c0de",
    summary: dict[str, Any] | None = None,
) -> Outcome:
    """The trial of these words, with a value of the goal where one is given; its words are its id."""
    given = ({} if value is None else {"validation/accuracy": value}) | (summary or {})
    trial = Trial(words.replace(" ", ","), tuple(words.split()), {}, of_trial(words.replace(" ", ",")))
    return Outcome(trial, TrialStatus(state), "it broke" if state == "failed" else None, given, code)


SIX = [
    outcome("lr=0.1 seed=1", 0.70),
    outcome("lr=0.1 seed=2", 0.80),
    outcome("lr=0.1 seed=3", 0.90),
    outcome("lr=0.2 seed=1", 0.85),
    outcome("lr=0.2 seed=2", 0.50, "failed"),
    outcome("lr=0.2 seed=3", 0.99, "running"),
]
CODES = [
    outcome("a=1 seed=1", 0.6, code="old00000000"),
    outcome("a=1 seed=2", 0.8, code="new00000000"),
    outcome("a=1 seed=3", 0.9, code="new00000000"),
    outcome("a=1 seed=4", state="queued", code=None),
    outcome("a=2 seed=1", state="failed", code="old00000000"),
]
