"""A real SLURM for the tests of sweeps: started when one first asks for it, and as good as new for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import ROOT, Project, words


@pytest.fixture
def slurm(_slurm: Cluster) -> Iterator[Cluster]:
    """Two nodes with four GPUs each, without accounting: `sacct` is refused, as SLURM's defaults have it."""
    yield from _in_use(_slurm)


@pytest.fixture
def slurm_accounting(_slurm_accounting: Cluster) -> Iterator[Cluster]:
    """The same with a database of its own, so that `sacct` answers."""
    yield from _in_use(_slurm_accounting)


@pytest.fixture(params=["slurm", "slurm_accounting"])
def each_slurm(request: pytest.FixtureRequest) -> Cluster:
    """The one, then the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A small repository to type commands in."""
    project = Project(tmp_path / "project")
    yield project
    project.end()


@pytest.fixture
def real(project: Project) -> Project:
    """With the repository's own train.py."""
    project.write("train.py", (ROOT / "train.py").read_text())
    return project


@pytest.fixture
def held(project: Project) -> Path:
    """The file that has trials hold which are to hold."""
    project.hold.parent.mkdir()
    project.hold.touch()
    return project.hold


@pytest.fixture(params=["local", "slurm"])
def place(request: pytest.FixtureRequest) -> Sequence[str]:
    """The words that send trials to this machine, eight at once, then those for a SLURM of eight GPUs."""
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
