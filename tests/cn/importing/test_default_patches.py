"""A patch that a primary config chooses itself: its class names it, and words replace it or leave it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.proof.report import words
from tests.cn.importing.trees import IS_1_3, imported, old_runs

pytestmark = pytest.mark.slow

TRAINING = {
    "training/toy": "# @package _global_\noptim: {lr: 1, warm: 3}\nn: {p: 4}\nonly_toy: [1]",
    "training/big": "# @package _global_\noptim: {lr: 2, decay: '${seed}'}\nn: {p: 5}",
}


def test_a_default_patch_is_replaced_or_left_out_as_with_hydra(tmp_path: Path) -> None:
    files = {"config": "defaults: [_self_, m: a, training: toy]\nseed: 1\nn: {q: 2}", "m/a": "x: 1", "m/b": "y: 2"}
    found = imported(tmp_path, {**files, **TRAINING}, exact=True)
    sets = ["", "training=big", "training=toy", "training=null", "~training", "training=big m=b", "m=b n.p=7"]
    sets += ["optim.lr=3", "only_toy=[2]", "training=big optim.decay=8", "training=big seed=6", "optim.warm=2 seed=4"]
    assert found.unequal(*sets) == []
    assert found.text("runs/config.py").endswith('    _patches_ = ["training/toy"]\n')
    assert "class _Optim" in found.text("runs/config.py"), "what all options of the group set are fields"
    assert "warm" not in found.text("runs/config.py"), "and what only some set is not"
    told = dict(words(found.conversion))
    assert told["`training=NAME`"] == "`patches=[training/NAME]`"
    results = found.results("training=big", "~training", "m=b")
    assert [each.words for each in results] == [
        ["run=config", "patches=[training/big]"],
        ["run=config", "patches=[]"],
        ["run=config", "m=b"],
    ]
    loaded = old_runs(found, [("config", []), ("config", ["training=big", "n.p=9"])])
    assert [(each.difference, each.loaded) for each in loaded] == [("", True), ("", True)]


def test_each_group_is_replaced_at_its_place(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [a: one, b: one, c: one]\nseed: 1",
        "a/one": "# @package _global_\nx: 1\nu: 1",
        "a/two": "# @package _global_\nx: 2\nz: 2",
        "b/one": "# @package _global_\ny: 1\nz: 3",
        "b/two": "# @package _global_\ny: 2\nu: 4",
        "c/one": "# @package _global_\nw: 1",
        "c/two": "# @package _global_\nw: '${x}'",
        "exp/one": "# @package _global_\nx: 9",
    }
    found = imported(tmp_path, files, exact=True)
    sets = ["", "a=two", "b=two", "c=two", "a=two b=two c=two", "b=null", "+exp=one", "+exp=one a=two", "c=two ~a"]
    assert found.unequal(*sets) == []
    results = found.results("b=two", "+exp=one", "c=two ~a")
    assert [each.words[1] for each in results] == [
        "patches=[a/one,b/two,c/one]",
        "+patches=[exp/one]",
        "patches=[b/one,c/two]",
    ]
    told = dict(words(found.conversion))
    assert (told["`b=NAME`"], told["`exp=NAME`"]) == ("`patches=[a/one,b/NAME,c/one]`", "`+patches=exp/NAME`")


def test_the_only_patch_of_a_group_is_folded(tmp_path: Path) -> None:
    files = {"config": "defaults: [_self_, p: one]\nseed: 1", "p/one": "# @package _global_\nx: 1"}
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "x=2") == []
    assert found.text("runs/config.py").endswith("    seed: int = 1\n    x: int = 1\n")


def test_the_only_patch_of_a_group_may_set_values_in_the_option_that_it_chooses(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [optim: sgd, _self_, p: one]\noptim: {lr: 3}",
        "optim/sgd": "lr: 1",
        "optim/adam": "lr: 2\nb: 4",
        "p/one": "# @package _global_\ndefaults: [override /optim: adam]\noptim: {b: 5, c: 6}",
    }
    assert imported(tmp_path, files, exact=True).unequal("", "optim=sgd", "optim.b=7") == []


def test_a_patch_that_does_not_have_the_last_word_is_folded_and_told(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [training: toy, other: one, _self_]\nn: {p: 1}",
        "other/one": "# @package _global_\nx: 1",
        "other/two": "# @package _global_\nx: 2\ny: 2",
    }
    found = imported(tmp_path, {**files, **TRAINING}, exact=True)
    assert found.unequal("", "other=two", "training=toy", "n.p=3") == []
    assert found.text("runs/config.py").endswith('    _patches_ = ["other/one"]\n')
    (told,) = found.unequal("training=big")
    assert told.endswith("a patch comes after the one that config chooses, which stays")


def test_a_patch_below_the_options_of_a_choice_is_folded(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [training: toy, m: a]\nseed: 1",
        "m/a": "x: 1",
        "m/b": "lr: 5",
        "training/toy": "# @package _global_\nm: {lr: 1}",
        "training/big": "# @package _global_\nm: {lr: 2}",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "m=b", "m=a", "m=b m.lr=3") == []
    assert "_patches_" not in found.text("runs/config.py")


def test_a_patch_may_choose_and_change_nodes(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, m: a, training: toy]\nseed: 1",
        "m/a": "x: 1\no: {k: 1}",
        "m/b": "y: 1\no: {k: 2}",
        "training/toy": "# @package _global_\ndefaults: [override /m: b]\nm: {o: {k: 5}}",
        "training/big": "# @package _global_\nseed: 3\nm: {o: {k: 6}}",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "training=big", "m=a", "training=big m=b", "m=a m.o.k=2", "~training") == []
    assert '_patches_ = ["training/toy"]' in found.text("runs/config.py")


def test_a_patch_that_is_a_list_of_patches_is_taken_apart(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [tasks: a, other: one]\nseed: 1",
        "tasks/a": "defaults: [heads: a, losses: a]",
        "tasks/b": "defaults: [heads: b, losses: b]",
        "tasks/heads/a": "# @package _global_\nh: {x: 1}",
        "tasks/heads/b": "# @package _global_\nh: {y: 2}",
        "tasks/losses/a": "# @package _global_\nl: 1",
        "tasks/losses/b": "# @package _global_\nl: 2\nk: 1",
        "other/one": "# @package _global_\nz: 1",
        "other/two": "# @package _global_\nz: 2",
    }
    found = imported(tmp_path, files, exact=True)
    sets = ["", "tasks=b", "tasks/heads=b", "tasks/losses=b", "tasks=b tasks/heads=a", "tasks/heads=b other=two"]
    assert found.unequal(*sets, "tasks/heads=b h.y=5", "h.x=3", "tasks=null") == []
    assert '_patches_ = ["tasks/a", "other/one"]' in found.text("runs/config.py")
    (result,) = found.results("tasks/heads=b")
    assert result.words[1] == "patches=[tasks/heads/b,tasks/losses/a,other/one]"


def test_a_name_that_follows_patches_and_other_choices_is_worked_out(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [tr: toy, m: a, tr/m: '${tr}_${m}', optional tr/n: '${tr}_${m}']\nseed: 1",
        "m/a": "n: 1",
        "m/b": "n: 2",
        "tr/toy": "# @package _global_\nx: 1",
        "tr/big": "# @package _global_\nx: 2",
        "tr/m/toy_a": "# @package _global_\ny: 1",
        "tr/m/toy_b": "# @package _global_\ny: 2\nz: 1",
        "tr/m/big_a": "# @package _global_\ny: 3",
        "tr/n/toy_a": "# @package _global_\nw: 1",
        "tr/n/big_a": "# @package _global_\nw: 2",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "tr=big", "m=b", "tr=big m=b", "tr/m=big_a", "m=b tr/m=toy_a", "y=4 tr=big") == []
    results = found.results("m=b", "tr=big")
    assert [each.words[1:] for each in results] == [
        ["m=b", "patches=[tr/toy,tr/m/toy_b]"],
        ["patches=[tr/big,tr/m/big_a,tr/n/big_a]"],
    ]
    told = dict(words(found.conversion))
    assert told["`m=NAME`"] == "`m=NAME patches=[tr/toy,tr/m/toy_NAME]`"


def test_an_option_that_changes_the_node_around_its_group_is_a_default_patch(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [task: a, task/optim: x]\nseed: 1",
        "task/a": "n: 1",
        "task/optim/x": "# @package task\nlr: 1\nwarm: 2",
        "task/optim/y": "# @package task\nlr: 3",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "task/optim=y", "task/optim=y task.lr=5", "task/optim=x task.warm=1") == []
    assert '_patches_ = ["task/optim/x"]' in found.text("runs/config.py")


def test_a_primary_config_inherits_the_patches_of_its_base_or_replaces_one(tmp_path: Path) -> None:
    files = {
        "base": "defaults: [_self_, training: toy]\nseed: 1",
        "config": "defaults: [base, _self_]\nepochs: 3",
        "large": "defaults: [base, override /training: big, _self_]\nepochs: 4",
    }
    found = imported(tmp_path, {**files, **TRAINING}, "config", "large", exact=True)
    for primary in ("base", "config", "large"):
        assert found.unequal("", "training=big", "training=toy", "training=null seed=2", primary=primary) == []
    assert '_patches_ = ["training/toy"]' in found.text("runs/base.py")
    assert "_patches_" not in found.text("runs/config.py")
    assert '_patches_ = ["training/big"]' in found.text("runs/large.py")


def test_a_patch_that_chooses_another_patch_comes_in_its_place(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, training: toy, exp: null]\nseed: 1",
        "exp/one": "# @package _global_\ndefaults: [override /training: big]\noptim: {lr: 7}",
    }
    found = imported(tmp_path, {**files, **TRAINING}, exact=True)
    assert found.unequal("", "exp=one", "exp=one optim.lr=2") == []
    (result,) = found.results("exp=one")
    assert result.words == ["run=config", "patches=[exp/one]"]
    assert dict(words(found.conversion))["`exp=one`"] == "`patches=[exp/one]`"
    assert "class One(Big):" in found.text("runs/patches/exp/one.py")


def test_a_default_patch_that_is_chosen_at_the_root_is_replaced(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, task@_global_: walk]\nseed: 1",
        "task/walk": "name: walk\nsteps: 10",
        "task/run": "name: run\nsteps: 20",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "task@_global_=run", "task@_global_=run steps=3") == []
    assert '_patches_ = ["task/walk"]' in found.text("runs/config.py")


def test_default_patches_with_targets_hold_what_is_built(tmp_path: Path) -> None:
    """A mapping that each of them builds otherwise is a plain dict, since no patch changes what a class stands for."""
    files = {
        "config": "defaults: [_self_, buffer: plain]\nseed: 1",
        "buffer/plain": "# @package _global_\nstore: {_target_: plain.Buffer, size: 3}\nsampler: {_target_: S, p: 1}",
        "buffer/numpy": "# @package _global_\nstore: {_target_: fast.Buffer, size: 4}\nsampler: {_target_: S, p: 2}",
    }
    found = imported(tmp_path, files, exact=True)
    sets = ["", "store.size=5", "buffer=numpy", "buffer=numpy sampler.p=5 store.size=6"]
    assert found.unequal(*sets) == []
    text = found.text("runs/config.py")
    assert '_patches_ = ["buffer/plain"]' in text
    assert "    store: dict[str, Any]\n" in text
    assert '_target_: str = "S"\n    p: int\n' in text


@pytest.mark.skipif(not IS_1_3, reason="Hydra 1.4 refuses a variable in the name of an option")
def test_a_name_that_follows_a_variable_too_is_left_as_it_is(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, training: toy, optional more: '${oc.env:HOME}_${training}']\nseed: 1",
        "more/home_toy": "# @package _global_\nseed: 2",
    }
    found = imported(tmp_path, {**files, **TRAINING}, exact=True)
    assert found.unequal("", "training=big") == []
