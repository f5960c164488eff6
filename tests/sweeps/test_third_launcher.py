"""A launcher is a class: what train.py and sweeps need to know of one, it says itself."""

from __future__ import annotations

import re

import pytest

from tests.sweeps.project import Project
from tests.sweeps.test_launch import group, interrupted, of_group

TOLD = ("train.py", "run=told")
# Neither is a Local or a Slurm. Their queue starts processes that outlive the command, and has no `run` of its own.
POOL = '''
"""python train.py -m seed=1,2 launch=pool"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.launch import Launch

if TYPE_CHECKING:
    from runs.launch._pool import PoolQueue


class Pool(Launch):
    """Processes of this machine that the command does not wait for."""

    lanes: int = 2  # trials at once
    attend: bool = False
    limit: float | None = None  # GPU-hours

    @property
    def is_waited_for(self) -> bool:
        return self.attend

    @property
    def most_gpu_hours(self) -> float | None:
        return self.limit

    def build(self) -> PoolQueue:
        from runs.launch._pool import PoolQueue

        return PoolQueue(parallel=self.lanes)


class Bench(Launch):
    """The same, and the command trains one run itself, and waits for several."""

    lanes: int = 2  # trials at once

    @property
    def is_here(self) -> bool:
        return True

    @property
    def free_to_change(self) -> tuple[str, ...]:
        return ("lanes",)

    def build(self) -> PoolQueue:
        from runs.launch._pool import PoolQueue

        return PoolQueue(parallel=self.lanes)
'''
QUEUE = """
from cn.launching.local_queue import LocalQueue
from cn.launching.queue import Queue


class PoolQueue(LocalQueue):
    run = Queue.run
"""


@pytest.fixture
def pool(project: Project) -> Project:
    project.write("runs/launch/pool.py", POOL)
    project.write("runs/launch/_pool.py", QUEUE)
    return project


def test_runs_are_queued_and_the_command_returns(pool: Project) -> None:
    said = pool.type(*TOLD, "-m", "value=0.1,0.2", "launch=pool")
    assert of_group(said) == "queued 2 runs as JOB\n  see: python -m sweeps status outputs/GROUP\n"
    assert pool.over(group(pool)) == {"done": 2}


def test_one_run_is_queued_too(pool: Project) -> None:
    said = pool.type(*TOLD, "launch=pool")
    assert of_group(said) == "queued 1 run as JOB\n  see: python -m sweeps status outputs/GROUP\n"
    assert pool.over(group(pool)) == {"done": 1}


def test_the_command_waits_where_the_launcher_says_so(pool: Project) -> None:
    said = pool.type(*TOLD, "-m", "value=0.1,0.2", "launch=pool", "launch.attend=true")
    assert said.endswith("\nno.  value  result\n---  -----  ------\n0    0.1    0.1000\n1    0.2    0.2000\n")


@pytest.mark.parametrize(
    ("fields", "told", "hours"),
    [
        ((), "to submit: 1 array\n", None),
        (("launch.limit=1.5",), "to submit: 1 array, at most 4.5 GPU-hours\n", 4.5),
    ],
)
def test_a_preview_tells_arrays_and_the_hours_that_are_known(
    pool: Project, fields: tuple[str, ...], told: str, hours: float | None
) -> None:
    name = pool.sweep("three", "seeds(3)")
    assert told in pool.sweeps("plan", name, "launch=pool", *fields)
    data = pool.asked("plan", name, "launch=pool", *fields)
    assert (data["arrays"], data["gpu_hours"]) == (1, hours)


def test_a_preview_of_one_that_is_here_tells_no_arrays(pool: Project) -> None:
    name = pool.sweep("three", "seeds(3)")
    assert "\nto submit: 3 trials on this machine\n" in pool.sweeps("plan", name, "launch=pool/bench")
    data = pool.asked("plan", name, "launch=pool/bench")
    assert (data["arrays"], data["gpu_hours"]) == (0, 0.0)


def test_one_run_is_trained_by_the_command_and_goes_on_with_what_may_change(pool: Project) -> None:
    assert pool.type(*TOLD, "launch=pool/bench", "folder=outputs/a") == "begins after step 0 sees None\n"
    said = pool.type("train.py", "--from", "outputs/a", "launch.lanes=3")
    assert said == "begins after step 1 sees None\n"
    said = pool.type("train.py", "--from", "outputs/a", "launch.lanes=3", "folder=outputs/b", "value=0.3")
    assert said == "begins after step 0 sees None\n"


def test_several_runs_are_waited_for(pool: Project) -> None:
    said = pool.type(*TOLD, "-m", "value=0.1,0.2", "launch=pool/bench")
    assert said == "\nno.  value  result\n---  -----  ------\n0    0.1    0.1000\n1    0.2    0.2000\n"


def test_ctrl_c_ends_runs_that_are_waited_for_after_they_have_saved(pool: Project) -> None:
    said, error, status = interrupted(
        pool, *TOLD, "act=hold", "at=1", "steps=2", "-m", "seed=1,2", "launch=pool/bench", count=2
    )
    assert (error, status) == ("", 130)
    assert said.endswith(f"to go on with the rest: python -m sweeps retry {group(pool)}\n")
    assert pool.states(group(pool)) == {"cancelled": 2}
    pool.hold.unlink()
    pool.sweeps("retry", group(pool))
    assert pool.over(group(pool)) == {"done": 2}


@pytest.mark.parametrize(
    ("launches", "told"),
    [
        (
            "pool,local",
            "launch=local and others do not go together in one -m\n  write: two commands\n",
        ),
        (
            "pool/bench,local",
            "runs with different launch=... that are trained here do not go together in one -m\n"
            "  write: a command for each\n",
        ),
        (
            "local,pool/bench",
            "runs with different launch=... that are trained here do not go together in one -m\n"
            "  write: a command for each\n",
        ),
    ],
)
def test_launchers_that_do_not_go_together_are_refused(pool: Project, launches: str, told: str) -> None:
    assert pool.type(*TOLD, "-m", f"launch={launches}", status=2) == told
    assert not (pool.folder / "outputs").exists()


def test_no_code_asks_which_launcher_it_has(pool: Project) -> None:
    for path in [*(pool.folder / "runs").rglob("*.py"), *(pool.folder / "sweeps").rglob("*.py")]:
        found = re.findall(r"isinstance\(.*\b(?:Slurm|Local)\)", path.read_text())
        assert not found or path == pool.folder / "runs/launch/local.py", path
