"""How a trial stands is said by its report, and by its run where that is silent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cn.run_folder.status import RunStatus
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.standing import ended_so
from cn.sweeping.folder.store import Report, Store
from cn.sweeping.folder.trial_status import TrialStatus

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
