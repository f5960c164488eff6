"""The order of tests, and which worker runs which file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import scheduling

WAITING = ["tests/sweeps/test_nodes.py", "tests/sweeps/test_disasters.py"]
COMPUTING = [
    "tests/test_readme.py::test_the_commands_of_a_page_print_what_it_shows[docs/data.md]",
    "tests/test_types.py",
]


def test_half_of_the_workers_begin_with_the_files_that_wait_for_a_cluster() -> None:
    units = [*COMPUTING, *WAITING]
    assert [scheduling.choose(units, worker, 4) for worker in range(4)] == [WAITING[0]] * 2 + [COMPUTING[0]] * 2
    assert [scheduling.choose(units, worker, 3) for worker in range(3)] == [WAITING[0]] + [COMPUTING[0]] * 2


def test_a_worker_whose_files_have_run_out_helps_the_others() -> None:
    assert scheduling.choose(COMPUTING, 0, 2) == COMPUTING[0]
    assert scheduling.choose(WAITING, 1, 2) == WAITING[0]


def test_a_file_stays_together_and_each_page_is_handed_out_alone() -> None:
    assert scheduling.unit("tests/sweeps/test_nodes.py::test_a[b::c]") == "tests/sweeps/test_nodes.py"
    assert scheduling.unit(COMPUTING[0]) == COMPUTING[0]
    assert scheduling.unit("tests/test_readme.py::test_every_page") == "tests/test_readme.py"


def test_the_longest_files_come_first(request: pytest.FixtureRequest) -> None:
    """Whichever tests were chosen: pages, then files by how many slow tests of theirs there are."""
    items = list(request.session.items)
    scheduling.sort(items)
    assert items == request.session.items


def test_the_files_whose_tests_use_a_cluster_are_known_by_their_text(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        if item.get_closest_marker("slurm") is not None and item.path.parent.name == "sweeps":
            assert scheduling.waits(scheduling.unit(item.nodeid)), item.nodeid


def test_a_page_is_known_by_its_test() -> None:
    text = (Path(__file__).parent / "test_readme.py").read_text()
    (name,) = re.findall(r"def (test_the_commands_of_a_page\w*)", text)
    assert scheduling.PAGE.match(f"tests/test_readme.py::{name}")
