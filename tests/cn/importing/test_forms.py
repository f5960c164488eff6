"""Forms of YAML and of defaults lists: what the classes compose is what Hydra composes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cn.importing.trees import IS_1_3, imported

pytestmark = pytest.mark.slow


class Form(NamedTuple):
    """A tree, and override sets that come out equal."""

    files: dict[str, str]
    sets: tuple[str, ...] = ()


FORMS = {
    "_args_, _convert_ and _recursive_": Form(
        {"config": "a: {_target_: dict, _args_: [[[x, 1]]], _convert_: all, _recursive_: false, k: 3}"}, ("a.k=4",)
    ),
    "@_here_": Form(
        {
            "config": "defaults: [db: two]",
            "db/two": "defaults: [/base/one@_here_, _self_]\nx: 2",
            "base/one": "x: 1\ny: 3",
        },
        ("db.y=4",),
    ),
    "_self_ in between": Form(
        {
            "config": "defaults: [a: one, _self_, b: two]\na: {x: 5}\nb: {y: 6, z: 7}",
            "a/one": "x: 1\nw: 2",
            "b/two": "y: 1",
        },
        ("a.x=7", "b.y=3"),
    ),
    "_self_ first": Form(
        {"config": "defaults: [_self_, a: one]\na: {x: 5, q: 1}", "a/one": "x: 1\nw: 2"}, ("a.x=7", "a.q=2")
    ),
    "keys that are no names": Form(
        {
            "config": """
            class: 3
            import: {lambda: 1, for: [1]}
            2: {a: 3}
            true: 5
            a-b: 4
            check: 3
            _x_: 9
            """
        },
    ),
    "files that Python cannot import": Form(
        {
            "config": "defaults: [model: lambda, other: 1x1, third: none, fourth: bert-nrms]",
            "model/lambda": "x: 1",
            "other/1x1": "y: 1",
            "third/none": "z: 3",
            "third/class": "z: 4",
            "fourth/bert-nrms": "a: 3",
            "fourth/bert_nrms": "a: 4",
        },
        ("third=class", "fourth=bert_nrms"),
    ),
    "scalars": Form(
        {
            "config": """
            when: 2020-01-01
            at: 2001-12-14t21:59:43.10-05:00
            off: off
            sci: 1e-3
            big: 1_000
            oct: 010
            hex: 0x1F
            sex: 12:30
            text_nan: nan
            nan: .nan
            inf: .inf
            tilde: ~
            empty:
            text: "1"
            plus: +12
            """
        },
        ("sci=3", "big=5", "tilde=2", "sex=1"),
    ),
    "block texts": Form(
        {
            "config": """
            text: |
              two lines
                and "quotes" \\\\ and ${x}
            fold: >-
              folded
              text
            x: 3
            """
        },
        ("x=4",),
    ),
    "anchors and merge keys": Form(
        {"config": "a: &x {p: 1, q: [1]}\nb: *x\nc: {<<: *x, r: 3}"}, ("b.p=4", "a.p=2", "c.r=1")
    ),
    "interpolations": Form(
        {
            "config": """
            a: {b: 1, c: [1, 2, {d: 4}]}
            k: b
            v: ${a.${k}}
            w: ${a.c.1}
            w2: ${a.c[2].d}
            rel: {x: 1, y: "${.x}", z: "${..a.b}", deep: {q: "${..x}", r: "${...k}"}, l: ["${..x}"]}
            esc: 'a\\${k}'
            sel: ${oc.select:none.there,7}
            dec: ${oc.decode:"[1,2]"}
            mix: "pre-${a.b}-${k}"
            ev: ${eval:'${a.b}*2+1'}
            quoted: ${eval:'1 if "${k}" == "b" else 2'}
            di: {u: "${a.b}", v: ["${k}", {w: "${a.b}"}]}
            env: ${oc.env:HOME_X,abc}
            env2: ${oc.env:HOME_X,null}
            own: ${my_res:${a.b},"x, y",3}
            whole: ${a}
            whole2: ${whole}
            missing: ???
            of_missing: ${missing}
            text_of_missing: x-${missing}
            nowhere: ${no.where}
            """
        },
        ("a.b=5", "k=c", "missing=3", "rel.x=7"),
    ),
    "an option that is a list": Form(
        {"config": "defaults: [aug: two]", "aug/one": "[1, 2]", "aug/two": "- {a: 1}\n- {b: 2}"}, ("aug=one",)
    ),
    "files without content": Form(
        {"config": "defaults: [a: one]", "a/one": "", "a/two": "# a comment", "a/three": "x: 1"}, ("a=two", "a=three")
    ),
    "a file beside a folder of its name": Form(
        {"config": "defaults: [a: x, a/x: y]", "a/x": "p: 1", "a/x/y": "r: 2"}, ("a/x=y",)
    ),
    "a primary config beside a group of its name": Form(
        {"config": "defaults: [config: run, default: b]\nRun: 3", "config/run": "default: 2", "default/b": "c: 1"},
        ("Run=4",),
    ),
    "options with other fields": Form(
        {
            "config": "defaults: [g: b]",
            "g/a": "x: 1\ny: {p: 1}",
            "g/b": "defaults: [a]\ny: {q: 2, p: 3}\nz: {p: 1}",
            "g/c": "y: 5\nx: null",
        },
        ("g=a", "g=c"),
    ),
    "an override of a choice of a choice": Form(
        {
            "config": "defaults: [algo: a, override /optim@algo.opt: sgd, _self_]",
            "algo/a": "defaults: [/optim@opt: adam, _self_]\nlr: 1",
            "optim/adam": "b: 1",
            "optim/sgd": "m: 1",
        },
        ("optim@algo.opt=adam",),
    ),
    "one group at two places": Form(
        {
            "config": "defaults: [db@source: a, db@x.y: b]\nx: {z: '${source.p}'}",
            "db/a": "p: 1",
            "db/b": "p: 2\nq: ${.p}",
        },
        ("db@source=b", "db@x.y=a", "source.p=5"),
    ),
    "several options at once": Form(
        {
            "config": "defaults: [cb: [a, b], _self_]\ncb: {a: {x: 9}}",
            "cb/a": "a: {x: 1}",
            "cb/b": "b: {y: 2}",
        },
        ("cb.a.x=3",),
    ),
    "a primary config on another": Form(
        {"base": "x: 1\ny: {z: 2}", "config": "defaults: [base, _self_]\nx: 2"},
        ("y.z=5",),
    ),
    "endings": Form(
        {"config": "defaults: [a: one.yaml, optional b: none.yaml]", "a/one": "x: 1", "a/two": "x: 2"},
        ("a=two",),
    ),
    "a null choice": Form({"config": "defaults: [a: null, _self_]", "a/one": "x: 1"}, ("a=one",)),
    "a required choice": Form(
        {"config": "defaults:\n- a: ???", "a/one": "x: 1", "a/two": "x: ???"},
        ("a=one", "a=two"),
    ),
    "settings of Hydra": Form(
        {
            "config": """
            defaults: [hydra: mine, override hydra/job_logging: colorlog, override hydra/sweeper: optuna]
            x: 1
            hydra: {run: {dir: x}}
            """,
            "hydra/mine": "run: {dir: y}",
        },
        ("x=2", "hydra=mine"),
    ),
    "an empty dict and a full one": Form(
        {"config": "defaults: [a: one]\nd: {}", "a/one": "p: {}", "a/two": "p: {q: {}}"}, ("a=two", "++d.x=1")
    ),
    "a node where others hold a value": Form(
        {
            "config": "defaults: [a: one]\nt: {u: 1}",
            "a/one": "n: ${t}",
            "a/two": "n: true",
            "a/three": "n: ${f}\nf: false",
        },
        ("a=two", "t.u=3"),
    ),
    "a node within a list": Form(
        {
            "config": """
            t: {u: 1, v: {w: "${t.u}"}}
            s: ${t}
            l: ["${t}", {n: "${t.v}", m: ["${s}"]}, 3]
            """,
        },
        ("t.u=2", "l=[1]"),
    ),
    "an option that holds a list where another chooses": Form(
        {
            "config": "defaults: [a: one]\nr: 4",
            "a/one": "defaults: [cb: c]\nx: 1",
            "a/two": "cb: [{k: '${r}'}, 2]\nx: 2",
            "a/cb/c": "p: 1",
        },
        ("a=two", "a=two r=5"),
    ),
    "a mapping that a patch adds to an option that lacks it": Form(
        {
            "config": "defaults: [data: a, e: null]",
            "data/a": "x: 1\nu: {p: 3, v: {w: 1}}",
            "data/b": "x: 1",
            "e/one": "# @package _global_\ndata: {u: {p: 1, v: {w: 2}}}",
            "e/two": "# @package _global_\ndefaults: [override /data: b]\ndata: {u: {p: 1, v: {w: 2}}}",
        },
        ("e=one", "e=two", "data=b e=one"),
    ),
    "what a patch adds may use what it adds": Form(
        {
            "config": "defaults: [e: null]\ng: {a: 1}",
            "e/one": "# @package _global_\ng: {k: s, l: ['${g.k}', '${g.a}']}",
        },
        ("e=one", "e=one g.a=2"),
    ),
    "a value within a list that uses what stands beside it": Form(
        {
            "config": "defaults: [a: one, e: null]\nn: 4",
            "a/one": "l: [{k: 1, m: '${.k}', p: {q: '${..m}', r: '${...r}'}}, '${.0}']\nr: ${..n}",
            "a/two": "defaults: [one]\nn: 5",
            "e/one": """
            # @package _global_
            d: {k: {x: 1, y: '${.x}', z: '${..j.w}'}, j: {w: '${d.k.x}', v: ['${..w}']}}
            """,
        },
        ("n=2", "e=one", "a=two e=one a.r=3"),
    ),
    "options that set values of the node around their group": Form(
        {
            "config": "defaults: [task: t, e: null]\nlr: 3",
            "task/t": "defaults: [_self_, opt: adam, sched: null]\nn: 1",
            "task/opt/adam": "# @package task\ncls: Adam\nargs: {lr: '${lr}'}",
            "task/opt/sgd": "# @package task\ncls: SGD\nargs: {lr: '${lr}', m: 0.5}",
            "task/sched/step": "# @package task\nsched: Step\nopt: {every: 3}",
            "e/one": "# @package _global_\ndefaults: [override /task/opt: sgd]\ntask: {n: 2}",
        },
        ("task/opt=sgd", "task/sched=step", "task/sched=step task/opt=sgd lr=4", "task.args.lr=5", "e=one"),
    ),
    "entries that start from the group whose option the file is": Form(
        {
            "config": "defaults: [m: small/one, e: null]",
            "m/base/b": "x: 1",
            "m/small/one": "defaults: [base/b, act: relu]\ny: 1",
            "m/small/two": "defaults: [one]\ny: 2",
            "m/act/relu": "r: 1",
            "m/small/act/tanh": "t: 1",
            "e/base/b": "# @package _global_\nz: 1\nw: 1",
            "e/deep/one": "# @package _global_\ndefaults: [base/b, override /m: small/one]\nz: 2",
        },
        ("e=deep/one", "m.x=3"),
    ),
    "an interpolation of one that gives nodes of two kinds": Form(
        {
            "config": """
            s: {k: 1}
            a: {p: 1}
            b: ${.a}
            c: {d: "${a}", e: "${u.v}"}
            defaults: [u: one]
            """,
            "u/one": "v: ${s}",
            "u/two": "v: {q: 3}",
        },
        ("u=two", "s.k=2", "a.p=3"),
    ),
    "an interpolation of a group of which nothing is chosen": Form(
        {"config": "defaults: [loss: null]\na: {b: '${loss}'}", "loss/mse": "x: 1"}, ("loss=mse",)
    ),
    "plain dicts whose keys are numbers": Form(
        {
            "config": "defaults: [d: one]\nt: {u: 1}\nm: {1: '${t}', 2: 5}\nn: {1: {a: 3}, 2: x}\ne: '${d.names}'",
            "d/one": "names: {1: cat, 2: dog}\nw: null",
            "d/two": "names: null\nw: {0: 0.5}",
        },
        ("d=two", "t.u=2"),
    ),
    "a value that a patch requires": Form(
        {
            "config": "defaults: [_self_, e: null]\na: x",
            "e/one": "# @package _global_\nneeded: ???\na: b-${needed}",
        },
        ("e=one",),
    ),
    "a file that is a text alone, and one that is empty": Form(
        {"config": "defaults: [m: a]\nx: 1", "m/a": "y: 1", "m/b": "hello", "m/c": ""}, ("m=b", "m=c")
    ),
    "a very deep mapping": Form(
        {"config": "\n".join(" " * depth + f"k{depth}:" for depth in range(60)) + " 1"}
    ),
    "an override by several options": Form(
        {
            "config": "defaults: [_self_, m: none, e: null]\nx: 1",
            "m/none": "",
            "m/a": "a: {p: '${x}'}",
            "m/b": "b: {q: 2}",
            "m/c": "c: 3",
            "e/one": "# @package _global_\ndefaults: [override /m: [a, b]]\nx: 2",
            "e/two": "# @package _global_\ndefaults: [override /m: [a, b.yaml, c]]\nm: {b: {q: 4}}",
        },
        ("e=one", "e=two", "m=c", "e=two x=5"),
    ),
    "an option that is several patches": Form(
        {
            "config": "defaults: [_self_, t: toy, tr: toy, m: gcn, tr/m: '${tr}_${m}']\na: {p: 1}",
            "t/toy": "defaults: [heads: toy, losses: toy]",
            "t/big": "defaults: [heads: big, losses: toy]",
            "t/heads/toy": "# @package _global_\na: {h: {n: 1}}",
            "t/heads/big": "# @package _global_\na: {h: {n: 2}}",
            "t/losses/toy": "# @package _global_\na: {l: [1]}",
            "tr/toy": "# @package _global_\na: {e: 1}",
            "tr/m/toy_gcn": "# @package _global_\na: {g: 1}",
            "m/gcn": "# @package _global_\na: {k: 1}",
        },
        ("t=big", "t/heads=big", "a.g=2", "tr/m=toy_gcn"),
    ),
    "a variable that is decoded": Form({"config": "n: ${oc.decode:${oc.env:GPUS}}\nm: ${oc.decode:'[1,2]'}"}),
}  # fmt: skip


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("form", FORMS)
def test_a_form_composes_as_with_hydra(form: str, exact: bool, tmp_path: Path) -> None:
    if form == "entries that start from the group whose option the file is" and not IS_1_3:
        pytest.skip("Hydra 1.4 composes this form otherwise")
    files, sets = FORMS[form]
    found = imported(tmp_path, files, exact=exact)
    assert found.unequal("", *sets) == []


def test_groups_in_many_folders_are_packages_which_python_finds_at_once(tmp_path: Path) -> None:
    group = "/".join(f"g{depth}" for depth in range(40))
    files = {"config": f"defaults: [{group}: x]", f"{group}/x": "lr: 1", f"{group}/y": "lr: 2"}
    found = imported(tmp_path, files)
    assert found.unequal("", f"{group}=y") == []
    assert (found.folder / "runs/g0/__init__.py").read_text() == ""


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
def test_of_two_groups_at_one_place_the_first_is_written_out(exact: bool, tmp_path: Path) -> None:
    files = {
        "config": "defaults: [g@p: a, h@p: b, q: c]\nx: 1",
        "g/a": "u: 1\nv: {w: 1, z: 2}",
        "g/d": "u: 2",
        "h/b": "v: {w: 3}",
        "h/e": "v: {w: 4, y: 5}",
        "q/c": "defaults: [/g@p: a, /h@p: b]\nr: 6",
    }
    found = imported(tmp_path, files, exact=exact)
    assert found.unequal("", "p.u=5", "q.p.v.w=7") == []
    assert ("conf/config.yaml:1", "g: a is written out, since h is chosen at the same place") in found.conversion.odd
    (another,) = found.results("h@p=e")
    dropped = "p.u is 1 with Hydra and no key with CN: a value that is set around a choice is dropped with the choice"
    assert another.cause == ("" if exact else dropped)
