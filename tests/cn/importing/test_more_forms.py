"""More forms of defaults lists and headers, from public trees: what the classes compose is what Hydra composes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.proof.override_sets import singles
from cn.importing.proof.proof import Proof
from cn.importing.proof.report import words
from tests.cn.importing.test_forms import Form
from tests.cn.importing.trees import IS_1_3, imported

pytestmark = pytest.mark.slow

FORMS = {
    "a header that names the package for which the option is chosen": Form(
        {
            "config": "defaults: [_self_, ds@ds.train: train, ds@ds.eval: eval]\na: {c: '${ds.train}'}",
            "ds/train": "# @package ds.train\nz: {s: 3}\nlr: 1",
            "ds/eval": "# @package ds.eval\nz: {s: 3}\nq: 2",
        },
        ("ds@ds.train=eval", "ds.train.lr=4"),
    ),
    "a header with underscores around _global_": Form(
        {
            "config": "defaults: [_self_, ds: one]\nx: 1",
            "ds/one": "# @package __global__\nz: 3",
            "ds/two": "# @package __global__\nz: 4",
        },
        ("ds=two", "z=5"),
    ),
    "a mapping that refers to another option of the group that holds it": Form(
        {
            "config": "defaults: [block@b1: outer, block@b2: leaf]",
            "block/outer": "w: 1\ninner: {wrapped: '${b2}', q: 1}",
            "block/leaf": "w: 2\ninner: {wrapped: null, q: 2}",
            "block/other": "w: 3\ninner: {wrapped: null, q: 2, z: 3}",
        },
        ("b2.w=4", "block@b2=other"),
    ),
    "a value before a choice, which the option interpolates": Form(
        {
            "config": "defaults: [_self_, model: a]\nseed: 1\nmodel: {k: 5, h: {k: 6}}",
            "model/a": "k: ${seed}\nh: {k: '${seed}'}",
            "model/b": "h: {k: 1}\nz: 3",
        },
        ("seed=2",),
    ),
    "a choice of the option that is there, with more keys": Form(
        {
            "config": "defaults: [model: a, aux@model.b: x, _self_]\nmodel: {q: 3, w: 4}",
            "model/a": "b: {v: 1}\nq: 1",
            "aux/x": "k: 1",
        },
        ("model=a", "aux@model.b=x", "model=a model.w=5"),
    ),
    "a resolver of the user's that is given a node": Form(
        {
            "config": "defaults: [m: a]\nd: {z: 1, q: '${x}', e: '${m}'}\nx: 1\ny: ${my:${d}}\nw: ${my:${t}}\nt: [1]",
            "m/a": "l: ['${x}', 1]",
            "m/b": "d: 3",
        },
        ("m=b", "x=2"),
    ),
    "a list of which a part cannot be worked out": Form(
        {"config": "defaults: [m: a]", "m/a": "l: ['${no.where}', 1]", "m/b": "l: [1]"}, ("m=b",)
    ),
    "a truth value typed for a text": Form({"config": "a: text\nb: null"}, ("a=true", "b=true")),
    "an option that is a list, to which a patch adds nothing": Form(
        {
            "config": "defaults: [cb: null, e: null]",
            "cb/a": "- {_target_: x}",
            "cb/b": "x: 1",
            "e/one": "# @package _global_\ncb: {y: 1}",
        },
        ("cb=a", "cb=b e=one"),
    ),
    "a choice that follows other choices": Form(
        {
            "config": "defaults: [s: x, train: '${task}PPO', task: Ant]",
            "task/Ant": "n: 1",
            "task/Bug": "n: 2",
            "train/AntPPO": "lr: 1",
            "train/BugPPO": "lr: 2\nm: 3",
            "s/x": "defaults: [k: one, _t_: 'r-${s/k}__${task}']\nz: 1",
            "s/y": "defaults: [k: two]\nz: 2",
            "s/k/one": "w: 1",
            "s/k/two": "w: 2",
            "s/_t_/r-one__Ant": "d: 1",
            "s/_t_/r-two__Ant": "d: 2",
            "s/_t_/r-one__Bug": "d: 3",
        },
        ("task=Bug", "s/k=two", "task=Bug train=AntPPO", "train.lr=4", "s=y", "task=Bug s/_t_=r-two__Ant"),
    ),
    "a choice that follows an option in a folder": Form(
        {"config": "defaults: [b: '${a}', a: p/x]", "a/p/x": "n: 1", "a/y": "n: 3", "b/y": "n: 2", "b/p/x": "n: 4"}
    ),
    "a group of which a patch chooses nothing": Form(
        {
            "config": "defaults: [_self_, m: a, e: null]\nx: 1",
            "m/a": "y: 1",
            "e/one": "# @package _global_\ndefaults: [override /m: null]\nx: 2",
        },
        ("e=one", "e=one x=3"),
    ),
    "a choice where most files hold a text": Form(
        {
            "config": "defaults: [v: a]\np: /d",
            "v/base": "d: {data: '???', n: 1}",
            "v/a": "defaults: [base]\nd: {data: '${p}/x.json', n: 2}",
            "v/b": "defaults: [base, /ex@d.data: one]\nd: {n: 3}",
            "v/c": "defaults: [base]\nd: {data: plain}",
            "ex/one": "k: 1",
        },
        ("v=b", "p=3", "v=c"),
    ),
    "a group of callbacks within a group": Form(
        {
            "config": "defaults: [t: a]",
            "t/a": "defaults: [cb: one]\nx: 1",
            "t/cb/one": "p: {_target_: x}\nq: {_target_: y}",
            "t/cb/two": "p: {_target_: x}",
        },
        ("t/cb=two", "t.x=3"),
    ),
    "options that are chosen at the root": Form(
        {
            "config": "defaults: [_self_, task@_global_: walk, e@_global_: null]\nx: 1\nn: 1\ny: ${name}",
            "task/easy": "steps: 1",
            "task/walk": "defaults: [easy, _self_]\nname: walk",
            "task/run": "defaults: [easy, _self_]\nname: run\nx: 2",
            "e/one": "n: 5",
        },
        ("task@_global_=run", "task@_global_=run e@_global_=one x=3", "steps=4"),
    ),
    "a mapping that a resolver of the user's gives elsewhere": Form(
        {
            "config": "defaults: [m: a]\nx: 1",
            "m/a": "h: {y: 1, z: {w: '${x}'}}\nq: '${m.h}'",
            "m/b": "h: ${my:3}\nq: ${.h}",
            "m/c": "h: ${m.k}\nk: {y: 4}\nq: 3",
        },
        ("m=b", "m=c", "m.h.y=3", "x=2"),
    ),
    "a patch that overrides the choice of a patch": Form(
        {
            "config": "defaults: [_self_, dset: none, solver: null]\nx: 1",
            "dset/none": "# @package _global_\nsource: {train: '???'}",
            "dset/music": "# @package _global_\nsource: {train: a}\nrate: 3",
            "solver/big": "# @package _global_\ndefaults: [override /dset: music]\nx: 2\nrate: 4",
        },
        ("solver=big", "dset=music", "solver=big x=5"),
    ),
    "an interpolation that is escaped in a patch": Form(
        {
            "config": "defaults: [_self_, m: a, e: null]\nfmt: x\nl: []\nd: {a: 1}",
            "m/a": "y: 1",
            "e/one": r"""
            # @package _global_
            fmt: '\${a}/x'
            l: ['\${b}', 1, "${d.a}"]
            d: {a: '\${c}', q: {z: '\${n}'}}
            new: {p: ['\${k}', {$: '\${u}'}]}
            a b: '\${v}'
            m: {y: '\${b}'}
            """,
        },
        ("e=one",),
    ),
    "an interpolation that is escaped around a choice": Form(
        {"config": "defaults: [m: a, _self_]\nm: {y: '\\${b}'}", "m/a": "y: q", "m/b": "y: q"}, ("m.y=2",)
    ),
    "a mapping in place of a null that replaced a mapping": Form(
        {
            "config": "defaults: [m: a, n: c, _self_]\nn: {e: {i: 3}}",
            "m/a": "e: {k: 1}\ng: {k: 1}",
            "m/c": "defaults: [a]\ne: null",
            "m/d": "defaults: [c]\ne: {j: 2}\ng: null",
            "m/f": "defaults: [d]\ne: {i: 2}\ng: {k: 5}",
            "n/a": "e: {k: 1}",
            "n/c": "defaults: [a]\ne: null",
        },
        ("m=c", "m=d", "m=f"),
    ),
    "a base that another base extends": Form(
        {
            "config": "defaults: [m: x]",
            "m/x": "defaults: [child, empty]",
            "m/two": "defaults: [x, child, empty]\nz: 1",
            "m/child": "defaults: [empty]",
            "m/empty": "# nothing",
        },
        ("m=two", "m=child", "m=empty"),
    ),
    "a resolver that is given what cannot be worked out": Form(
        {"config": "a: ${my:${b}}\nb: [['${no.where}', 1]]\nc: 1"}, ("c=2",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("form", FORMS)
def test_a_form_composes_as_with_hydra(form: str, exact: bool, tmp_path: Path) -> None:
    if form == "a choice that follows an option in a folder" and not IS_1_3:
        pytest.skip("Hydra 1.4 composes this form otherwise")
    files, sets = FORMS[form]
    found = imported(tmp_path, files, exact=exact)
    assert found.unequal("", *sets) == []


def test_a_required_choice_is_proved_with_an_option_that_hydra_can_compose(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [{m: '???'}]",
        "m/a": "defaults: [gone]\nx: 1",
        "m/b": "defaults: [a]",
        "m/c": "x: 2",
    }
    found = imported(tmp_path, files)
    results = Proof(found.conversion).run(found.folder, 20, 0, lambda line: None)
    assert [(" ".join(each.overrides), each.verdict) for each in results] == [
        ("m=c", "equal"),
        ("m=a", "Hydra refuses"),
        ("m=b", "Hydra refuses"),
        ("m=c m.x=-1", "equal"),
    ]


def test_a_choice_that_follows_another_is_the_name_of_an_option(tmp_path: Path) -> None:
    found = imported(tmp_path, FORMS["a choice that follows other choices"].files)
    line = found.text("runs/config.py").split("    train: ")[1].split("\n")[0]
    assert line.startswith('Train = derive(lambda run: f"{option_of(run.task)}PPO")  # pyright: ignore')
    assert found.conversion.odd == []


def test_a_choice_that_cannot_follow_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, FORMS["a choice that follows an option in a folder"].files)
    assert found.conversion.odd == [("conf/config.yaml:1", "b follows ${a}; here it is p/x, whatever else is chosen")]


def test_a_choice_that_is_written_out_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, FORMS["a choice where most files hold a text"].files)
    assert '    d: D = _D(data={"k": 1}, n=3)\n' in found.text("runs/v/b.py")
    why = "ex: one is written out, since data is a plain value in 2 files"
    assert found.conversion.odd == [("conf/v/b.yaml:1", why)]


def test_a_group_that_is_chosen_at_the_root_holds_patches(tmp_path: Path) -> None:
    found = imported(tmp_path, FORMS["options that are chosen at the root"].files)
    assert ("`task@_global_=NAME`", "`patches=[task/NAME]`") in words(found.conversion)
    assert singles(found.conversion, "config")["task@_global_"] == [
        "task@_global_=easy",
        "task@_global_=run",
        "task@_global_=walk",
    ]


def test_a_group_of_patches_has_one_row_of_words_and_one_for_each_name_that_changed(tmp_path: Path) -> None:
    files = {"config": "defaults: [e: null]\nx: 1", "e/one": "# @package _global_\nx: 2"}
    found = imported(tmp_path, {**files, "e/two-x": "# @package _global_\nx: 3"})
    assert words(found.conversion)[1:] == [("`e=NAME`", "`patches=e/NAME`"), ("`e=two-x`", "`patches=e/two_x`")]


def test_a_line_of_signs_above_a_comment_is_no_comment(tmp_path: Path) -> None:
    files = {"config": "defaults: [e: null]\nx: 1\ny: 1"}
    files["e/one"] = "# @package _global_\ny: 2\n#####\n\n# why\n#\n# and how\nx: 2"
    found = imported(tmp_path, files)
    assert '        "y": 2,\n        # why\n        #\n        # and how\n        "x": 2,\n' in found.text(
        "runs/patches/e/one.py"
    )
