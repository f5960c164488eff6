"""The variants of a run share what no override changes, and equal runs that are composed one by one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import cn
from cn import UserError
from cn.nodes.former import before
from cn.nodes.to_json import plain
from cn.nodes.traversal import walk
from cn.sweeping.planning.plan import identity
from cn.sweeping.planning.variants import ENCODE, Variants
from models.vit import ViT
from runs.cifar_vit import CifarViT
from runs.default import Default

WORDS = (
    [],
    ["seed=3"],
    ["optim.lr=0.5"],
    ["model=resnet18"],
    ["model=resnet18", "optim.lr=0.5", "seed=2"],
    ["model=vit", "model.depth=3"],
    ["model.depth=3"],
    ["model.depth=3", "model/head=cls_token"],
    ["model=vit/small", "model.heads=2", "model/head=mean_pool"],
    ["+callbacks=early_stopping", "callbacks.early_stopping.patience=3"],
    ["callbacks=[early_stopping]", "seed=${epochs}"],
    ["model=${oc.decode:vit}", "epochs=2"],
    ["optim=sgd", "optim.lr=${oc.decode:'0.1'}"],
    ["schedule=cosine"],
    ["epochs=3", "model=mlp"],
)


@pytest.mark.parametrize(
    "base", [CifarViT(), Default(model=ViT(dim=96, depth=3), epochs=4)], ids=["cifar_vit", "default"]
)
def test_each_variant_equals_the_run_composed_alone(base: Any):
    variants = Variants(base)
    first = copy.deepcopy(plain(variants.base))
    for words in [*WORDS, *reversed(WORDS)]:
        alone, (run, of) = cn.compose(base, words), composed(variants, words)
        assert run == alone
        assert [(where, node._frozen, node._derived) for where, node in walk(run)] == [
            (where, node._frozen, node._derived) for where, node in walk(alone)
        ]
        record = of.record(run)
        assert record == plain(alone)
        assert of.encoded(before(run, record, of.former)) == ENCODE(before(alone, plain(alone)))
        assert identity(run, record, words, of) == identity(alone, plain(alone), words)
    assert plain(variants.base) == first


def test_an_error_is_the_same_as_for_the_run_composed_alone():
    words = ["model=${data}", "epochs=2"]
    with pytest.raises(UserError) as alone:
        cn.compose(CifarViT(), words)
    with pytest.raises(UserError) as raised:
        composed(Variants(CifarViT()), words)
    assert str(raised.value) == str(alone.value)


def test_what_no_override_changes_is_made_once():
    variants = Variants(CifarViT())
    run, of = composed(variants, ["model.depth=3"])
    assert run.model is not of.base.model
    assert run.model.head is of.base.model.head
    assert run.optim is of.base.optim
    assert of.record(run)["optim"] is of.records[id(of.base.optim)]
    other, _ = composed(variants, ["model=resnet18", "seed=1"])
    again, _ = composed(variants, ["model=resnet18", "seed=2"])
    assert other.model is again.model


def composed(variants: Variants, words: list[str]) -> tuple[Any, Variants]:
    of, rest = variants.of(words)
    return of.run(rest), of
