"""A project of its own, with `cn` installed from its wheel: it sweeps here, and on a SLURM."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cn.conftest import start
from tests.cn.test_wheel import installed, wheel
from tests.sweeps.cluster import Cluster

__all__ = ["installed", "wheel"]

Say = Callable[..., str]


@pytest.fixture
def say(installed: Path, tmp_path: Path) -> Say:
    """What `python WORDS` prints in a new project, from `python -m cn new`."""

    def said(*words: str, status: int = 0, at: Path = tmp_path / "demo") -> str:
        done = start(at, *words, path=installed, **{k: v for k, v in os.environ.items() if k in ("PATH", "SLURM_CONF")})
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    said("-m", "cn", "new", "demo", at=tmp_path)
    return said


def over(say: Say, *named: str) -> list[dict[str, Any]]:
    """The trials of a sweep once none of them can change."""
    while True:
        told = json.loads(say("-m", "cn", "sweeps", "status", *named, "--json"))
        if not {"queued", "running", "waiting"} & told["counts"].keys():
            return told["trials"]
        time.sleep(0.5)


@pytest.mark.slow
def test_a_new_project_sweeps_as_it_stands(say: Say, tmp_path: Path) -> None:
    assert say("-m", "cn", "sweeps").splitlines()[-1].startswith("rates  Which step size")
    assert say("-m", "cn", "sweeps", "plan", "rates").endswith("\n6 new\nto submit: 6 trials on this machine\n")
    assert say("-m", "cn", "sweeps", "submit", "rates").startswith("queued 6 trials: ")
    trials = over(say, "rates")
    assert [(each["state"], each["attempt"]) for each in trials] == [("done", 1)] * 6
    for each in trials:
        folder = tmp_path / "demo" / each["folder"]
        assert {path.name for path in folder.iterdir()} == {
            "command.txt", "config.json", "log.txt", "output.txt", "summary.json", "trial.json", ".lock",
        }  # fmt: skip
        assert json.loads((folder / "summary.json").read_text())["state"] == "finished"
    assert say("-m", "cn", "sweeps", "submit", "rates") == (
        "nothing new to queue (6 done)\n  see: python -m cn sweeps status rates\n"
    )
    best = say("-m", "cn", "sweeps", "best", "rates").splitlines()
    assert best[0] == "python train.py run=default model.steps=10 model.rate=1.0"
    value = float(best[3].rpartition(" ")[2])
    assert value == pytest.approx(min(each["rmse"] for each in trials), abs=1e-4)
    again = say(*best[0].split()[1:])
    assert f"test error {value:.4f}" in again  # the command repeats the best trial
    assert len(json.loads(say("-m", "cn", "runs", "--json"))) == 7


SEARCH = '''
from cn.sweeping import Axes, Goal, Median, Prune, Random, Search, Sweep, minimize, space, uniform
from runs import Run
from runs.default import Default


class Found(Sweep):
    """Which step size?"""

    base: Run = Default()
    axes: Axes = space({"model.rate": uniform(0.1, 1.0)})
    search: Search | None = Random(trials=3)
    prune: Prune | None = Median()
    goal: Goal | None = minimize("rmse")
'''


@pytest.mark.slow
def test_a_new_project_searches(say: Say, tmp_path: Path) -> None:
    """Its sweeps/__init__.py imports nothing, and the job imports the class of the search by its record."""
    (tmp_path / "demo/sweeps/found.py").write_text(SEARCH)
    program = tmp_path / "demo/train.py"
    program.write_text(program.read_text().replace("    return", '    job.report(1, {"rmse": error})\n    return'))
    say("-m", "cn", "sweeps", "submit", "found")
    while "3 of 3 points are asked" not in say("-m", "cn", "sweeps", "status", "found"):
        assert "the search ended" not in say("-m", "cn", "sweeps", "status", "found")
        time.sleep(0.5)
    assert [each["state"] for each in over(say, "found")] == ["done"] * 3


@pytest.mark.slow
def test_several_runs_go_beside_each_other_and_one_that_fails_ends_none(say: Say) -> None:
    told = say("train.py", "-m", "data.count=1,2", "seed=1", status=2)
    assert told.startswith("data.count=1: ")
    table = say("train.py", "-m", "seed=1,2", "launch.parallel=2").split("\n\n")[-1]
    assert [line.split()[:2] for line in table.splitlines()[2:]] == [["0", "1"], ["1", "2"]]


@pytest.mark.slurm
def test_a_new_project_trains_and_sweeps_on_a_cluster(say: Say, slurm: Cluster) -> None:
    words = ("launch=slurm", "launch.gpus=0")
    told = say("train.py", "-m", "seed=1,2", *words)
    assert told.startswith("queued 2 runs as ")
    folder = told.split()[-1]
    assert told.endswith(f"\n  see: python -m cn sweeps status {folder}\n")
    assert [(each["state"], round(each["score"], 4)) for each in over(say, folder)] == [
        ("done", 0.0903),
        ("done", 0.1045),
    ]
    assert say("-m", "cn", "sweeps", "submit", "rates", *words).startswith("queued 6 trials: ")
    assert {each["state"] for each in over(say, "rates", *words)} == {"done"}
    states = [each["state"] for each in json.loads(say("-m", "cn", "runs", "--json"))]
    assert states == ["finished"] * 8


@pytest.mark.slow
def test_a_broken_folder_of_sweeps_is_told_by_file_and_line(tmp_path: Path, installed: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/__init__.py").write_text("import nothing_there\n")
    for words in ((), ("plan", "rates")):
        done = start(tmp_path, "-m", "cn", "sweeps", *words, path=installed)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "sweeps/__init__.py cannot be used\n"
            "  sweeps/__init__.py:1: ModuleNotFoundError: No module named 'nothing_there'\n"
        )


@pytest.mark.slow
def test_a_project_without_the_extra_packages_is_told_what_to_install(say: Say) -> None:
    hide = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name in ('matplotlib', 'rich') else find(name, *rest)\n"
        "from cn.__main__ import main; sys.exit(main(sys.argv[1:]))\n"
    )
    say("-m", "cn", "sweeps", "submit", "rates")
    over(say, "rates")
    assert say("-c", hide, "sweeps", "results", "rates", status=2) == (
        "the picture of results: matplotlib is not installed\n  type: pip install 'cn[sweeps]'\n"
    )
    assert say("-c", hide, "sweeps", "status", "rates", "-w", status=2) == (
        "-w: rich is not installed\n  type: pip install 'cn[sweeps]'\n"
    )
