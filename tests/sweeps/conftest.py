"""A real SLURM for the tests of sweeps: started when one first asks for it, and as good as new for each.

Fixtures:

    project           a small repository to type commands in (tests/sweeps/project.py), whose runs need no torch
    real              the same with the repository's own train.py, whose runs train
    sizes             `project`, whose runs record a second value, `parameters`
    held              the file that has trials of `project` hold while it is there
    slurm             a SLURM of two nodes with four GPUs each, without accounting
    slurm_accounting  the same with accounting, so that `sacct` answers
    each_slurm        (parameter) the one, then the other
    place             (parameter) the words that send trials to this machine, then those for a SLURM
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.copied_code import ROOT
from tests.sweeps.project import Project, words


@pytest.fixture
def slurm(_slurm: Cluster) -> Iterator[Cluster]:
    """Two nodes with four GPUs each, without accounting: `sacct` fails, as with SLURM's defaults."""
    yield from _in_use(_slurm)


@pytest.fixture
def slurm_accounting(_slurm_accounting: Cluster) -> Iterator[Cluster]:
    """The same cluster with an accounting database, so that `sacct` works."""
    yield from _in_use(_slurm_accounting)


@pytest.fixture(params=["slurm", "slurm_accounting"])
def each_slurm(request: pytest.FixtureRequest) -> Cluster:
    """Parametrized: without accounting, then with it."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A small repository as the working directory."""
    project = Project(tmp_path / "project")
    yield project
    project.end()


@pytest.fixture
def real(project: Project) -> Project:
    """The small repository with the real train.py."""
    project.write("train.py", (ROOT / "train.py").read_text())
    project.trains = True
    return project


@pytest.fixture
def sizes(project: Project) -> Project:
    """A project whose runs record a second value."""
    door = (project.folder / "train.py").read_text()
    assert '"steps": run.steps}' in door
    given = '"steps": run.steps, "parameters": round(1000 * run.value)}\n'
    project.write("train.py", door.replace('"steps": run.steps}\n', given))
    return project


@pytest.fixture
def held(project: Project) -> Path:
    """A file whose existence holds back trials that wait for it."""
    project.hold.parent.mkdir()
    project.hold.touch()
    return project.hold


@pytest.fixture(params=["local", "slurm"])
def place(request: pytest.FixtureRequest) -> Sequence[str]:
    """The words for a local launch, eight trials at once, then for a SLURM cluster of eight GPUs."""
    if request.param == "local":
        return words("local", parallel=8)
    request.getfixturevalue(request.param)
    return words("slurm", gpus=1, hours=0.5, partition="low")


@pytest.fixture(scope="session")
def _slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from _started(tmp_path_factory, accounting=False)


@pytest.fixture(scope="session")
def _slurm_accounting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from _started(tmp_path_factory, accounting=True)


def _started(folders: pytest.TempPathFactory, *, accounting: bool) -> Iterator[Cluster]:
    if reason := Cluster.missing(accounting=accounting):
        pytest.skip(reason)
    cluster = Cluster(folders.mktemp("slurm"), accounting=accounting)
    cluster.start()
    yield cluster
    cluster.stop()


def _in_use(cluster: Cluster) -> Iterator[Cluster]:
    with cluster.selected():
        yield cluster
    cluster.clear()
