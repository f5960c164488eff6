"""The folder of a sweep is moved or copied while its jobs wait: they are still its own, and nobody else's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, words

FOLDER = "outputs/sweeps/four"
PLACE = words("slurm", gpus=1)


@pytest.fixture
def name(project: Project) -> str:
    """A sweep of four trials, of which SLURM has the jobs, and none begins for an hour."""
    project.hold.parent.mkdir()
    return project.sweep("four", "seeds(4)", base="act='hold', at=1, steps=2")


def later(project: Project, name: str) -> None:
    project.sweeps("submit", name, *PLACE, "launch.sbatch={begin:now+1hour}")


@pytest.mark.parametrize("damage", ["none", "the batch's first line", "identity.json"])
def test_the_jobs_of_a_moved_folder_are_shown_and_cancelled(
    project: Project, slurm: Cluster, tmp_path: Path, name: str, damage: str
):
    later(project, name)
    away = tmp_path / "else where"
    (project.folder / FOLDER).rename(away)
    for path in away.glob("jobs/*.jsonl" if damage.startswith("the") else "identity.json"):
        first, *rest = path.read_text().splitlines(keepends=True)
        path.write_text("".join([first if damage == "none" else "{}\n", *rest]))
    assert project.states(str(away)) == {"queued": 4}
    if damage == "none":
        assert project.sweeps("status", str(away)).endswith(
            "4 queued\n"
            f"this folder was {project.folder}/{FOLDER} when its jobs were queued, "
            "where they look for it: none can go on here\n"
            f"  to have it there again: mv '{away}' {project.folder}/{FOLDER}\n"
            f"  else: python -m sweeps cancel '{away}', then python -m sweeps retry '{away}'\n"
        )
    assert project.sweeps("retry", str(away)).startswith("nothing to run again (4 queued)\n")
    assert len(slurm.tasks()) == 4
    assert project.sweeps("cancel", str(away)).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())
    if damage == "none":
        project.sweeps("retry", str(away), status=0)
        assert project.states(str(away)) == {"queued": 4}
        assert "when its jobs were queued" not in project.sweeps("status", str(away))
        project.sweeps("cancel", str(away))


def test_a_moved_folder_that_is_moved_back_is_as_it_was(project: Project, slurm: Cluster, tmp_path: Path, name: str):
    later(project, name)
    (project.folder / FOLDER).rename(tmp_path / "away")
    (tmp_path / "away").rename(project.folder / FOLDER)
    assert "when its jobs were queued" not in project.sweeps("status", name)
    slurm.run("scontrol", "update", f"jobid={slurm.tasks()[0].partition('_')[0]}", "starttime=now")
    assert project.over(name) == {"done": 4}


def test_a_copy_shows_what_its_files_say_and_touches_no_job_of_the_original(
    project: Project, slurm: Cluster, tmp_path: Path, name: str
):
    later(project, name)
    copy = tmp_path / "copy"
    shutil.copytree(project.folder / FOLDER, copy)
    home = project.folder / FOLDER
    assert project.sweeps("status", str(copy)).endswith(
        "4 queued\n"
        f"as far as the files tell: this is a copy of {home}, and what is in the queue is that one's\n"
        f"  see: python -m sweeps status {home}\n"
    )
    of = f"{copy} is a copy of {home}, which has jobs in the queue\n"
    assert project.sweeps("cancel", str(copy), status=2) == (
        f"{of}  these are that one's: python -m sweeps cancel {home}\n"
    )
    assert project.sweeps("retry", str(copy), status=2) == (
        f"{of}  these are that one's: python -m sweeps status {home}\n  to retry the copy: when they are over\n"
    )
    assert project.sweeps("submit", name, f"folder={copy}", *PLACE, status=2) == (
        f"{of}  these are that one's: python -m sweeps status {home}\n  to submit the copy: when they are over\n"
    )
    assert len(slurm.tasks()) == 4
    assert project.states(name) == {"queued": 4}
    project.sweeps("cancel", name)
    project.wait_for(lambda: not slurm.tasks())
    assert project.sweeps("cancel", str(copy)) == f"{copy} has nothing in the queue\n"


def test_a_copy_becomes_a_sweep_of_its_own_once_the_original_has_ended(
    project: Project, slurm: Cluster, tmp_path: Path, name: str
):
    later(project, name)
    project.sweeps("cancel", name)
    project.wait_for(lambda: not slurm.tasks())
    copy = tmp_path / "copy"
    shutil.copytree(project.folder / FOLDER, copy)
    project.sweeps("retry", name, *PLACE, "launch.sbatch={begin:now+1hour}")
    project.sweeps("cancel", name)
    project.wait_for(lambda: not slurm.tasks())
    project.sweeps("submit", name, f"folder={copy}", *PLACE)
    project.sweeps("retry", name, f"folder={copy}", *PLACE, "launch.sbatch={begin:now+1hour}")
    assert len(slurm.tasks()) == 4
    assert project.states(name) == {"cancelled": 4}
    assert project.sweeps("cancel", name) == "four has nothing in the queue\n"
    assert len(slurm.tasks()) == 4
    assert project.states(name, f"folder={copy}") == {"queued": 4}
    assert project.sweeps("cancel", name, f"folder={copy}").startswith("cancelled 4 trials; ")


def test_a_folder_that_is_reached_by_a_link_is_neither_moved_nor_copied(
    project: Project, slurm: Cluster, tmp_path: Path, name: str
):
    later(project, name)
    link = tmp_path / "link"
    link.symlink_to(project.folder / "outputs")
    said = project.sweeps("status", f"{link}/sweeps/four")
    assert said.endswith("4 queued\n")
    assert project.sweeps("cancel", f"{link}/sweeps/four").startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())


def test_two_sweeps_of_one_name_in_two_places_know_their_own_jobs(
    project: Project, slurm: Cluster, tmp_path: Path, name: str
):
    later(project, name)
    other = f"folder={tmp_path}/four"
    project.sweeps("submit", name, other, *PLACE, "launch.sbatch={begin:now+1hour}")
    assert len(slurm.tasks()) == 8
    project.sweeps("cancel", name, other)
    project.wait_for(lambda: len(slurm.tasks()) == 4)
    assert project.states(name) == {"queued": 4}
    project.sweeps("cancel", name)


def test_a_sweep_of_an_older_version_is_known_by_its_path(project: Project, slurm: Cluster, name: str):
    """It wrote down no name: the jobs bear the folder's, and the beginning of its path's hash."""
    later(project, name)
    folder = project.folder / FOLDER
    code = (
        "import hashlib; from pathlib import Path; "
        f"print('four-' + hashlib.sha256({str(folder)!r}.encode()).hexdigest()[:6])"
    )
    old = project.type("-c", code).strip()
    slurm.run("scontrol", "update", f"jobid={slurm.tasks()[0].partition('_')[0]}", f"jobname={old}")
    (folder / "identity.json").unlink()
    for path in folder.glob("jobs/*/submission.sh"):
        path.unlink()
    for path in folder.glob("jobs/*.jsonl"):
        first, *rest = path.read_text().splitlines(keepends=True)
        head = {key: value for key, value in json.loads(first).items() if key not in ("name", "home")}
        path.write_text("".join([json.dumps(head) + "\n", *rest]))
    assert project.states(name) == {"queued": 4}
    assert project.sweeps("cancel", name).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())


def test_what_runs_on_this_machine_is_known_where_the_folder_is_moved(project: Project, tmp_path: Path, name: str):
    project.hold.touch()
    project.sweeps("submit", name)
    project.until_saved(FOLDER, [1, 1, 1, 1])
    away = tmp_path / "away"
    (project.folder / FOLDER).rename(away)
    assert project.states(str(away)) == {"running": 4}
    assert project.sweeps("cancel", str(away)).startswith("cancelled 4 trials; ")
    project.hold.unlink()
