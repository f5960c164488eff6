"""The trees of public repositories beside this one: every override set is equal, or the reason is known here."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cn.importing import project
from cn.importing.convert import Converter
from cn.importing.proof.proof import LEFT, Proof, Result
from tests.cn.importing.trees import Imported, old_runs

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[4] / "shared/yamltrees"
CASES = sorted((HERE / "cases").glob("*.json"))
OLD = {  # trees whose old runs are loaded -> those refused, although no key was added or deleted
    "dp3": 0,
    "hydra-ml-pytorch": 0,
    "hydra-ml-sklearn": 0,
    "lightning-hydra-template": 0,
    "sheeprl": 0,
    "verl": 0,
}
LARGE = ("dp3", "verl")
UNEQUAL = {"mattergen": 4}  # a whole network stays below an embedding that is chosen in place of what held it


def proved(case: Path, folder: Path) -> list[Result]:
    """Import a tree with --exact, and compare with what Hydra made of each override set."""
    known: dict[str, Any] = json.loads(case.read_text())
    root = Path(known["conf"].replace("TREES", str(HERE / "trees")))
    conversion = Converter(root, known["primaries"], exact=True).convert()
    project.write(project.texts(conversion, "new"), folder)
    cases = [(each["primary"], each["overrides"]) for each in known["cases"]]
    return Proof(conversion).compare(folder, cases, known["cases"])


@pytest.mark.skipif(not CASES, reason="there are no trees of public repositories beside this repository")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_set_of_a_public_tree_is_equal(case: Path, tmp_path: Path) -> None:
    results = proved(case, tmp_path / "new")
    told = [f"{each.primary} {' '.join(each.overrides)}: {each.cause}" for each in results if not good(each)]
    assert len(told) == UNEQUAL.get(case.stem, 0), "\n".join(told)
    assert Counter(each.verdict for each in results)["equal"] > 0


@pytest.mark.skipif(not CASES, reason="there are no trees of public repositories beside this repository")
@pytest.mark.parametrize("name", [pytest.param(each, marks=pytest.mark.long if each in LARGE else ()) for each in OLD])
def test_old_runs_of_a_public_tree_are_equal_or_told(name: str, tmp_path: Path) -> None:
    known: dict[str, Any] = json.loads((HERE / f"cases/{name}.json").read_text())
    root = Path(known["conf"].replace("TREES", str(HERE / "trees")))
    conversion = Converter(root, known["primaries"], exact=True).convert()
    project.write(project.texts(conversion, "new"), tmp_path / "new")
    cases = [(each["primary"], each["overrides"]) for each in known["cases"]]
    found = old_runs(Imported(conversion, tmp_path / "new"), cases)
    untold = [f"{' '.join(each.overrides)}: {each.difference}" for each in found if each.difference and not each.told]
    assert untold == []
    added = [each for each in found if any(word[0] in "+~" for word in each.overrides)]
    refused = [each for each in found if not each.loaded and each not in added]
    assert len(refused) == OLD[name], "\n".join(str(each.told) for each in refused)


def good(result: Result) -> bool:
    return result.good or result.verdict in LEFT
