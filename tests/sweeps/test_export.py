"""A sweep is exported as a study of Optuna, which holds what the sweep's own files say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sweeps.project import Project
from tests.sweeps.test_prune import pruning as pruning
from tests.sweeps.test_search import finished, hunt, points

optuna = pytest.importorskip("optuna", reason="optuna is not installed: .[search]")
PARTS = 'space({"value": log_uniform(1e-3, 1)}) + space({"value": [0.25], "steps": [6, 7]})'


def loaded(project: Project, file: str) -> Any:
    """The study of a file."""
    path = project.folder / file
    storage: Any = f"sqlite:///{path}"
    if path.suffix == ".log":
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    (name,) = optuna.get_all_study_names(storage)
    assert name == "hunt"
    return optuna.load_study(study_name=name, storage=storage)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", ["hunt.db", "outputs/deep/hunt.log"])
def test_a_study_has_the_points_states_curves_and_distributions_of_a_search(pruning: Project, file: str) -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    first = [{"value": 0.25, "steps": 7}, {"value": 0.5}]
    name = hunt(pruning, f"Tpe(trials=12, startup=20, first={first})", axes=PARTS, base="steps=6", parallel=1)
    pruning.sweeps("submit", name, "prune=median")
    counts = finished(pruning, name)
    assert counts.keys() == {"done", "pruned"}
    said = pruning.sweeps("export", name, "--optuna", file)
    address = f"sqlite:///{file}" if file.endswith(".db") else file
    assert said == (
        f"{file} holds the study hunt: {counts['done']} complete, {counts['pruned']} pruned\n"
        f"  see: optuna-dashboard {address}\n"
    )
    study = loaded(pruning, file)
    assert study.directions == [optuna.study.StudyDirection.MAXIMIZE]
    assert study.metric_names == ["validation/accuracy"]
    trials = {trial["id"]: trial for trial in pruning.trials(name)}
    assert len(study.trials) == 12
    for found, point in zip(study.trials, points(pruning), strict=True):
        (one,) = point["trials"]
        trial = trials[one["id"]]
        which = "steps" in point["values"]
        assert found.user_attrs["trials"] == [one["id"]]
        assert found.user_attrs["folders"] == [trial["folder"]]
        steps = pruning.steps(trial)
        total = 6 if not which else point["values"]["steps"]
        assert found.intermediate_values == {step: step / total for step in steps}
        if trial["state"] == "done":
            assert (found.state.name, found.value) == ("COMPLETE", point["values"]["value"])
        else:
            assert (found.state.name, found.value) == ("PRUNED", max(steps) * point["values"]["value"])
            assert found.user_attrs["reason"] == f"pruned at step {max(steps)}"
        if which:
            assert found.params == {"space": 1, "value (1)": "0.25", "steps": json.dumps(point["values"]["steps"])}
            assert found.distributions["steps"] == CategoricalDistribution(["6", "7"])
        else:
            assert found.params == {"space": 0, "value (0)": point["values"]["value"]}
            assert found.distributions["value (0)"] == FloatDistribution(1e-3, 1.0, log=True)
        assert found.datetime_start <= found.datetime_complete
    study.sampler = optuna.samplers.TPESampler(seed=0)
    study.ask()  # it can be gone on with


@pytest.mark.filterwarnings("ignore")
def test_seeds_are_one_trial_and_failed_and_invalid_points_are_failed(project: Project) -> None:
    check = "\n    def check(self):\n        if self.at == 1:\n            raise ValueError('no such step')\n"
    project.write("runs/told.py", (project.folder / "runs/told.py").read_text() + check)
    axes = 'space({"value": [0.25, 0.5], "at": [0, 1, 9]}) * seeds(2)'
    first = [{"value": 0.25, "at": 9}, {"value": 0.5, "at": 0}]
    name = hunt(project, f"Random(trials=5, first={first})", axes=axes, base="act='raise'", parallel=1)
    project.sweeps("submit", name, "give_up=null")
    finished(project, name)
    project.sweeps("export", name, "--optuna", "hunt.db")
    study = loaded(project, "hunt.db")
    assert len(study.trials) == 5
    assert [(each.state.name, each.value) for each in study.trials[:2]] == [("COMPLETE", 0.25), ("FAIL", None)]
    assert study.trials[0].intermediate_values == {1: 1.0}
    assert len(study.trials[0].user_attrs["trials"]) == 2
    assert study.trials[1].user_attrs["reason"] == "ZeroDivisionError: no number is divided by 0"
    invalid = [each for each in study.trials if each.user_attrs["trials"] == []]
    assert invalid
    assert all((each.user_attrs["reason"], each.state.name) == ("no such step", "FAIL") for each in invalid)
    (project.folder / "sweeps/hunt.py").unlink()
    project.sweeps("export", "outputs/sweeps/hunt", "--optuna", "again.db")
    assert [each.params for each in loaded(project, "again.db").trials] == [each.params for each in study.trials]


@pytest.mark.filterwarnings("ignore")
def test_a_sweep_over_a_grid_has_a_trial_for_each_run(project: Project) -> None:
    name = project.sweep("hunt", 'grid({"value": [0.25, 0.5], "act": ["", "hold"]}) * seeds(2)')
    project.sweeps("submit", name)
    project.over(name)
    project.sweeps("export", name, "--optuna", "hunt.db")
    study = loaded(project, "hunt.db")
    assert len(study.trials) == 8
    assert sorted(each.value for each in study.trials) == [0.25] * 4 + [0.5] * 4
    assert {each.params["value"] == each.value for each in study.trials} == {True}
    assert {each.params["act"] for each in study.trials} == {"''", "hold"}


@pytest.mark.filterwarnings("ignore")
def test_a_study_of_two_goals_has_both_values(project: Project) -> None:
    name = hunt(project, "Random(trials=3)")
    text = (project.folder / "sweeps/hunt.py").read_text().replace("Axes, ", "Axes, Goal, maximize, minimize, ", 1)
    project.write("sweeps/hunt.py", text + '    goal: Goal = maximize("validation/accuracy") & minimize("steps")\n')
    project.sweeps("submit", name)
    finished(project, name)
    project.sweeps("export", name, "--optuna", "hunt.db")
    study = loaded(project, "hunt.db")
    assert [each.name for each in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    expected = [[point["values"]["value"], point["values"]["steps"]] for point in points(project)]
    assert [each.values for each in study.trials] == expected


REFUSED = {
    "export hunt": "export needs the file to write\n  write: python -m sweeps export NAME --optuna NAME.db\n",
    "status hunt --optuna a.db": (
        "--optuna names the file of an export\n  write: python -m sweeps export NAME --optuna NAME.db\n"
    ),
    "export hunt --optuna study": (
        "--optuna study: a study is a database, NAME.db, or a journal, NAME.log\n"
        "  write: python -m sweeps export hunt --optuna study.db\n"
    ),
    "export hunt --optuna train.log": (
        "train.log is there already, and is not overwritten\n  name another file, or remove it\n"
    ),
    "export hunt --optuna hunt.db": "nothing of hunt was submitted\n  write: python -m sweeps submit hunt\n",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_cannot_be_exported_is_refused(project: Project, typed: str) -> None:
    hunt(project)
    project.write("train.log", "mine")
    assert project.sweeps(*typed.split(), status=2) == REFUSED[typed]
    assert (project.folder / "train.log").read_text() == "mine"
    assert not (project.folder / "hunt.db").exists()
