"""The processes of a later trial share the libraries that the first trial imported, and nothing of the program."""

from __future__ import annotations

import json

import pytest

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
