"""The trials of a job share the libraries that their run names, or that the first of them imported; no more."""

from __future__ import annotations

import json

import pytest

from cn.errors import DefinitionError
from cn.launching.shared import libraries
from tests.sweeps.project import Project, words

pytestmark = pytest.mark.slow

TRAIN = """
import json, os, sys
from cn import Job, main
from runs import Run
from runs._launch import launch

IMPORTED_BY = os.getpid()

def train(run: Run, job: Job) -> float:
    from cn.run_folder.folder import create

    there = "einops" in sys.modules
    import einops, numpy
    rank = os.environ.get("RANK", "0")
    folder = create(run, job) if rank == "0" else run.folder
    told = {"shared": there, "own program": os.getpid() == IMPORTED_BY, "drawn": numpy.random.random()}
    (folder / f"told{rank}").write_text(json.dumps(told))
    return 1.0

if __name__ == "__main__":
    main(train, folder=False, launcher=launch)
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_the_processes_of_later_trials_share_what_the_first_imported(project: Project, processes: int):
    project.write("train.py", TRAIN)
    project.sweep("shared", "grid({'seed': [1, 2, 3]})")
    project.sweeps("submit", "shared", *words("local", parallel=1, processes=processes))
    assert project.over("shared") == {"done": 3}
    folders = [project.folder / each["folder"] for each in project.trials("shared")]
    told = [[json.loads(path.read_text()) for path in sorted(folder.glob("told?"))] for folder in folders]
    assert [[each["shared"] for each in one] for one in told] == [[False] * processes, *[[True] * processes] * 2]
    assert all(each["own program"] for one in told for each in one)
    assert len({each["drawn"] for one in told for each in one}) == 3 * processes


def test_all_trials_share_what_the_class_of_the_run_names(project: Project):
    project.write("train.py", TRAIN)
    told = (project.folder / "runs/told.py").read_text()
    assert "_libraries_ = ()" in told
    project.write("runs/told.py", told.replace("_libraries_ = ()", '_libraries_ = ("einops", "torch.no_such_module")'))
    project.sweep("named", "grid({'seed': [1, 2]})")
    project.sweeps("submit", "named", *words("local", parallel=2))
    assert project.over("named") == {"done": 2}
    project.type("train.py", "run=told", "-m", "seed=1,2", "launch.parallel=2")
    found = [json.loads(path.read_text()) for path in (project.folder / "outputs").rglob("told0")]
    assert [each["shared"] for each in found] == [True] * 4
    assert len({each["drawn"] for each in found}) == 4


def test_libraries_that_are_no_tuple_of_names_are_refused() -> None:
    class Wrong:
        _libraries_ = "torch"

    with pytest.raises(DefinitionError) as refused:
        libraries(Wrong)
    assert str(refused.value) == "Wrong._libraries_ is 'torch': write _libraries_ = (\"torch\",)"


def test_the_processes_of_one_run_may_need_more() -> None:
    class Several:
        _libraries_ = ("json",)
        _libraries_of_several_ = ("csv",)

    assert libraries(Several) == ("json",)
    assert libraries(Several, several=True) == ("json", "csv")


def test_a_library_that_is_not_installed_is_refused(project: Project) -> None:
    told = (project.folder / "runs/told.py").read_text()
    project.write("runs/told.py", told.replace("_libraries_ = ()", '_libraries_ = ("tourch.nn",)'))
    project.sweep("misspelled", "grid({'seed': [1, 2]})")
    refusal = "Told._libraries_ names 'tourch.nn', but it is not installed\n"
    assert project.sweeps("submit", "misspelled", *words("local"), status=2) == refusal
    assert project.type("train.py", "run=told", "-m", "seed=1,2", "launch.parallel=2", status=2) == refusal
