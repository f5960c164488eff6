"""Parameters of a sweeper become a sweep class, a submitit launcher a Slurm subclass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cn.importing.proof.report import hydra_settings
from tests.cn.conftest import start
from tests.cn.importing.trees import imported

FILES = {
    "config": """
    defaults: [m: a, override hydra/sweeper: optuna, override hydra/launcher: submitit_slurm]
    seed: 1
    hydra:
      launcher: {partition: gpu, gpus_per_node: 4, timeout_min: 90, foo: 3}
    """,
    "m/a": "lr: ${seed}\nn: 1",
    "m/b": "lr: 2.5\nn: 2",
    "hpo/search": """
    # @package hydra.sweeper
    direction: minimize
    n_trials: 7
    params:
      m: choice(a, b)
      m.lr: tag(log, interval(1e-4, 1e-1))
      m.n: int(interval(1, 3))
      seed: range(1, 3)
    """,
}


def test_parameters_are_axes(tmp_path: Path) -> None:
    text = imported(tmp_path, FILES).text("sweeps/search.py")
    assert text[text.index("class ") :] == (
        '''class Search(Sweep):
    """Was conf/hpo/search.yaml:5."""

    base: Run = Config()
    axes: Axes = random(7, {"m": ["a", "b"], "m.lr": log_uniform(0.0001, 0.1), "m.n": integers(1, 3), "seed": [1, 2]})
    goal: Goal | None = minimize("score")
'''
    )


def test_a_submitit_launcher_is_a_slurm_and_what_it_lacks_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    text = found.text("runs/launch/slurm.py")
    assert text[text.index("class ") :] == (
        '''class Config(slurm.Slurm):
    """Was conf/config.yaml:5."""

    partition: str | None = "gpu"
    gpus: Annotated[int, Ge(0)] = 4
    hours: Hours = 1.5
'''
    )
    assert ("conf/config.yaml:5", "foo: 3: Slurm has no such setting") in found.conversion.odd


@pytest.mark.slow
def test_a_sweep_whose_base_has_derived_values_is_planned(tmp_path: Path) -> None:
    done = start(imported(tmp_path, FILES).folder, "-m", "cn", "sweeps", "plan", "search")
    assert "7 new" in done.stdout, done.stderr


def test_comments_of_parameters_and_of_the_file_stay(tmp_path: Path) -> None:
    search = """
    # @package hydra.sweeper

    # Which rate?

    direction: minimize  # of the loss
    n_trials: 7  # in all
    # what is varied
    params:
      # the model
      m: choice(a, b)
      m.lr: interval(1e-4, 1e-1)  # on a line
      m.n: int(interval(1, 3))
    """
    text = imported(tmp_path, {**FILES, "hpo/search": search}).text("sweeps/search.py")
    assert text[text.index("class ") :] == (
        '''class Search(Sweep):
    """Which rate?"""

    base: Run = Config()
    # what is varied
    axes: Axes = random(
        7,  # in all
        {
            # the model
            "m": ["a", "b"],
            "m.lr": uniform(0.0001, 0.1),  # on a line
            "m.n": integers(1, 3),
        },
    )
    goal: Goal | None = minimize("score")  # of the loss
'''
    )


def test_what_only_another_sweeper_reads_is_no_axis(tmp_path: Path) -> None:
    search = """
    # @package hydra.sweeper
    params:
      seed: choice(1, 2)
      m.lr: uniform(0.0, 0.5)
      m.n: {type: range, bounds: [1, 3]}
    """
    found = imported(tmp_path, {**FILES, "hpo/search": search})
    assert 'axes: Axes = grid({"seed": [1, 2]})' in found.text("sweeps/search.py")
    told = [(place, why.partition(" is ")[0]) for place, why in found.conversion.odd if "sweeper reads" in why]
    assert told == [("conf/hpo/search.yaml:5", "m.lr"), ("conf/hpo/search.yaml:6", "m.n")]


def test_patches_that_a_sweeper_varies_are_an_axis(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, size: small]\nlr: 1\nn: 1",
        "size/small": "# @package _global_\nlr: 2",
        "size/big": "# @package _global_\nlr: 3",
        "task/near": "# @package _global_\nn: 2",
        "task/far": "# @package _global_\nn: 3",
        "hpo/search": "# @package hydra.sweeper\nparams: {task: 'near,far', lr: 'choice(1, 4)'}",
    }
    text = imported(tmp_path, files).text("sweeps/search.py")
    assert '{"patches": [["size/small", "task/near"], ["size/small", "task/far"]], "lr": [1, 4]}' in text
    done = start(tmp_path / "new", "-m", "cn", "sweeps", "plan", "search")
    assert "4 new" in done.stdout, done.stderr


@pytest.mark.slow
def test_what_a_plugin_chooses_within_itself_can_be_overridden(tmp_path: Path) -> None:
    config = """
    defaults:
      - m: a
      - override hydra/help: own
      - override hydra/job_logging: disabled
      - override hydra/sweeper: optuna
      - override hydra/sweeper/sampler: tpe
    """
    found = imported(tmp_path, {"config": config, "m/a": "n: 1", "m/b": "n: 2", "hydra/help/own": "app_name: x"})
    assert found.unequal("", "m=b") == []
    assert found.results("")[0].verdict == "equal"


def test_two_files_of_one_name_are_two_sweeps(tmp_path: Path) -> None:
    search = "# @package _global_\nhydra: {sweeper: {params: {a: '1,2'}}}"
    files = {"config": "defaults: [_self_, hp: null]\na: 1", "hp/mnist": search, "more/mnist": search, "hp/b-c": search}
    found = imported(tmp_path, files)
    assert sorted(path.name for path in (found.folder / "sweeps").iterdir()) == [
        *("__init__.py", "b_c.py", "hp_mnist.py", "more_mnist.py")
    ]
    assert "class HpMnist(Sweep):\n" in found.text("sweeps/hp_mnist.py")
    told = dict(hydra_settings(found.conversion))
    assert told["conf/more/mnist.yaml:2"].endswith("; the sweeper's `params` are sweeps/more_mnist.py")


def test_two_launchers_of_one_name_are_two_classes(tmp_path: Path) -> None:
    files = {
        "config": "a: 1",
        "hydra/launcher/a-b": "partition: p",
        "hydra/launcher/a_b": "partition: q",
        "cluster/a_b": "# @package hydra.launcher\npartition: r",
        "cluster/hours": "# @package hydra.launcher\npartition: s\ntimeout_min: 60",
    }
    text = imported(tmp_path, files).text("runs/launch/slurm.py")
    found = re.findall(r'class (\w+)\(slurm.Slurm\):\n.*\n\n    partition: str \| None = "(\w)"', text)
    assert found == [("ClusterAB", "r"), ("Hours2", "s"), ("HydraLauncherAB", "p"), ("HydraLauncherAB2", "q")]


@pytest.mark.slow
def test_parameters_with_signs_globs_and_other_types_can_be_planned_or_are_told(tmp_path: Path) -> None:
    params = "{a: '0,0.1', b: '1,null', ++c: '1,2', +new: '1,2', ~c: null, model: glob(*), n: glob(*), e.f: 'x,y'}"
    files = {
        "config": "defaults: [model: a]\na: 0\nb: 2\nc: 1\nn: 1\ne: {f: x}",
        "model/a": "x: 1",
        "model/b-b": "x: 2",
        "model/in/c": "x: 3",
        "hp/one": f"# @package hydra.sweeper\nparams: {params}",
        "hp/two": "# @package hydra.sweeper\nn_trials: 3\nparams: {a: 'tag(log, int(interval(1, 9)))', c: '3,4'}",
    }
    found = imported(tmp_path, files)
    axes = '{"a": [0, 0.1], "b": [1, None], "c": [1, 2], "model": ["a", "b_b"], "e.f": ["x", "y"]}'
    assert f"axes: Axes = grid({axes})\n" in found.text("sweeps/one.py")
    assert 'axes: Axes = random(3, {"c": [3, 4]})\n' in found.text("sweeps/two.py")
    assert [why for _, why in found.conversion.odd if "is no axis" in why] == [
        "+new is no axis of the sweep, since it adds a key, which a class does not allow",
        "~c is no axis of the sweep, since it deletes a key, which a class does not allow",
        "n is no axis of the sweep, since no option fits glob(*)",
        "a is no axis of the sweep, since no axis draws whole numbers on a logarithmic scale;"
        " nearest: integers or log_uniform",
    ]
    assert found.unequal("", "a=0.5", "b=null") == []
    done = start(found.folder, "-m", "cn", "sweeps", "plan", "one")
    assert "32 new" in done.stdout, done.stderr
