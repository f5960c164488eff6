"""Files of a sweep are gone while its jobs wait or run: what is left of them tells enough to show and to end them."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, words

FOLDER = "outputs/sweeps/four"
PLACE = words("slurm", gpus=1)
LATER = [*PLACE, "launch.sbatch={begin:now+1hour}"]
LOCAL = words("local", parallel=4)


@pytest.fixture
def four(project: Project) -> str:
    """A sweep of four trials, which hold after their first step."""
    project.hold.parent.mkdir()
    project.hold.touch()
    return project.sweep("four", "seeds(4)", base="act='hold', at=1, steps=2")


def behead(folder: Path, *, newest: bool = False) -> None:
    """Damage the first line of its batches, or only of the last."""
    for path in sorted(folder.glob("jobs/*.jsonl"))[-1 if newest else 0 :]:
        _, *rest = path.read_text().splitlines(keepends=True)
        path.write_text("".join(["{}\n", *rest]))


def drop(folder: Path, *names: str) -> None:
    for name in names:
        for path in folder.glob(name):
            path.unlink()


@pytest.mark.parametrize("gone", [("jobs/*.jsonl",), ("jobs/*.jsonl", "identity.json")], ids=["batch", "both"])
def test_a_batch_whose_file_is_gone_while_it_runs_is_named_and_not_started_again(
    project: Project, slurm: Cluster, four: str, gone: tuple[str, ...]
):
    project.sweeps("submit", four, *PLACE)
    project.until_saved(FOLDER, [1, 1, 1, 1])
    (batch,) = (project.folder / FOLDER).glob("jobs/*.jsonl")
    drop(project.folder / FOLDER, *gone)
    status = project.sweeps("status", four)
    assert "\n4 running\n" in status
    assert f"{batch.relative_to(project.folder)} is damaged: it is not there\n" in status
    assert project.sweeps("submit", four, *PLACE).startswith("nothing new to queue (4 running)\n")
    assert len(slurm.tasks()) == 4
    assert sorted(path.name for path in (project.folder / FOLDER).glob("trials/*/*") if "." in path.name) == []
    assert project.sweeps("cancel", four).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())
    project.hold.unlink()
    project.sweeps("retry", four, *PLACE)
    assert project.over(four) == {"done": 4}
    assert project.asked("status", four)["damaged"] == []


def test_of_a_sweep_that_is_half_on_slurm_each_queue_is_asked_though_a_batch_is_gone(
    project: Project, slurm: Cluster, four: str
):
    project.sweep("four", "seeds(2)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", four, *PLACE)
    project.until_saved(FOLDER, [1, 1])
    (batch,) = (project.folder / FOLDER).glob("jobs/*.jsonl")
    project.sweep("four", "seeds(4)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", four, *LOCAL)
    project.until_saved(FOLDER, [1, 1, 1, 1])
    batch.unlink()
    assert project.states(four) == {"running": 4}
    assert project.sweeps("submit", four, *LOCAL).startswith("nothing new to queue (4 running)\n")
    assert project.sweeps("cancel", four).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())
    assert project.over(four) == {"cancelled": 4}


def test_the_name_of_jobs_is_in_their_script_too(project: Project, slurm: Cluster, four: str):
    project.sweeps("submit", four, *LATER)
    behead(project.folder / FOLDER)
    (project.folder / FOLDER / "identity.json").unlink()
    assert project.states(four) == {"queued": 4}
    assert project.sweeps("retry", four, *LATER).startswith("nothing to run again (4 queued)\n")
    assert project.sweeps("cancel", four).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())


def test_an_identity_of_another_sweep_is_not_believed(project: Project, slurm: Cluster, tmp_path: Path, four: str):
    project.sweeps("submit", four, *LATER)
    project.sweeps("submit", four, f"folder={tmp_path}/other", *LATER)
    behead(project.folder / FOLDER)
    shutil.copy(tmp_path / "other/identity.json", project.folder / FOLDER)
    assert project.states(four) == {"queued": 4}
    assert project.sweeps("cancel", four).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: len(slurm.tasks()) == 4)
    assert project.states(four, f"folder={tmp_path}/other") == {"queued": 4}
    project.sweeps("cancel", four, f"folder={tmp_path}/other")


def test_a_copy_ends_no_job_of_an_original_that_is_damaged(project: Project, slurm: Cluster, tmp_path: Path, four: str):
    project.sweeps("submit", four, *LATER)
    copy, home = tmp_path / "copy", project.folder / FOLDER
    shutil.copytree(home, copy)
    behead(home)
    of = f"{copy} is a copy of {home}, which has jobs in the queue\n"
    said = project.sweeps("cancel", str(copy), status=2)
    assert said == f"{of}  these are that one's: python -m sweeps cancel {home}\n"
    assert len(slurm.tasks()) == 4
    assert project.sweeps("cancel", four).startswith("cancelled 4 trials; ")


def test_a_copy_that_has_become_a_sweep_keeps_its_jobs_though_its_last_batch_is_damaged(
    project: Project, slurm: Cluster, tmp_path: Path, four: str
):
    project.sweeps("submit", four, *LATER)
    project.sweeps("cancel", four)
    project.wait_for(lambda: not slurm.tasks())
    copy = tmp_path / "copy"
    shutil.copytree(project.folder / FOLDER, copy)
    project.sweeps("retry", four, f"folder={copy}", *LATER)
    behead(copy, newest=True)
    assert project.states(str(copy)) == {"queued": 4}
    assert project.sweeps("cancel", str(copy)).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())


def test_a_copy_of_a_folder_that_was_then_moved_and_tried_again_knows_none_of_its_jobs(
    project: Project, slurm: Cluster, tmp_path: Path, four: str
):
    project.sweeps("submit", four, *LATER)
    project.sweeps("cancel", four)
    project.wait_for(lambda: not slurm.tasks())
    copy, moved = tmp_path / "copy", tmp_path / "moved"
    shutil.copytree(project.folder / FOLDER, copy)
    (project.folder / FOLDER).rename(moved)
    project.sweeps("retry", four, f"folder={moved}", *LATER)
    assert len(slurm.tasks()) == 4
    assert project.states(str(copy)) == {"cancelled": 4}
    assert project.sweeps("cancel", str(copy)) == f"{copy} has nothing in the queue\n"
    assert len(slurm.tasks()) == 4
    assert project.states(four, f"folder={moved}") == {"queued": 4}
    project.sweeps("cancel", four, f"folder={moved}")


def test_a_folder_that_was_moved_while_jobs_wait_has_those_and_the_new_ones(
    project: Project, slurm: Cluster, tmp_path: Path, four: str
):
    project.sweep("four", "seeds(2)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", four, *LATER)
    moved = tmp_path / "moved"
    (project.folder / FOLDER).rename(moved)
    project.sweep("four", "seeds(4)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", four, f"folder={moved}", *LATER)
    assert len(slurm.tasks()) == 4
    assert project.states(four, f"folder={moved}") == {"queued": 4}
    assert project.sweeps("cancel", four, f"folder={moved}").startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())


# this machine


def alive(project: Project) -> list[int]:
    """The processes that are in the project's folder."""
    found: list[int] = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink().is_relative_to(project.folder):
                found.append(int(link.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    "damage", ["cut", "no lock", "no folder", "huge", "0", "another's", "no batch", "no batch, no identity"]
)
def test_what_runs_here_is_shown_and_ended_whatever_became_of_its_lock(project: Project, four: str, damage: str):
    project.sweeps("submit", four, *LOCAL)
    project.until_saved(FOLDER, [1, 1, 1, 1])
    folder = project.folder / FOLDER
    (lock,) = folder.glob("jobs/*/lock")
    first = lock.read_text().splitlines()[0]
    texts = {"cut": "", "huge": "9" * 30 + "\n", "0": "0\n", "another's": f"{os.getpid()}\n"}
    if damage in texts:
        with lock.open("r+") as file:
            file.write(f"{first}\n{texts[damage]}")
            file.truncate()
    elif damage == "no lock":
        lock.unlink()
    elif damage == "no folder":
        shutil.rmtree(lock.parent)
    else:
        drop(folder, "jobs/*.jsonl", *(["identity.json"] if "identity" in damage else []))
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("another process was asked to end"))
    try:
        assert project.states(four) == {"running": 4}
        assert project.sweeps("retry", four, *LOCAL).startswith("nothing to run again (4 running)\n")
        assert project.sweeps("cancel", four).startswith("cancelled 4 trials; ")
    finally:
        signal.signal(signal.SIGTERM, before)
    project.wait_for(lambda: not alive(project))


@pytest.mark.parametrize("name", ["jobs", "code", "trials"])
def test_a_file_where_a_folder_of_the_sweep_was_is_set_aside(project: Project, four: str, name: str):
    project.hold.unlink()
    project.sweeps("submit", four, *LOCAL)
    assert project.over(four) == {"done": 4}
    folder = project.folder / FOLDER
    shutil.rmtree(folder / name)
    (folder / name).write_text("x")
    project.sweeps("retry", four, *LOCAL)
    project.sweeps("submit", four, *LOCAL)
    assert project.over(four) == {"done": 4}
    assert (folder / f"{name}.damaged").read_text() == "x"


@pytest.mark.parametrize("seconds", ["1" + "0" * 400, "NaN", "-5", '"soon"', "Infinity"])
def test_a_time_that_was_never_measured_is_not_written_down(project: Project, four: str, seconds: str):
    project.hold.unlink()
    project.sweeps("submit", four, *LOCAL)
    assert project.over(four) == {"done": 4}
    trial = project.folder / project.trials(four)[0]["folder"]
    (trial / "trial.json").unlink()
    (trial / "summary.json").write_text(f'{{"state": "finished", "seconds": {seconds}}}')
    project.sweeps("retry", four, *LOCAL)
    assert project.states(four) == {"done": 4}
    assert project.asked("status", four)["damaged"] == []
