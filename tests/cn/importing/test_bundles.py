"""A group whose options hold targets by name is a dict of nodes, with bundles, where that composes as Hydra does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cn.importing.trees import Imported, imported

FILES = {
    "config": "defaults: [cb: both, _self_, p: null]\nx: 1",
    "cb/ema": "ema: {_target_: lib.Ema, decay: 0.9}",
    "cb/stop": "# Stops early.\n\nstop:\n  _target_: lib.Stop\n  n: 3  # epochs\n  metric: ???",
    "cb/both": "defaults: [ema, stop, _self_]\nstop: {n: 4, metric: loss}",
    "cb/more": "defaults: [both, _self_]\nbar: {_target_: lib.Bar, w: {x: 1}}\nema: {decay: 0.5}",
    "cb/other": "ema: {_target_: lib.Other}",
    "cb/none": "",
    "p/more": "# @package _global_\ndefaults: [override /cb: more]",
    "p/off": "# @package _global_\ncb: null",
}
SETS = ["", *(f"cb={each}" for each in ("ema", "stop", "both", "more", "other", "none"))]
SETS += ["cb.stop.n=7", "cb=more cb.bar.w.x=5", "~cb.ema", "cb=more ~cb.stop", "p=more", "p=off", "p=more cb=ema"]


def tree(folder: Path, *, exact: bool = False, **files: str) -> Imported:
    return imported(folder, {**FILES, **{name.replace("__", "/"): text for name, text in files.items()}}, exact=exact)


def body(text: str) -> str:
    return text[text.index("class ") :]


def test_an_option_with_several_targets_is_a_bundle_and_one_with_its_own_name_is_a_node(tmp_path: Path) -> None:
    found = tree(tmp_path)
    assert body(found.text("runs/cb/__init__.py")) == (
        '''class Cb(CN):
    """What cb can be."""

    _target_: str
'''
    )
    assert body(found.text("runs/cb/stop.py")) == (
        '''class Stop(Cb):
    """Stops early."""

    _target_: str = "lib.Stop"
    n: int = 3  # epochs
    metric: str
'''
    )
    assert body(found.text("runs/cb/both.py")) == (
        '''class Both(Bundle):
    """Was conf/cb/both.yaml."""

    ema: Cb = Ema()
    stop: Cb = Stop(n=4, metric="loss")
'''
    )
    assert body(found.text("runs/config.py")) == (
        '''class Config(Run):
    """Was conf/config.yaml."""

    cb: dict[str, Cb] | None = Both()
    x: int = 1
'''
    )


def test_a_bundle_on_another_states_what_differs(tmp_path: Path) -> None:
    text = tree(tmp_path).text("runs/cb/more.py")
    assert text[text.index("class More") :] == (
        '''class More(Both):
    """Was conf/cb/more.yaml."""

    ema: Cb = Ema(decay=0.5)
    bar: Cb = _Bar()
'''
    )


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("config", ["both", "ema", "null"])
def test_every_choice_composes_as_with_hydra(config: str, exact: bool, tmp_path: Path) -> None:
    found = tree(tmp_path, exact=exact, config=FILES["config"].replace("cb: both", f"cb: {config}"))
    assert "(Bundle)" in found.text("runs/cb/both.py")
    sets = [each for each in SETS if config == "both" or not each.startswith(("cb.stop", "~cb"))]
    assert found.unequal(*sets) == []


def test_values_around_a_single_node_and_around_a_bundle_stand_in_the_run(tmp_path: Path) -> None:
    over = "\ncb: {stop: {n: 9, metric: a}}"
    found = tree(tmp_path / "bundle", config=FILES["config"] + over)
    assert 'cb: dict[str, Cb] | None = Both(stop=Stop(n=9, metric="a"))' in found.text("runs/config.py")
    found = tree(tmp_path / "node", config=FILES["config"].replace("cb: both", "cb: stop") + over)
    assert 'cb: dict[str, Cb] | None = {"stop": Stop(n=9, metric="a")}' in found.text("runs/config.py")


LISTS = {
    "config": "defaults: [cb: [ema, stop], _self_, p: null]\nx: 1",
    "two": "defaults: [config, override cb: [both], _self_]\nx: 2",
    "cb/stop": "stop: {_target_: lib.Stop, n: 3}",
    "cb/ema": FILES["cb/ema"],
    "cb/both": "defaults: [ema, stop, _self_]\nstop: {n: 4}",
    "p/one": "# @package _global_\ndefaults: [override /cb: [ema]]",
}


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
def test_several_options_at_once_are_a_dict(exact: bool, tmp_path: Path) -> None:
    found = imported(tmp_path, LISTS, "config", "two", exact=exact)
    assert 'cb: dict[str, Cb] = {"ema": Ema(), "stop": Stop()}' in found.text("runs/config.py")
    assert '        "cb": ["ema"],\n' in found.text("runs/patches/p/one.py")
    assert found.unequal("", "cb=[ema]", "cb=[both]", "cb=[stop,ema]", "cb=[]", "cb.stop.n=2", "p=one") == []
    assert found.unequal("", "cb=[stop]", primary="two") == []


@pytest.mark.slow
def test_several_options_that_a_patch_chooses_of_what_is_no_dict_are_told(tmp_path: Path) -> None:
    found = imported(tmp_path, {**LISTS, "cb/value": "n: 3"})
    assert ("conf/p/one.yaml:2", "cb: [ema] chooses several options, of which this is no dict") in found.conversion.odd


NOT_DICTS = {
    "a value of the run refers to a node in it": {"config": FILES["config"].replace("x: 1", "x: ${cb.stop.n}")},
    "an option refers to another node in it": {"cb__ema": "ema: {_target_: lib.Ema, decay: '${..stop.n}'}"},
    "a patch sets what no option has": {"p__new": "# @package _global_\ncb: {new: {n: 3}}"},
    "an option holds a value that is no node": {"cb__value": "ema: 3"},
    "a node has no target": {"cb__plain": "plain: {n: 3}"},
}


@pytest.mark.slow
@pytest.mark.parametrize("why", NOT_DICTS)
def test_a_dict_that_would_not_compose_alike_is_none(why: str, tmp_path: Path) -> None:
    found = tree(tmp_path, exact=False, **NOT_DICTS[why])
    assert "Bundle" not in found.text("runs/cb/both.py")
    assert found.unequal("", "cb=ema", "cb=more", "cb=none") == []


@pytest.mark.slow
def test_with_exact_values_around_a_choice_leave_it_no_dict(tmp_path: Path) -> None:
    patch = "# @package _global_\ncb: {stop: {n: 8}}"
    assert "(Bundle)" in tree(tmp_path / "typed", p__set=patch).text("runs/cb/both.py")
    found = tree(tmp_path / "exact", exact=True, p__set=patch)
    assert "Bundle" not in found.text("runs/cb/both.py")
    assert found.unequal("", "p=set", "p=set cb=none", "p=set cb=stop") == []
