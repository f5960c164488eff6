"""Patches, and what a primary config sets around its choices: they compose as with Hydra."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cn.importing.trees import imported

pytestmark = pytest.mark.slow


def test_what_is_set_around_a_choice_stays_with_exact(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [b: one, _self_, a: one, optim@a.o: x]\na: {y: 5}\nb: {x: 7, w: 8}",
        "a/one": "x: 1",
        "a/two": "x: 2\ny: 3",
        "b/one": "x: 1",
        "b/two": "z: 2",
        "optim/x": "lr: 1",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "a=two", "b=two", "a=two a.y=4", "b=two b.x=3", "optim@a.o=x a=two") == []


def test_a_mapping_around_a_choice_stays_with_exact_where_another_option_lacks_it(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [a: one, _self_, p: null]\na: {o: {y: 5, n: {z: 2}}}",
        "a/one": "o: {x: 1, y: 2, n: {z: 1}}",
        "a/two": "q: 2",
        "p/fast": "# @package _global_\na: {o: {n: {z: 3}}}",
    }
    sets = ["", "a=two", "a=one a.o.y=3", "p=fast", "p=fast a=two"]
    assert imported(tmp_path, files, exact=True).unequal(*sets) == []


def test_patches_apply_as_options_of_all_did(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, m: a, debug: null, exp: null]\nseed: 1\nn: {p: 1}",
        "m/a": "x: 1\no: {lr: 1}",
        "m/b": "y: 2\no: {lr: 3}",
        "debug/base": "# @package _global_\nseed: 2\nn: {p: 3}",
        "debug/more": "# @package _global_\ndefaults: [base]\nnew: [1]\nn: {q: 4}",
        "debug/off": "# @package _global_\nm: null",
        "exp/one": """
        # @package _global_
        defaults: [override /m: b]
        seed: 5
        m: {o: {lr: '${seed}'}, y: 6, extra_key: 1}
        """,
        "exp/two": "# @package _global_\ndefaults: [one, _self_]\nseed: 7",
        "loc/here": "# @package n\np: 9",
    }
    sets = ["debug=base", "debug=more", "exp=one", "exp=two", "debug=more exp=one", "exp=one m=a", "+loc=here"]
    sets += ["exp=one seed=9", "exp=one m.extra_key=3", "debug=more new=[2]", "debug=off m=b", "exp=two m.y=8"]
    assert imported(tmp_path, files, exact=True).unequal("", *sets) == []


def test_a_patch_that_follows_choices_is_a_derived_value(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [m: a, d: x, optional both: '${m}_${d}']",
        "m/a": "n: 1",
        "m/b": "n: 2",
        "d/x": "p: 1",
        "d/y": "p: 2",
        "both/a_y": "# @package m\nn: 5",
        "both/b_x": "# @package _global_\nm: {n: 6}\nd: {p: 7}",
    }
    found = imported(tmp_path, files, exact=True)
    assert found.unequal("", "d=y", "m=b", "m=b d=y", "d=y m.n=3", "both=a_y") == []


def test_a_patch_that_follows_one_choice_is_a_value_of_the_option_that_it_changes(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [m: a, d: x, optional of: '${m}', optional both: '${m}_${d}', _self_]\nk: 3",
        "m/a": "n: 1\np: 2\nq: 3\nr: 4",
        "m/b": "n: 1",
        "d/x": "",
        "d/y": "",
        "of/a": "# @package _global_\nm: {n: 5, p: '${.n}', q: '${k}', r: '???'}\nk: 4",
        "both/a_y": "# @package _global_\nm: {n: 6}",
    }
    found = imported(tmp_path, files)
    assert found.unequal("", "m=b", "d=y", "m=b d=y", "m.n=7", "k=8") == []
    assert found.text("runs/m/a.py").count("if") == 1


def test_a_key_that_a_patch_adds_to_a_node_waits_until_the_node_is_chosen(tmp_path: Path) -> None:
    files = {
        "train": "defaults: [m: a]\nx: 1",
        "bare": "x: 2",
        "m/a": "p: 1",
        "debug/deep": "# @package _global_\nx: 3\nm: {q: 4}",
    }
    found = imported(tmp_path, files, "train", "bare")
    assert '"++m.q": 4,' in found.text("runs/patches/debug/deep.py")
    assert found.unequal("+debug=deep", primary="train") == []
    (bare,) = found.unequal("+debug=deep", primary="bare")
    assert bare.endswith("a change of a patch waits for its node, which is not chosen")


def test_a_node_that_a_patch_builds_otherwise_is_a_plain_dict(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [m: a]\nx: 1\nsaver: {_target_: S, n: 1}",
        "m/a": "p: 1\noptim: {_target_: Adam, lr: 1, eps: 2}\nkept: {_target_: K, q: 1}",
        "m/b": "p: 2\noptim: {_target_: Adam, lr: 3, eps: 4}\nkept: {_target_: K, q: 2}",
        "e/sgd": "# @package _global_\nm: {optim: {_target_: SGD, lr: 5, momentum: 6}, kept: {q: 3}}",
        "e/late": "# @package _global_\nsaver: {_partial_: true}\nm: {clip: {_target_: C, by: 1}}",
    }
    found = imported(tmp_path, files)
    assert found.unequal("", "m=b", "+e=sgd", "m=b +e=sgd m.optim.lr=7", "+e=late", "m.optim.eps=9 +e=late") == []
    assert 'optim: dict[str, Any] = {"_target_": "Adam", "lr": 1, "eps": 2}' in found.text("runs/m/a.py")
    assert '"m.optim": {"_target_": "SGD", "lr": 5, "momentum": 6},' in found.text("runs/patches/e/sgd.py")
    assert '_target_: str = "K"' in found.text("runs/m/__init__.py")


def test_mappings_that_several_patches_add_are_merged(tmp_path: Path) -> None:
    files = {
        "config": "x: 1\ndata: {_target_: A, deep: {p: 1, q: 2}}\nnone: null",
        "e/one": """
        # @package _global_
        new: {a: 1, in: {b: 2}}
        own: {c: 3, in: {d: 4}}
        data: {_target_: B, deep: {p: 5}}
        """,
        "f/two": "# @package _global_\nnew: {in: {e: 5}}\ndata: {z: b, deep: {q: 6}}\nnone: {l: {m: 2}}",
        "f/three": "# @package _global_\nown: {c: 5}\nalone: {n: {o: 1}}",
        "f/four": "# @package _global_\nalone: {n: {o: 2}}",
    }
    found = imported(tmp_path, files)
    assert found.unequal("+e=one", "+f=two", "+e=one +f=two", "+f=two +e=one", "+e=one +f=two data.deep.p=7") == []
    assert found.unequal("+f=three", "+f=four", "+f=three +e=one", "+e=one +f=three own.in.d=9") == []
    assert '"++own.in.d": 4,' in found.text("runs/patches/e/one.py")
    assert '"++alone": {"n": {"o": 2}},' in found.text("runs/patches/f/four.py")


def test_entries_of_a_dict_of_nodes_stay_nodes_whatever_a_patch_builds(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [log: many]\nx: 1",
        "log/csv": "csv: {_target_: C, d: 1}",
        "log/tb": "tb: {_target_: T, d: 2}",
        "log/many": "defaults: [csv, tb]",
        "e/one": "# @package _global_\nlog: {csv: {_target_: other.C, d: 3}, tb: {_target_: T, d: 4}}",
    }
    found = imported(tmp_path, files)
    assert found.unequal("", "log=csv", "log.csv.d=5") == []
    (patched,) = found.unequal("+e=one")
    assert "log.csv._target_ is 'other.C' with Hydra and 'C' with CN" in patched
    assert ("conf/e/one.yaml:2", "_target_ of a class is not changed") in found.conversion.odd
    assert "log: dict[str, Log]" in found.text("runs/config.py")
