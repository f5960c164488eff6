"""`report` of a sweep and of runs, typed in a small project: a page with their values, or one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cn import UserError
from cn.cli.runs import runs
from cn.report.of_runs import of_runs

pytest.importorskip("plotly", reason="plotly is not installed: .[report]")


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *, goal: str = "maximize validation/accuracy", **values: Any) -> Path:
    """Write a finished run as any project's runs are recorded, with the class of one of ours."""
    folder.mkdir(parents=True)
    record = {"_class_": "gone.model:Run", "seed": 1, **values}
    (folder / "config.json").write_text(json.dumps(record))
    summary = {
        "state": "finished",
        "goal": goal,
        "seconds": 3.5,
        "best/validation/accuracy": values.get("size", 1) / 10,
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    rows = [{"step": step, "validation/accuracy": step / 100} for step in (10, 20)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_runs_are_compared_by_their_goal(at: Path) -> None:
    found = of_runs([run(at / "a", size=3), run(at / "b", size=5)])
    assert (found.goal, found.direction, found.fields, found.counts) == (
        "validation/accuracy",
        "maximize",
        ["size"],
        {"finished": 2},
    )
    assert [(each["values"], each["goal"], each["steps"], each["curve"]) for each in found.entries] == [
        ([3], 0.3, [10, 20], [0.1, 0.2]),
        ([5], 0.5, [10, 20], [0.1, 0.2]),
    ]


@pytest.mark.parametrize("program", ["train.py", "-m proj.train", "'two words/fit.py'"])
def test_the_command_of_a_run_starts_its_own_program(at: Path, program: str) -> None:
    summary = run(at / "a", size=3) / "summary.json"
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "command": f"python {program} seed=1"}))
    assert of_runs([at / "a"]).entries[0]["command"] == f"python {program} --from {at / 'a'}"


def test_the_page_of_runs_is_written_where_it_is_asked_for(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(at / "outputs/a", size=3)
    run(at / "outputs/b", size=5)
    runs(["report"])
    assert capsys.readouterr().out == "outputs/report.html\n"
    runs(["report", "outputs/a", "outputs/b", "-o", "else/page.html", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["report"], len(told["entries"])) == ("else/page.html", 2)
    assert Path("else/page.html").read_text().startswith("<!doctype html>")


REFUSED = {
    "report": "there is no run below outputs yet",
    "report nowhere": "there is no run below outputs",
    "-o page.html": "-o says where report puts its page\n  write: python -m cn runs report A B -o FILE",
    "report -o .": "-o . names no file\n  write: python -m cn runs report A -o FILE",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_reported_is_refused(at: Path, words: str) -> None:
    with pytest.raises(UserError) as refused:
        runs(words.split())
    assert str(refused.value).startswith(REFUSED[words])


def test_runs_of_several_goals_are_refused(at: Path) -> None:
    folders = [run(at / "a"), run(at / "b", goal="minimize loss")]
    with pytest.raises(UserError) as refused:
        of_runs(folders)
    told = "these runs have several goals: loss and validation/accuracy\n  name runs of one goal"
    assert str(refused.value) == told


def test_a_page_without_its_library_says_what_to_install(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(at / "outputs/a")
    monkeypatch.setattr("cn.lazy.find_spec", lambda name: None)
    with pytest.raises(UserError) as refused:
        runs(["report"])
    assert str(refused.value) == "report: plotly is not installed\n  type: pip install 'cn[report]'"
