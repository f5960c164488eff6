"""The marks by which tests are chosen: a test has those of the fixtures that it asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import BY_FIXTURE, COLLECTED, LONG, OTHERS, ROOT, automatic


def test_the_marks_are_registered(pytestconfig: pytest.Config) -> None:
    registered = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert {*BY_FIXTURE} == {"slow", "slurm", "gpu"}
    assert {*BY_FIXTURE, "long"} <= registered


@pytest.mark.parametrize(
    ("fixtures", "parameters", "marks"),
    [
        (["tmp_path"], {"number": 3, "word": "a"}, []),
        (["slurm", "_slurm", "tmp_path"], {}, ["slurm", "slow"]),
        (["slurm_accounting"], {}, ["slurm"]),
        (["project", "place"], {"place": "slurm"}, ["slurm", "slow"]),
        (["project", "place"], {"place": "local"}, ["slow"]),
        (["each_slurm"], {"each_slurm": "slurm_accounting"}, ["slurm"]),
        (["gpu"], {}, ["gpu"]),
        (["ranks", "go"], {}, ["slow"]),
    ],
)
def test_a_mark_comes_with_a_fixture_or_with_a_parameter_that_names_one(
    fixtures: list[str], parameters: dict[str, Any], marks: list[str]
) -> None:
    item: Any = SimpleNamespace(nodeid="", fixturenames=fixtures, callspec=SimpleNamespace(params=parameters))
    assert automatic(item) == marks


def test_the_list_of_long_tests_is_sorted_and_each_is_there() -> None:
    told = (ROOT / "tests/long_tests.txt").read_text().splitlines()
    assert told == sorted(set(told))
    for each in told:
        path, _, name = each.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / "tests" / path).read_text(), each


def test_each_entry_of_the_list_is_a_test_or_all_its_parameters_but_the_first(pytestconfig: pytest.Config) -> None:
    if any("::" in each for each in pytestconfig.args):
        pytest.skip("some tests alone were asked for")
    assert COLLECTED, "tests/conftest.py notes what is collected"
    files = {each.partition("::")[0] for each in COLLECTED}
    for entry in (each for each in LONG if each.partition("::")[0] in files):
        if entry.endswith(OTHERS):
            first, *others = (each for each in COLLECTED if each.partition("[")[0] + OTHERS == entry)
            assert not COLLECTED[first], first
            assert others, entry
            assert all(COLLECTED[each] for each in others), entry
        else:
            assert COLLECTED[entry]


def test_every_test_that_was_collected_has_its_marks(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        marks = {mark.name for mark in item.iter_markers()}
        assert {*automatic(item)} <= marks, item.nodeid
        assert "slow" in marks or "long" not in marks, item.nodeid


@pytest.mark.parametrize("where", ["local", "slurm"])
def test_a_test_has_the_mark_when_it_runs(request: pytest.FixtureRequest, where: str) -> None:
    assert (request.node.get_closest_marker("slurm") is not None) == (where == "slurm")
