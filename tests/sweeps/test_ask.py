"""What a sampler is told at an ask, when another part of the ask has looked at the trials before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cn.nodes.to_json import plain
from cn.run_folder.folder import write_json
from cn.sweeping.folder import look
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.store import Report
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job.ask import Asker
from cn.sweeping.planning.named import find
from cn.sweeping.search.past import Past, PointState

LABEL = "0001-abcd"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[Past]]:
    """What the sampler was told at each ask."""
    found: list[list[Past]] = []
    suggested = Asker._suggested  # pyright: ignore[reportPrivateUsage]

    def noted(self: Asker, past: list[Past], draw: int) -> Any:
        found.append(list(past))
        return suggested(self, past, draw)

    monkeypatch.setattr(Asker, "_suggested", noted)
    return found


def asker(folder: Path, *words: str) -> Asker:
    named = find("fcn_search", [f"folder={folder}", "search=random", "search.trials=50", *words])
    search, goal = plain(named.sweep), plain(named.goal)
    batch = Batch(LABEL, "", "", {}, os.getcwd(), None, None, None, (), goal=goal, search=search)
    return Asker(named.store, batch, 0)


def end(
    asks: Asker, number: int, state: TrialStatus = TrialStatus.DONE, value: float = 0.5, label: str = LABEL
) -> None:
    """Write how the trials of a point ended."""
    (point,) = [each for each in asks.points.every() if each.number == number]
    for trial in point.trials:
        asks.store.at(trial).mkdir(parents=True, exist_ok=True)
        asks.store.set_report(trial, Report(state, label, "", "", "", value=value))
        write_json(asks.store.at(trial) / "summary.json", {"state": "finished", "best/validation/accuracy": value})


@pytest.mark.parametrize("words", [("prune=null",), ("prune=median",), ("prune=halving",)], ids=lambda each: each[0])
def test_a_sampler_is_told_of_the_end_of_a_point_that_it_knew_as_running(
    tmp_path: Path, told: list[list[Past]], words: tuple[str, ...]
) -> None:
    asks = asker(tmp_path / "sweep", *words)
    assert [asks.ask(), asks.ask()] == [0, 1]
    end(asks, 0)
    assert asks.ask() == 2
    assert [each.state for each in told[-1]] == [PointState.DONE, PointState.RUNNING]
    end(asks, 1, value=0.25)
    asks.ask()
    assert [(each.state, each.value) for each in told[-1]][:2] == [(PointState.DONE, 0.5), (PointState.DONE, 0.25)]


@pytest.mark.parametrize("words", [("prune=null",), ("prune=halving",)], ids=lambda each: each[0])
def test_a_sampler_is_told_of_a_failed_trial_that_a_further_submission_brought_to_its_end(
    tmp_path: Path, told: list[list[Past]], words: tuple[str, ...]
) -> None:
    asks = asker(tmp_path / "sweep", *words)
    asks.ask()
    end(asks, 0, TrialStatus.FAILED)
    asks.ask()
    assert [each.state for each in told[-1]] == [PointState.FAILED]
    (point,) = [each for each in asks.points.every() if each.number == 0]
    asks.store.add(Batch("0002-abcd", "", "", {}, "", None, None, None, (point.trials,)))
    end(asks, 0, label="0002-abcd")
    asks.ask()
    assert told[-1][0].state == PointState.DONE


def test_a_sampler_is_told_the_mean_once_the_further_seeds_of_a_race_have_ended(
    tmp_path: Path, told: list[list[Past]]
) -> None:
    words = ("prune=null", "search.race=2", "axes.points=[{seed: 0}, {seed: 1}]")
    asks = asker(tmp_path / "sweep", *words)
    asks.ask()
    end(asks, 0, value=0.5)
    further = asks.ask()
    assert isinstance(further, list)
    asks.ask()
    assert told[-1][0].state == PointState.RUNNING
    (point,) = [each for each in asks.points.every() if each.number == 0]
    second = point.trials[-1]
    asks.store.at(second).mkdir(parents=True, exist_ok=True)
    asks.store.set_report(second, Report(TrialStatus.DONE, LABEL, "", "", "", value=1.0))
    write_json(asks.store.at(second) / "summary.json", {"state": "finished", "best/validation/accuracy": 1.0})
    asks.ask()
    assert (told[-1][0].state, told[-1][0].value) == (PointState.DONE, 0.75)


def test_a_point_of_which_a_seed_failed_has_no_mean(tmp_path: Path, told: list[list[Past]]) -> None:
    asks = asker(tmp_path / "sweep", "prune=null", "axes.points=[{seed: 0}, {seed: 1}]")
    asks.ask()
    end(asks, 0, value=0.9)
    (point,) = [each for each in asks.points.every() if each.number == 0]
    asks.store.set_report(point.trials[0], Report(TrialStatus.FAILED, LABEL, "", "", "", reason="the loss is nan"))
    asks.ask()
    assert (told[-1][0].state, told[-1][0].value) == (PointState.FAILED, None)


def test_what_a_last_worker_asks_while_its_state_is_read_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for a point, trains it and ends, after the files were read and before the queue is asked."""
    asks = asker(tmp_path / "sweep", "prune=null")
    assert [asks.ask(), asks.ask()] == [0, 1]
    end(asks, 0)
    queried = look._ask  # pyright: ignore[reportPrivateUsage]

    def late(*words: Any, **fields: Any) -> None:
        if asks.points.count == 2:
            end(asks, 1)
            assert asks.ask() == 2
            end(asks, 2)
        queried(*words, **fields)

    monkeypatch.setattr(look, "_ask", late)
    found = look.look(asks.store)
    assert ([each.state for each in found.trials.values()], found.spent) == ([TrialStatus.DONE] * 3, 3)
