"""Interpolations of keys that Python names otherwise, of nodes and of items: they give what Hydra's do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cn.importing.trees import imported

pytestmark = pytest.mark.slow

REFERENCES = {
    "a keyword beside it": "m: {class: r, name: '${.class}-x'}",
    "a key with a hyphen beside it": "m: {batch-size: 8, total: '${.batch-size}'}",
    "a keyword above it": "m: {class: 3, n: {up: '${..class}', l: ['${...class}', {x: '${..[0]}'}]}}",
    "an item of a list": "m: {sizes: [1, 2], first: '${.sizes[0]}', n: {second: '${..sizes.1}'}}",
    "an item of a plain dict": "m: {d: {a: 1, s: {k: 2}}, n: {a: '${..d.a}', s: '${..d.s}'}, w: '${.d.a}'}\nd: ${m.d}",
    "a mapping above it": "data: {p: x}\nloader: {data: '${..data}'}",
    "a mapping below one beside it": "m: {a: {b: {k: 1}}, y: '${.a.b}'}",
    "a mapping above it, in a list": "m: {a: {k: 1}, n: {l: ['${...a}']}}",
    "a mapping that a reference beside it gives": "x: ${m.a}\nm: {a: '${.b}', b: {k: 1}}",
    "a value of a mapping that a reference gives": "m: {x: 1, class: 3}\na: ${m}\nb: ${a.x}\nc: ${a.class}",
    "the mapping that holds it": "m: {a: {k: 1, up: '${..a}', n: {x: '${...a}'}}}",
    "a key above a mapping that another one refers to": "m: {x: '${d}'}\nd: {n: {k: '${...s}'}, k: '${..s}'}\ns: 1",
    "an address of the mapping that holds it": "m: {a: {k: 1, up: '${m.a}', n: {x: '${m}'}}}",
    "oc.select of a keyword": "m: {class: 3, n: {up: '${oc.select:..class,1}'}}\nx: ${oc.select:m.class,2}",
    "oc.select in a list": "m: {a: 3, l: ['${oc.select:..a,1}', '${oc.select:..gone,5}']}",
}


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_gives_what_it_gives_with_hydra(reference: str, exact: bool, tmp_path: Path) -> None:
    assert imported(tmp_path, {"config": REFERENCES[reference]}, exact=exact).unequal("") == []


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
def test_a_patch_refers_to_keys_that_it_adds(exact: bool, tmp_path: Path) -> None:
    patch = """
    # @package _global_
    with: {q: 1, r: '${.q}'}
    class: 3
    y: ${class}
    build: 4
    z: ${build}
    a b: {u: '${..n}', v: '${n}'}
    m: {if: 5, q-r: 6, t: '${.if}', u: '${m.q-r}'}
    """
    files = {"config": "defaults: [_self_, e: null]\nn: 1\nm: {k: 2}", "e/x": patch}
    assert imported(tmp_path, files, exact=exact).unequal("", "e=x") == []


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("other", ["{j: 1}", "3"], ids=["a mapping", "a value"])
def test_an_option_that_two_mappings_hold_refers_to_what_each_of_them_has(
    other: str, exact: bool, tmp_path: Path
) -> None:
    config = f"defaults: [s@a.s: x, s@b.s: x]\na: {{lr: 1, n: {{k: 1}}}}\nb: {{lr: big, n: {other}}}"
    files = {"config": config, "s/x": "v: ${..lr}\nw: ${..n}\nl: ['${...n}']"}
    assert imported(tmp_path, files, exact=exact).unequal("") == []


def test_the_type_of_what_an_interpolation_of_a_mapping_above_gives_is_its_class(tmp_path: Path) -> None:
    text = imported(tmp_path, {"config": REFERENCES["a mapping above it"]}).text("runs/config.py")
    assert "    data: _Data = derive(lambda run, node: above(run, node, 1).data)\n" in text
