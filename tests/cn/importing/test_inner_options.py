"""Options of an inner group that the group around it chooses: `model: encoder/resnet`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cn.importing.trees import IS_1_3, imported

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_1_3, reason="Hydra 1.4 takes an option of an inner group otherwise"),
]


FILES = {
    "config": """
    defaults: [model: encoder/resnet, net: unet, _self_, p: null]
    x: ${model.depth}
    model: {w: 4, n: {q: 1}}
    """,
    "model/plain": "p: 1",
    "model/encoder/resnet": "depth: 3\nw: 1\nclass: 3\nn: {q: 2, class: 2}",
    "model/encoder/vi-t": "depth: 5\nq: 2",
    "net/unet": "defaults: [/model/encoder@enc: vi-t, _self_]\nn: 1",
    "p/one": "# @package _global_\ndefaults: [override /model: encoder/vi-t]\nmodel: {depth: 7}",
}


def test_an_option_of_an_inner_group_that_the_tree_chooses_for_the_outer_one_is_the_class_of_the_inner_one(
    tmp_path: Path,
) -> None:
    found = imported(tmp_path, FILES)
    assert found.text("runs/config.py").partition('"""\n\n')[2] == (
        """    model: Model | Encoder = Resnet(w=4, n=_N(q=1))
    net: Net = Unet()
    x: int = derive(lambda run: run.model.depth)
"""
    )
    assert found.unequal("", "model.depth=9", "model.class=7", "model/encoder@net.enc=resnet") == []


def test_with_exact_an_outer_group_can_choose_every_option_of_an_inner_one(tmp_path: Path) -> None:
    files = {**FILES, "model/encoder/other": "a: 1", "config": FILES["config"].replace("encoder/resnet", "plain")}
    sets = ["", "model=encoder/resnet", "model=encoder/vi-t", "model=encoder/other", "model=plain", "p=one"]
    assert imported(tmp_path, files, exact=True).unequal(*sets) == []


def test_without_exact_what_the_tree_never_chooses_so_is_told(tmp_path: Path) -> None:
    (result,) = imported(tmp_path, {**FILES, "model/encoder/other": "a: 1"}).results("model=encoder/other")
    assert (result.verdict, result.cause) == (
        "refused",
        "model has no option encoder/other: it is an option of the group model/encoder, and no file chooses it for "
        "model; --exact lets model choose it",
    )


FOLLOWS = {
    "config": "defaults: [env: x, algo/net: '${env}', algo: base, _self_]",
    "env/x": "e: 1",
    "env/y": "e: 2",
    "algo/base": "k: 1",
    "algo/other": "k: 2",
    "algo/net/x": "n: 1",
    "algo/net/y": "n: 2",
}


@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
@pytest.mark.parametrize("values", ["", "algo: {net: {n: 7}}"], ids=["alone", "with values around it"])
def test_a_choice_within_an_option_follows_another_whatever_is_chosen_around_it(
    values: str, exact: bool, tmp_path: Path
) -> None:
    config = f"{FOLLOWS['config']}\n{values}"
    found = imported(tmp_path, {**FOLLOWS, "config": config}, exact=exact)
    follows = exact or not values
    kept = '"+algo.net": derive(lambda run: option_of(run.env)),'
    assert (kept in found.text("runs/config.py")) == follows
    sets = ["", "algo/net=y", "algo=other", "env=y", "algo=other env=y"]
    assert found.unequal(*(sets if follows else sets[:1])) == []


NOT_AGAIN = "is not chosen again beside another choice around it"


@pytest.mark.parametrize(
    ("key", "values", "told"),
    [
        ("optional algo/net", "", ("conf/config.yaml:1", f"algo/net: ${{env}} {NOT_AGAIN}")),
        (
            "algo/net",
            "algo: {net: {n: 7}}",
            ("conf/config.yaml", f"algo.net {NOT_AGAIN}, since values are set in it"),
        ),
    ],
)
def test_a_choice_within_an_option_that_cannot_follow_another_is_told(
    key: str, values: str, told: tuple[str, str], tmp_path: Path
) -> None:
    config = FOLLOWS["config"].replace("algo/net", key)
    found = imported(tmp_path, {**FOLLOWS, "config": f"{config}\n{values}"})
    assert found.unequal("") == []
    assert found.conversion.odd == [
        ("conf/config.yaml:1", "net follows ${env}; here it is x, whatever else is chosen"),
        told,
    ]
