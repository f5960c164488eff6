"""A real SLURM for the tests of sweeps: started when one first asks for it, and as good as new for each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sweeps.cluster import Cluster


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


@pytest.fixture(scope="session")
def _slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from _started(tmp_path_factory, accounting=False)


@pytest.fixture(scope="session")
def _slurm_accounting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from _started(tmp_path_factory, accounting=True)


def _started(folders: pytest.TempPathFactory, *, accounting: bool) -> Iterator[Cluster]:
    if "CN_TEST_SLURM" not in os.environ:
        pytest.skip("a real SLURM is started only where CN_TEST_SLURM is set")
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
