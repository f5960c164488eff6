"""How a trial stands is said by its report, and by its run where that is silent."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cn.launching.queue import Here
from cn.run_folder.status import RunStatus
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.standing import Standing, ended_so
from cn.sweeping.folder.store import Report, Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import maximize
from cn.sweeping.job.reports import Notes
from cn.sweeping.planning.named import Named
from cn.sweeping.showing.status import _data

ALIVE = ["running", "waiting", "queued"]
AGAIN = ["failed", "damaged", "cancelled", "stopped"]
TRIAL = Trial("abcdef0123", (), {}, "trials/ab/abcdef0123")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.at(TRIAL).mkdir(parents=True)
    return store


def test_each_status_is_alive_or_may_run_again_or_neither() -> None:
    assert [str(each) for each in TrialStatus] == ["new", "done", "pruned", *ALIVE, *AGAIN]
    assert [str(each) for each in TrialStatus if each.is_alive] == ALIVE
    assert [str(each) for each in TrialStatus if each.may_run_again] == AGAIN


def test_what_ended_without_a_result_is_told_in_one_order() -> None:
    assert ended_so({TrialStatus.STOPPED: 1, TrialStatus.DONE: 2}) == "what was stopped"
    assert ended_so([TrialStatus.CANCELLED, TrialStatus.FAILED]) == "what failed or was cancelled"


@pytest.mark.parametrize("word", ["done", "pruned", *ALIVE, *AGAIN])
def test_a_report_is_written_and_read_with_its_plain_word(store: Store, word: str) -> None:
    report = Report(TrialStatus(word), "0001", "c0de", "1_0", "n1")
    store.set_report(TRIAL, report)
    assert json.loads((store.at(TRIAL) / "trial.json").read_text())["state"] == word
    read = store.report(TRIAL)
    assert read == report
    assert read is not None
    assert read.state is TrialStatus(word)


def test_a_machine_whose_clock_is_ahead_shows_no_negative_time(store: Store) -> None:
    standing = Standing(TRIAL, TrialStatus.RUNNING, "0001", 0, "c0de")
    standing.report = Report(TrialStatus.RUNNING, "0001", "c0de", "1_0", "n1", started=time.time() + 60, seconds=5.0)
    assert _data(Named("a", store, maximize("score"), None), standing, tail=True)["seconds"] == 5.0


def test_what_a_killed_process_left_half_written_is_removed_by_the_next(store: Store) -> None:
    folder = store.at(TRIAL)
    for name in (".trial.json.12", ".config.json.12", ".summary.json.12", ".own.12", "config.json"):
        (folder / name).touch()
    batch = Batch("0001", "code", "go:go", {}, "", None, None, None, ())
    assert Notes(store, batch, Here(0, "1_0", "n1")).begins(TRIAL).attempt == 1
    assert sorted(each.name for each in folder.iterdir()) == [".own.12", "config.json"]


@pytest.mark.parametrize("word", [*RunStatus, None])
@pytest.mark.parametrize("reported", [None, *TrialStatus])
def test_a_finished_run_is_done_where_no_report_says_how_it_ended(
    store: Store, word: RunStatus | None, reported: TrialStatus | None
) -> None:
    if word is not None:
        (store.at(TRIAL) / "summary.json").write_text(json.dumps({"state": word}))
    report = None if reported is None else Report(reported, "0001", "c0de", "1_0", "n1")
    expected = word == "finished" and reported in (None, *ALIVE)
    assert store.is_done_unsaid(TRIAL, report) == expected
