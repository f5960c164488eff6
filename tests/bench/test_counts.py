"""The part of the benchmarks that counts: it comes out the same on every machine, however busy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench import steps, sweeping
from tests.bench.measure import Command
from tests.bench.probes import COMPOSE, WATCH
from tests.bench.rivals import WORDS
from tests.bench.trees import ROOT, grow

pytestmark = pytest.mark.slow

Tell = Callable[..., Any]


@pytest.fixture(scope="module")
def tell(tmp_path_factory: pytest.TempPathFactory) -> Tell:
    """What a probe tells when it is started in a folder, or in a tree of so many models; each tree is grown once."""
    trees: dict[int, Path] = {}
    probes = tmp_path_factory.mktemp("probes")

    def tell(probe: str, where: int | Path, *words: str) -> Any:
        if isinstance(where, int) and where not in trees:
            trees[where] = grow(tmp_path_factory.mktemp("tree") / str(where), where)
        (probes / "probe.py").write_text(probe)
        folder = where if isinstance(where, Path) else trees[where]
        # without bytecode, so that the first start is like any other
        told = Command((str(probes / "probe.py"), *words), folder, {"PYTHONDONTWRITEBYTECODE": "1"}).run()
        return json.loads(told.output.splitlines()[-1])

    return tell


@pytest.mark.parametrize("words", [("--cfg", "job"), WORDS], ids=["default", "chosen"])
def test_what_a_job_imports_opens_and_lists_does_not_grow_with_the_tree(tell: Tell, words: tuple[str, ...]) -> None:
    small, large = (tell(WATCH, count, *words) for count in (20, 2000))
    assert small == large
    options = {"models.m0000", "models.m0005"} if words == WORDS else {"models.m0000"}
    assert {name for name in large["modules"] if name.startswith("models.m0")} == options


@pytest.mark.parametrize(
    "words", [("--help",), ("--cfg", "job"), ("model=vit", "model.dimm=3")], ids=["help", "cfg", "error"]
)
def test_no_answer_imports_torch(tell: Tell, words: tuple[str, ...]) -> None:
    modules = tell(WATCH, ROOT, *words)["modules"]
    assert "runs.default" in modules
    assert "torch" not in modules


def test_help_without_words_compiles_no_patterns_for_them(tell: Tell) -> None:
    assert "cn.composing.plain_words" not in tell(WATCH, ROOT, "--help")["modules"]


def test_compose_does_the_same_among_5000_nodes_as_among_10(tell: Tell) -> None:
    few, many = (tell(COMPOSE, count) for count in (10, 5000))
    assert (few["registered"], many["registered"]) == (10, 5000)
    assert 0 < few["calls"] == many["calls"]


def test_compose_builds_no_entry_of_the_config_store(tell: Tell) -> None:
    assert tell(COMPOSE, 10)["built"] == []


def test_hydra_builds_the_entries_that_were_chosen_and_no_other(tell: Tell) -> None:
    assert tell(COMPOSE, 10, "hydra")["built"] == ["model/head/largest", "model/m0005", "run/default"]


def test_a_training_step_makes_at_most_10_calls_more_than_the_bare_loop(tmp_path: Path) -> None:
    calls = steps.count(tmp_path / "run")
    assert 100 < calls.bare < calls.ours <= calls.bare + 10


@pytest.mark.parametrize("kind", ["regress", "loaded", "causal", "masked"])
def test_a_step_on_rows_loaded_images_or_text_makes_at_most_15_calls_more(tmp_path: Path, kind: str) -> None:
    calls = steps.count(tmp_path / "run", kind)
    assert calls.bare > 50
    assert calls.ours <= calls.bare + 15


def test_status_opens_one_file_of_each_trial_that_is_done_and_is_not_shown(tell: Tell, tmp_path: Path) -> None:
    watch = WATCH.replace('run_path("train.py", ', 'run_module("sweeps", ')
    told: list[Any] = []
    for seeds in (1, 3):
        project = sweeping.many(tmp_path / str(seeds), seeds)
        sweeping.finish(project)
        told.append(tell(watch, project.folder, "status", "many"))
    few, many = (Counter(Path(each.partition(" ")[2]).name for each in one["touched"]) for one in told)
    assert (few["trial.json"], many["trial.json"]) == (100, 298)
    assert many.total() - few.total() == 198
    needless = {"torch", "cn.sweeping.planning.plan", "random", "shutil", "statistics"}
    assert not needless & set(told[1]["modules"])
