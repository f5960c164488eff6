"""What a sweep cannot do is refused before anything is planned, with what to write instead."""

from __future__ import annotations

import pytest

from tests.sweeps.project import Project

NULL = {
    "base": ("base: Run = Told()", "base: Run | None = None", "base: Run = Default()"),
    "axes": ("axes: Axes = seeds(2)", "axes: Axes | None = None", 'axes: Axes = grid({"seed": [1, 2]})'),
    "launch": (
        "launch: Launch = Local(parallel=4)",
        "launch: Launch | None = None",
        "launch: Launch = Local()",
    ),
}


@pytest.mark.parametrize("name", NULL)
def test_a_part_that_every_sweep_needs_cannot_be_null(project: Project, name: str):
    project.sweep("two", "seeds(2)")
    written, null, right = NULL[name]
    text = (project.folder / "sweeps/two.py").read_text()
    assert written in text
    project.write("sweeps/two.py", text.replace(written, null))
    assert project.sweeps("plan", "two", status=2) == (
        f"{name} is null, and every sweep needs it\n  write: {right}\n  Two is defined in sweeps/two.py:9\n"
    )


LAUNCH = "has no effect: the launch of the sweep says where its trials run"
AXES = {
    "launch": (
        'grid({"launch.processes": [1, 2]})',
        f"the axis launch.processes {LAUNCH}\n"
        "  write: launch: Launch = Local()\n"
        "  for a launch of single trials: def resources(self, trial: Any) -> Launch\n",
    ),
    "folder": (
        'grid({"folder": ["a", "b"]})',
        "the axis folder makes no other run: each trial has its own folder in that of the sweep\n  leave it out\n",
    ),
    "mode": (
        'grid({"mode": ["train", "eval"]})',
        "the axis mode makes no trial: each is trained\n"
        "  leave it out\n"
        "  to test one that is done: python train.py --from FOLDER mode=eval\n",
    ),
}


@pytest.mark.parametrize("name", AXES)
def test_an_axis_that_makes_no_other_trial_is_refused(project: Project, name: str):
    axes, told = AXES[name]
    project.sweep("two", axes)
    assert project.sweeps("plan", "two", status=2) == f"{told}  Two is defined in sweeps/two.py:9\n"


@pytest.mark.parametrize("key", ["launch.processes", "folder"])
def test_a_derived_value_that_makes_no_other_trial_is_refused(project: Project, key: str):
    project.sweep("two", "seeds(2)")
    path = project.folder / "sweeps/two.py"
    path.write_text(f"{path.read_text()}\n    def derive(self, trial):\n        return {{{key!r}: 2}}\n")
    told = AXES[key.partition(".")[0]][1].removeprefix(f"the axis {key} ")
    assert project.sweeps("plan", "two", status=2) == f"{key} of Two.derive() {told}"


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("base.launch.processes=2", "launch.processes=2"),
        ("base/launch=slurm", "launch=slurm"),
    ],
)
def test_a_launch_of_the_base_is_refused_with_that_of_the_sweep(project: Project, word: str, instead: str):
    project.sweep("two", "seeds(2)")
    assert project.sweeps("plan", "two", word, status=2) == f"{word} {LAUNCH}\n  write: {instead}\n"


def test_a_base_that_is_evaluated_is_refused(project: Project):
    project.sweep("two", "seeds(2)")
    assert project.sweeps("plan", "two", "base.mode=eval", status=2) == (
        "base.mode=eval makes no trial: each is trained\n"
        "  leave it out\n"
        "  to test one that is done: python train.py --from FOLDER mode=eval\n"
        "  Two is defined in sweeps/two.py:9\n"
    )
