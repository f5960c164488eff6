"""`plan`: what a submission would do, and what has changed since the last one."""

from __future__ import annotations

import cProfile
import pstats
from typing import Any, cast

import pytest

from cn import UserError
from cn.sweeping.planning.plan import plan
from runs.default import Default
from sweeps import Axes, Sweep, grid, integers, log_uniform, random
from tests.sweeps.project import Project, masked

CHOOSY = '''
from typing import Any

from runs import Run
from runs.launch import Launch
from runs.launch.slurm import Slurm
from runs.told import Told
from sweeps import Axes, Sweep, grid


class Choosy(Sweep):
    """Not every point, and not every trial alike."""

    base: Run = Told()
    axes: Axes = grid({"value": [0.1, 0.2, 0.3], "seed": [1, 2, 3]})
    launch: Launch = Slurm(gpus=2, hours=3, pack=2)

    def keep(self, trial: Run) -> bool:
        return trial.seed <= 10 * trial.value

    def derive(self, trial: Run) -> dict[str, Any]:
        return {"steps": trial.seed * 10}

    def resources(self, trial: Run) -> Launch:
        return Slurm(nodes=2, gpus=2, hours=0.5) if trial.seed == 3 else self.launch
'''


def test_a_plan_counts_what_is_new_and_writes_nothing(project: Project):
    name = project.sweep("six", 'grid({"value": [0.1, 0.2, 0.3]}) * seeds(2)')
    assert masked(project.sweeps("plan", name)) == (
        "trial       state  what\n"
        "----------  -----  ----------------\n"
        "ID________  new    value=0.1 seed=0\n"
        "ID________  new    value=0.1 seed=1\n"
        "ID________  new    value=0.2 seed=0\n"
        "ID________  new    value=0.2 seed=1\n"
        "ID________  new    value=0.3 seed=0\n"
        "ID________  new    value=0.3 seed=1\n"
        "\n"
        "6 new\n"
        "to submit: 6 trials on this machine\n"
    )
    assert not (project.folder / "outputs").exists()


def test_a_long_plan_is_cut_and_all_of_it_is_told_on_demand(project: Project):
    name = project.sweep("long", "seeds(22)")
    said = project.sweeps("plan", name)
    assert said.count(" new ") == 20
    assert "\n... and 2 more: --all\n\n22 new\n" in said
    assert project.sweeps("plan", name, "--all").count("new    seed=") == 22


def test_keep_derive_and_resources_are_asked_of_each_trial(project: Project):
    project.write("sweeps/choosy.py", CHOOSY)
    assert masked(project.sweeps("plan", "choosy")) == (
        "trial       state  what\n"
        "----------  -----  -------------------------\n"
        "ID________  new    value=0.1 seed=1 steps=10\n"
        "ID________  new    value=0.2 seed=1 steps=10\n"
        "ID________  new    value=0.2 seed=2 steps=20\n"
        "ID________  new    value=0.3 seed=1 steps=10\n"
        "ID________  new    value=0.3 seed=2 steps=20\n"
        "ID________  new    value=0.3 seed=3 steps=30\n"
        "\n"
        "6 new\n"
        "3 of 9 points are left out: by keep(), or because another is the same run\n"
        "to submit: 2 arrays, at most 20 GPU-hours\n"  # 3 jobs of 2 GPUs for 3 hours, 1 of 2 x 2 for half an hour
    )
    plan = project.asked("plan", "choosy")
    assert {name: value for name, value in plan.items() if name != "trials"} == {
        "counts": {"new": 6},
        "arrays": 2,
        "gpu_hours": 20,
        "changed": {},
        "edited": [],
        "gone": [],
        "damaged": [],
    }
    ids = [trial.pop("id") for trial in plan["trials"]]
    assert len(set(ids)) == 6
    assert plan["trials"][-1] == {"state": "new", "words": ["value=0.3", "seed=3", "steps=30"]}


def test_a_derived_value_may_be_a_number_of_numpy_as_that_of_an_axis(project: Project):
    name = project.sweep("two", 'grid({"value": [0.25, 4.0]})')
    path = project.folder / "sweeps/two.py"
    method = "\n    def derive(self, trial):\n        return {}\n"
    derived = '{"pause": np.sqrt(trial.value), "steps": np.int64(3)}'
    path.write_text(f"import numpy as np\n{path.read_text()}{method.format(derived)}")
    assert [trial["words"][1:] for trial in project.asked("plan", name)["trials"]] == [
        ["pause=0.5", "steps=3"],
        ["pause=2.0", "steps=3"],
    ]
    path.write_text(f"{path.read_text().replace(derived, '{1: 2}')}")
    assert project.sweeps("plan", name, status=2) == "Two.derive() gave {1: 2}, and must give a dict of values by key\n"


def test_a_launch_that_waits_is_refused(project: Project):
    name = project.sweep("two", "seeds(2)")
    said = project.sweeps("plan", name, "launch=slurm", "launch.wait=true", status=2)
    assert said.splitlines()[0].endswith(
        "launch.wait makes train.py wait for its jobs, and a sweep is waited for with `status -w`; "
        "write: launch.wait=false"
    )


def test_a_value_that_every_trial_sets_anew_is_refused(project: Project):
    name = project.sweep("two", 'grid({"value": [0.1, 0.2]}) + points([{"value": 0.3, "seed": 5}])')
    assert project.sweeps("plan", name, "base.value=0.5", status=2) == (
        "base.value=0.5 has no effect: the axis value sets it in every trial\n"
        "  defined in sweeps/two.py:13\n  leave it out, or change the axis\n"
    )
    assert project.asked("plan", name, "base.seed=7")["counts"] == {"new": 3}


def test_the_function_of_the_trials_is_named_with_its_module(project: Project):
    name = project.sweep("two", "seeds(2)")
    path = project.folder / "sweeps/two.py"
    text = path.read_text()
    path.write_text(f'{text}    _function_ = "train"\n')
    assert project.sweeps("plan", name, status=2) == (
        "Two._function_ is 'train', and names no function of a module\n"
        "  defined in sweeps/two.py:9\n"
        '  write, for the function `train` of train.py: _function_ = "train:train"\n'
    )
    path.write_text(text)
    (project.folder / "train.py").rename(project.folder / "fit.py")
    (project.folder / "fit.py").write_text("from cn import main\n\nif __name__ == '__main__':\n    main(fit)\n")
    assert project.sweeps("plan", name, status=2) == (
        "there is no train.py here, whose function each trial calls\n"
        '  write in the class of the sweep: _function_ = "fit:fit"\n'
    )


@pytest.mark.parametrize("method", ["keep", "derive", "resources"])
def test_a_method_of_a_sweep_that_fails_is_named_with_its_line(project: Project, method: str):
    name = project.sweep("wrong", "seeds(2)")
    path = project.folder / "sweeps/wrong.py"
    path.write_text(f"{path.read_text()}\n    def {method}(self, trial):\n        return {{}}[trial.sed]\n")
    line = len(path.read_text().splitlines())
    assert project.sweeps("plan", name, status=2) == (
        f"Wrong.{method}() fails for seed=0: AttributeError: Told has no attribute 'sed'\n  at sweeps/wrong.py:{line}\n"
    )


def test_an_axis_of_patches_takes_the_place_of_those_that_the_class_applies(project: Project):
    (project.folder / "runs/patches").mkdir()
    for name, changes in {"toy": {"steps": 77, "seed": 5}, "big": {"steps": 78}}.items():
        (project.folder / f"runs/patches/{name}.py").write_text(
            f"from cn import Patch\n\n\nclass {name.title()}(Patch):\n    changes = {changes}\n"
        )
    told = project.folder / "runs/told.py"
    told.write_text(told.read_text() + '    _patches_ = ["toy"]\n')

    def planned(*words: str) -> list[str]:
        return [each["id"] for each in project.asked("plan", *words)["trials"]]

    name = project.sweep("patched", 'grid({"patches": ["big", ["toy"], []]})')
    typed = project.sweep("typed", 'points([{"steps": 78}, {"steps": 77, "seed": 5}, {}])')
    assert planned(name) == planned(typed, "base.patches=[]")
    values = project.sweep("values", 'points([{"value": 0.1}])')
    assert planned(values) == planned(values, "base.patches=[]", "base.steps=77", "base.seed=5")
    half = project.sweep("half", 'points([{"patches": "big"}, {"seed": 3}])')
    assert project.sweeps("plan", half, status=2) == (
        "the point {'seed': 3} names no patches, and others do, which take the place of [toy]\n"
        '  defined in runs/told.py:12\n  write in each point: "patches": [...]\n'
    )


def test_points_that_come_to_the_same_run_are_one_trial(project: Project):
    name = project.sweep("same", 'points([{"value": 0.5}, {}, {"seed": 1}, {"seed": 2}])')
    plan = project.asked("plan", name)
    assert [trial["words"] for trial in plan["trials"]] == [["value=0.5"], ["seed=2"]]
    told = "\n2 of 4 points are left out: by keep(), or because another is the same run\n"
    assert told in project.sweeps("plan", name)


def test_an_axis_of_patches_gives_trials_whose_identity_is_the_result(project: Project):
    (project.folder / "runs/patches").mkdir()
    (project.folder / "runs/patches/longer.py").write_text(
        "from cn import Patch\n\n\nclass Longer(Patch):\n    changes = {'steps': 77}\nclass Same(Longer):\n    pass\n"
    )
    name = project.sweep("patched", 'grid({"patches": ["longer", "longer/same", ["longer"], []]})')
    printed = masked(project.sweeps("plan", name))
    assert printed.splitlines()[2:] == [
        "ID________  new    patches=longer",
        "ID________  new    patches=[]",
        "",
        "2 new",
        "2 of 4 points are left out: by keep(), or because another is the same run",
        "to submit: 2 trials on this machine",
    ]
    typed = project.sweep("typed", 'grid({"steps": [77]})')
    ids = [project.sweeps("plan", each).splitlines()[2].split()[0] for each in (name, typed)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("wrong", ["valu=0.1", "steps=0", "optim=adamx", "value=much"])
def test_a_wrong_value_of_an_axis_is_told_as_on_the_command_line(project: Project, wrong: str):
    key, _, value = wrong.partition("=")
    name = project.sweep("wrong", f'grid({{"{key}": [{value if value.isdigit() else repr(value)}]}})')
    # a text that reads as a number is no number in an axis, as in Python
    word = wrong.replace("valu=0.1", "valu='0.1'")
    expected = project.type("train.py", "run=told", word, status=2)
    assert project.sweeps("plan", name, status=2) == expected
    assert project.sweeps("submit", name, status=2) == expected
    assert not (project.folder / "outputs").exists()


def test_a_plan_tells_what_a_changed_default_and_changed_code_mean_for_what_was_submitted(project: Project):
    name = project.sweep("three", "seeds(3)", base="act='hold'")
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", name)
    project.wait("outputs/sweeps/three", lambda reports: len(reports) == 3)
    jobs = project.folder / "outputs/sweeps/three/jobs"
    before = sorted(jobs.iterdir())

    code = (project.folder / "models/linear.py").read_text()
    project.write("models/linear.py", code + "\n# mended\n")
    assert masked(project.sweeps("plan", name)).endswith(
        "\n\n3 running\nchanged since: the code of trials that are not new: models/linear.py\n"
    )
    project.write("models/linear.py", code)

    told = (project.folder / "runs/told.py").read_text()
    project.write("runs/told.py", told.replace("value: float = 0.5", "value: float = 0.7\n    more: int = 3"))
    assert masked(project.sweeps("plan", name)).endswith(
        "\n\n3 new\n"
        "to submit: 3 trials on this machine\n"
        "changed since: 3 trials had value=0.5 (now 0.7), more=3 (new)\n"
    )
    project.write("runs/told.py", told)

    # the file of a sweep is no code that its trials run
    project.sweep("three", "seeds([1, 5, 6])", base="act='hold'")
    assert masked(project.sweeps("plan", name)).endswith(
        "\n\n1 running, 2 new\n"
        "to submit: 2 trials on this machine\n"
        "2 trials of before: no longer planned; what was left stays in outputs/sweeps/three\n"
    )
    assert sorted(jobs.iterdir()) == before


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        (grid({"seed": [1, -1]}), "seed=-1: seed is 0 <= int < 9223372036854775808, not -1"),
        (grid({"optim.eps": [0.0, -1.0]}), "optim.eps=-1.0: optim.eps is 0 <= float < inf, not -1.0"),
        (random(2, {"epochs": integers(-9, -9)}), "epochs=-9: epochs is int >= 1, not -9"),
        (
            random(1, {"task.label_smoothing": log_uniform(2, 3)}),
            "task.label_smoothing=2.261: task.label_smoothing is 0 <= float < 1, not 2.261",
        ),
    ],
    ids=["grid", "a field of a node", "integers", "log_uniform"],
)
def test_a_point_outside_the_range_of_its_field_is_refused(axes: Axes, told: str):
    with pytest.raises(UserError) as error:
        plan(Sweep(base=Default(), axes=axes))
    assert str(error.value).split("\n")[0] == told


def test_the_command_says_which_point_is_outside(project: Project):
    name = project.sweep("outside", 'grid({"seed": [1, -1]})')
    said = project.sweeps("plan", name, status=2)
    assert "seed=-1: seed is 0 <= int < 9223372036854775808, not -1\n" in said
    assert not (project.folder / "outputs").exists()


def test_a_plan_of_more_trials_does_no_more_for_each() -> None:
    def calls(count: int) -> int:
        sweep = Sweep(base=Default(), axes=grid({"optim.lr": [0.1, 0.2], "seed": list(range(count))}))
        profile = cProfile.Profile()
        profile.runcall(plan, sweep)
        return cast("Any", pstats.Stats(profile)).total_calls

    calls(1)
    few, some, many = calls(10), calls(20), calls(60)
    assert few < some
    assert many - some <= 4.1 * (some - few)
