"""What an option puts outside of its package, and what a patch chooses where no run has a field."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cn.importing.test_forms import Form
from tests.cn.importing.trees import imported

pytestmark = pytest.mark.slow

OUTSIDE = {
    "a choice at an absolute package": Form(
        {
            "config": "defaults: [model: x, _self_]\nk: 1",
            "model/x": "defaults: [/optimizer@_global_.optimizer: adam, _self_]\nq: 1",
            "optimizer/adam": "lr: 1",
            "optimizer/sgd": "lr: 2\nm: 3",
        },
        ("optimizer=sgd", "optimizer.lr=3"),
    ),
    "a choice at an absolute package that follows another, and one that is required": Form(
        {
            "config": "defaults: [model: x, _self_]\nk: 1",
            "model/x": "defaults: [/net@_global_.net: '${model}', /optimizer@_global_.o.p: '???', _self_]\nq: 1",
            "net/x": "n: 1",
            "net/y": "n: 2",
            "optimizer/adam": "lr: 1",
        },
        ("optimizer@o.p=adam", "optimizer@o.p=adam net=y"),
    ),
    "a choice at the whole path of its group": Form(
        {
            "config": "defaults: [server: apache]",
            "server/apache": "defaults: [/db@_group_.zz: mysql, /db@backup: mysql, sub/thing]\np: 1",
            "server/sub/thing": "defaults: [/db@_group_.ww: mysql]\nt: 1",
            "db/mysql": "n: 1",
            "db/pg": "n: 2",
        },
        ("db@server.backup=pg", "db@db.zz=pg"),
    ),
    "choices of options that are chosen by others": Form(
        {
            "config": "defaults: [a: one, _self_]\nopt: {lr: 3}",
            "a/one": "defaults: [b: two, _self_]\np: 1",
            "a/b/two": "defaults: [/optimizer@_global_.opt: adam, /more@_global_.more.deep: m, _self_]\nq: 1",
            "optimizer/adam": "defaults: [/more@_global_.mo: m]\nlr: 1\nw: ${more.deep.k}",
            "more/m": "k: 1",
            "more/n": "k: 2",
        },
        ("more@mo=n", "more@more.deep=n", "opt.lr=4"),
    ),
    "a file with values of the root that an option extends": Form(
        {
            "config": "defaults: [model: x, _self_]\nk: 0",
            "model/x": "defaults: [/shared, _self_]\nq: ${v}",
            "shared": "# @package _global_\nv: 1\nk: 5",
        },
        ("v=3", "model.q=2"),
    ),
    "a patch that an option chooses": Form(
        {
            "config": "defaults: [model: x, _self_]\nk: 0",
            "model/x": "defaults: [/exp: one]\nq: 1",
            "exp/one": "# @package _global_\nk: 4\nr: 5",
        },
        ("r=6",),
    ),
    "a choice of a patch in a field that no run has": Form(
        {
            "config": "defaults: [model: a, _self_, experiment: null]",
            "model/a": "q: 1",
            "experiment/x": """
            # @package _global_
            defaults: [/callbacks: ema, /callbacks@more: stop, override /model: a, _self_]
            callbacks: {k: 2}
            """,
            "callbacks/ema": "w: 1\nk: 1",
            "callbacks/stop": "w: 2\nk: 3",
        },
        ("experiment=x", "experiment=x callbacks=stop", "experiment=x callbacks@more=ema callbacks.k=4"),
    ),
    "a choice of a patch in a mapping": Form(
        {
            "config": "defaults: [model: a, _self_, experiment: null]",
            "model/a": "q: 1",
            "experiment/x": """
            # @package _global_
            defaults: [/callbacks@model.cb: ema, /callbacks@n.cb: ema, _self_]
            model: {cb: {k: 2}}
            """,
            "callbacks/ema": "w: '${model.q}'\nk: 1",
        },
        ("experiment=x", "experiment=x model.cb.k=3"),
    ),
    "a mapping of one patch, and a choice of another": Form(
        {
            "config": "defaults: [_self_, e: null]\nx: 1",
            "e/one": "# @package _global_\ndefaults: [/callbacks: ema, _self_]\ncallbacks: {k: 2}",
            "e/two": "# @package _global_\ncallbacks: {z: 2}",
            "callbacks/ema": "w: 1\nk: 1",
        },
        ("e=one", "e=two"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("form", OUTSIDE)
def test_what_stands_outside_of_an_option_composes_as_with_hydra(form: str, exact: bool, tmp_path: Path) -> None:
    files, sets = OUTSIDE[form]
    assert imported(tmp_path, files, exact=exact).unequal("", *sets) == []


def test_what_an_option_puts_outside_of_itself_is_told_with_its_line(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [model: x, _self_]\nk: 1",
        "model/x": "defaults:\n- /optimizer@_global_.a.b: adam\n- /shared",
        "model/y": "defaults: [/optimizer@_global_.optimizer: adam]\nq: 2",
        "optimizer/adam": "lr: 1",
        "shared": "# @package _global_\nv: {w: 1}",
    }
    found = imported(tmp_path, files)
    stays = "here it belongs to what chooses x, and stays with another model"
    assert found.conversion.odd == [
        ("conf/model/x.yaml:2", f"a.b is set by model: x, outside of model; {stays}"),
        ("conf/shared.yaml:2", f"v is set by model: x, outside of model; {stays}"),
        ("conf/model/y.yaml:1", "optimizer is set by model: y, outside of model; it is left out"),
    ]
    assert found.unequal("") == []


def test_a_run_that_lacks_what_an_option_puts_outside_of_itself_is_told(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [model: x, _self_]\nk: 1",
        "other": "defaults: [model: y, _self_]\nk: 1",
        "model/x": "defaults: [/optimizer@_global_.o: adam]\nq: 1",
        "model/y": "q: 2",
        "optimizer/adam": "lr: 1",
    }
    found = imported(tmp_path, files, "config", "other")
    stays = "here it belongs to what chooses x, and stays with another model"
    why = f"o is set by model: x, outside of model; {stays}; run=other with model=x lacks it"
    assert found.conversion.odd == [("conf/model/x.yaml:1", why)]
    assert found.unequal("", primary="other") == []


def test_a_choice_of_a_patch_that_is_written_out_is_told(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [model: a, experiment: null]",
        "model/a": "q: 1",
        "experiment/x": "# @package _global_\ndefaults:\n- /callbacks@model.cb: ema\n- /callbacks: ema",
        "callbacks/ema": "k: 1",
    }
    found = imported(tmp_path, files)
    why = "callbacks: ema is written out, since model.cb is no field of a run that can choose"
    assert found.conversion.odd == [("conf/experiment/x.yaml:3", why)]
    assert '"++model.cb": {"k": 1},\n        "callbacks": "ema",\n' in found.text("runs/patches/experiment/x.py")
