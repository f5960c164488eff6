"""`_patches_` of a class of runs: the patches that apply unless others are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from cn import CN, UserError, compose
from cn.cli.explain import explain_text
from cn.cli.help import help_text
from cn.writing.command_line import command
from cn.writing.record import dump, load
from tests.cn.conftest import python

RUN = 'from runs.default import Default\n\n\nclass Toy(Default):\n    seed: int = 7\n    _patches_ = ["toy", "slow"]\n'
FILES = {
    "runs/patches/toy.py": python("from cn import Patch", "class Toy(Patch):", "    changes = {'steps': 3, 'seed': 8}"),
    "runs/patches/slow.py": python(
        "from cn import Patch", "class Slow(Patch):", "    changes = {'steps': 4, 'optim.lr': 0.5}"
    ),
    "runs/patches/big.py": python("from cn import Patch", "class Big(Patch):", "    changes = {'steps': 900}"),
    "runs/toy.py": RUN,
    "runs/toy_big.py": "from runs.toy import Toy\n\n\nclass ToyBig(Toy):\n    _patches_ = ['big']\n",
    "runs/toy_more.py": "from runs.toy import Toy\n\n\nclass ToyMore(Toy):\n    warmup: int = 9\n",
}


@pytest.fixture
def toy(tree: Path, run: Any) -> Any:
    (tree / "runs/patches").mkdir()
    for path, text in FILES.items():
        (tree / path).write_text(text)
    return run


def test_the_patches_of_a_class_apply_in_order_after_choices_and_before_values(toy: Any) -> None:
    node = toy("run=toy")
    assert (node.steps, node.seed, node.optim.lr) == (4, 8, 0.5)
    assert toy("run=toy", "steps=5", "optim.lr=2").optim.lr == 2
    assert toy().steps != 4


def test_named_patches_take_the_place_of_all_and_a_plus_adds(toy: Any) -> None:
    node = toy("run=toy", "patches=[big]")
    assert (node.steps, node.seed) == (900, 7)
    assert toy("run=toy", "patches=[]").seed == toy("run=toy", "patches=null").seed == 7
    added = toy("run=toy", "+patches=big")
    assert (added.steps, added.seed, added.optim.lr) == (900, 8, 0.5)


def test_a_subclass_inherits_the_list_or_replaces_it(toy: Any) -> None:
    more, big = toy("run=toy_more"), toy("run=toy_big")
    assert (more.steps, more.seed, more.warmup) == (4, 8, 9)
    assert (big.steps, big.seed) == (900, 7)


def test_what_the_class_keeps_comes_before_its_patches(toy: Any, tree: Path) -> None:
    (tree / "runs/kept.py").write_text(
        "from runs.toy import Toy\n\n\nclass Kept(Toy):\n    _keeps_ = {'steps': 1, 'warmup': 2}\n"
    )
    node = toy("run=kept")
    assert (node.steps, node.warmup) == (4, 2)


@pytest.mark.parametrize("given", ["['steps']", "{1: 2}"])
def test_what_is_kept_in_another_form_is_refused(toy: Any, tree: Path, given: str) -> None:
    (tree / "runs/kept.py").write_text(f"from runs.toy import Toy\n\n\nclass Kept(Toy):\n    _keeps_ = {given}\n")
    with pytest.raises(UserError) as caught:
        toy("run=kept")
    assert str(caught.value) == (
        f"Kept._keeps_ is {given}, and not changes by their keys\n"
        "  defined in runs/kept.py:5\n"
        '  write: _keeps_ = {"seed": 1}'
    )


def test_an_instance_has_its_own_values_until_it_is_composed(toy: Any) -> None:
    from runs.toy import Toy

    assert (Toy().seed, compose(Toy()).seed, compose(Toy(), ["patches=[]"]).seed) == (7, 8, 7)
    assert compose(compose(Toy(), ["seed=1"]), ["steps=2"]).seed == 1


def test_a_recorded_run_is_not_patched_again(toy: Any, tmp_path: Path) -> None:
    dump(toy("run=toy", "steps=5", "patches=[slow]"), tmp_path)
    again = compose(load(tmp_path), ["seed=3"])
    assert (again.steps, again.seed) == (5, 3)
    assert compose(load(tmp_path), ["patches=big"]).steps == 900
    from runs import Run

    assert "patches     [] of big slow toy" in help_text(Run, load(tmp_path), [])
    with pytest.raises(UserError, match="there is no value at patches"):
        explain_text(Run, load(tmp_path), [], "patches", tmp_path)


def test_the_identity_is_the_result(toy: Any) -> None:
    node = toy("run=toy", "patches=[]", "seed=8", "steps=4", "optim.lr=0.5")
    assert node == toy("run=toy")


def test_words_and_a_saved_class_give_the_run_again(toy: Any, tree: Path, program: Any) -> None:
    node = toy("run=toy", "steps=6")
    assert command(node)[:2] == ["run=toy", "patches=[]"]
    assert toy(*command(node)) == node
    assert program("run=toy", "patches=[]", "--save-as", "alone").returncode == 0
    assert (tree / "runs/alone.py").read_text().endswith("    _patches_ = []\n")
    assert program("run=toy", "steps=6", "--save-as", "six").returncode == 0
    shown = [program(*words, "--cfg", "job", "--package", "optim").stdout for words in (["run=six"], ["run=toy"])]
    assert shown[0] == shown[1]


def test_explain_and_help_name_the_patches_and_the_class(toy: Any) -> None:
    from runs import Run

    def page(address: str, *words: str) -> list[str]:
        return explain_text(Run, None, ["run=toy", *words], address, None).splitlines()

    assert page("seed", "seed=9") == [
        "seed = 9",
        "  1  Run, runs/__init__.py:28",
        "  7  Toy, runs/toy.py:5",
        "  8  patch toy, runs/patches/toy.py:3, which Toy applies",
        "  9  command line, seed=9",
    ]
    assert page("patches") == ["patches = [toy, slow]  Toy, runs/toy.py:6"]
    assert page("patches", "patches=big", "+patches=slow") == [
        "patches = [big, slow]",
        "  [toy, slow]  Toy, runs/toy.py:6",
        "  [big]        command line, patches=big",
        "  [big, slow]  command line, +patches=slow",
    ]
    assert "  patches     [toy, slow] of big [slow] [toy]\n" in help_text(Run, None, ["run=toy"])


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        (
            '["debu"]',
            "Wrong._patches_: no patch is called 'debu'\n  defined in runs/wrong.py:5\n"
            "  options are the subclasses of Patch (cn/nodes/patch/__init__.py:20)\n  choose from: big, slow, toy",
        ),
        ('["toy", "toy"]', "Wrong._patches_: the patch toy is named twice\n  keep one of them\n  defined in {}"),
        ('"toy"', 'Wrong._patches_ is \'toy\'\n  write: _patches_ = ["NAME", "NAME"]\n  defined in {}'),
        ("[3]", 'Wrong._patches_ is [3]\n  write: _patches_ = ["NAME", "NAME"]\n  defined in {}'),
    ],
)
def test_a_wrong_list_is_told_with_its_line(toy: Any, tree: Path, refused: Any, listed: str, told: str) -> None:
    (tree / "runs/wrong.py").write_text(
        f"from runs.default import Default\n\n\nclass Wrong(Default):\n    _patches_ = {listed}\n"
    )
    assert refused("run=wrong") == told.replace("{}", "runs/wrong.py:5")
    assert refused("run=toy", "+patches=[big,toy]") == (
        "+patches=[big,toy]: the patch toy is applied by the class\n  keep one of them"
    )


def test_a_wrong_change_names_the_class_that_applies_it(toy: Any, tree: Path, refused: Any) -> None:
    (tree / "runs/patches/slow.py").write_text(
        "from cn import Patch\n\n\nclass Slow(Patch):\n    changes = {'step': 4}\n"
    )
    assert refused("run=toy").split("\n")[:2] == [
        "step=4: Toy has no field 'step'",
        "  patch slow, runs/patches/slow.py:5, which Toy applies",
    ]


def test_check_composes_runs_with_their_patches(toy: Any, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cn.cli.composed import composed

    monkeypatch.chdir(tree)
    (tree / "runs/wrong.py").write_text(FILES["runs/toy_big.py"].replace("big'", "bigg'").replace("ToyBig", "Wrong"))
    found = composed()
    assert found["runs"]["toy"]["seed"] == 8
    (why,) = [each["why"] for each in found["failures"] if each["what"] == "run=wrong"]
    assert why[:2] == ["Wrong._patches_: no patch is called 'bigg'", "  defined in runs/wrong.py:5"]


def test_check_applies_a_patch_beside_those_of_the_class(toy: Any, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cn.cli.composed import composed

    monkeypatch.chdir(tree)
    (tree / "runs/sized.py").write_text(
        "from runs.default import Default\n\n\nclass Sized(Default):\n    size: int\n    _patches_ = ['small']\n"
    )
    for name, changes in {"small": {"size": 3}, "wide": {"size": 4, "seed": 3}, "wrong": {"size": 1.5}}.items():
        text = f"from cn import Patch\n\n\nclass {name.title()}(Patch):\n    changes = {changes}\n"
        (tree / f"runs/patches/{name}.py").write_text(text)
    failed = [each["what"] for each in composed()["failures"]]
    assert [each for each in failed if each in ("run=sized", "patch=small", "patch=wide", "patch=wrong")] == [
        "patch=wrong"
    ]


def test_a_run_that_the_root_holds_is_patched_by_its_class(toy: Any) -> None:
    from runs.toy import Toy

    from runs import Run

    class Study(CN):
        _runs_: ClassVar[tuple[str, ...]] = ("base",)
        base: Run = Toy()

    assert compose(Study).base.seed == 8
    assert compose(Study, ["base.steps=6"]).base.steps == 6
    assert compose(Study, ["base.patches=[big]"]).base.seed == 7
    assert compose(Study, ["base=toy_big"]).base.steps == 900
    assert compose(compose(Study, ["base.patches=[]"]), ["base.warmup=1"]).base.seed == 7
    assert compose(compose(Study, ["base.patches=[]"]), ["base=toy_more"]).base.seed == 8
