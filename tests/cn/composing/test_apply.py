"""An override that chooses or sets what is not there is refused: what, where, the nearest right name, the next step."""

from __future__ import annotations

from typing import Any

import pytest

from cn import CN, UserError, compose

MODELS = "options are the subclasses of Model (models/__init__.py:6)"
CALLBACKS = "options are the subclasses of Callback (runs/callbacks/__init__.py:4)"
HELP = "see: python train.py --help"
VIT = f"  defined in models/vit.py:6\n  choose from: depth, dim, head, heads\n  {HELP}"

UNKNOWN_OPTIONS = {
    "model=vitt": f"no model is called 'vitt'\n  {MODELS}\n  nearest: vit, vit/small",
    "model=VIT": f"no model is called 'VIT'\n  {MODELS}\n  nearest: vit",
    "model=small": f"no model is called 'small'\n  {MODELS}\n  nearest: vit/small",
    "model=vit/Small": f"no model is called 'vit/Small'\n  {MODELS}\n  nearest: vit/small",
    "model=vit.small": f"no model is called 'vit.small'\n  {MODELS}\n  nearest: vit/small",
    "model=vit/vit": f"no model is called 'vit/vit'\n  {MODELS}\n  nearest: vit, vit/small",
    "model=": f"no model is called ''\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=3": f"no model is called '3'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=true": f"no model is called 'true'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=../x": f"no model is called '../x'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=/etc/passwd": f"no model is called '/etc/passwd'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=__init__": f"no model is called '__init__'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=head/__init__": f"no model is called 'head/__init__'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model=head/mean_pool": f"no model is called 'head/mean_pool'\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model='vit\u00e9'": f"no model is called 'vit\u00e9'\n  {MODELS}\n  nearest: vit, vit/small",
    "teacher=": f"no model is called ''\n  {MODELS}\n  choose from: mlp, vit, vit/small",
    "model/head=max_pool": "no model/head is called 'max_pool'\n"
    "  options are the subclasses of Head (models/head/__init__.py:4)\n  nearest: mean_pool",
    "callbacks=chekpoint": f"no callback is called 'chekpoint'\n  {CALLBACKS}\n  nearest: checkpoint",
    "callbacks=[stop,chekpoint]": f"no callback is called 'chekpoint'\n  {CALLBACKS}\n  nearest: checkpoint",
    "callbacks=[null]": f"no callback is called 'null'\n  {CALLBACKS}\n  choose from: checkpoint, stop",
    "callbacks=''": f"no callback is called ''\n  {CALLBACKS}\n  choose from: checkpoint, stop",
    "+callbacks/mine=early": f"no callback is called 'early'\n  {CALLBACKS}\n  choose from: checkpoint, stop",
}

UNKNOWN_FIELDS = {
    "model.dimm=3": f"ViT has no field 'dimm'\n  defined in models/vit.py:6\n  nearest: dim\n  {HELP}",
    "mod=3": f"Default has no field 'mod'\n  defined in runs/default.py:6\n  nearest: mode, model\n  {HELP}",
    "lr=3": f"Default has no field 'lr'\n  defined in runs/default.py:6\n  write: optim.lr=3\n  {HELP}",
    "dpeth=3": f"Default has no field 'dpeth'\n  defined in runs/default.py:6\n  nearest: model.depth\n  {HELP}",
    "every=3": "Default has no field 'every'\n  defined in runs/default.py:6\n"
    f"  write: callbacks.checkpoint.every=3\n  {HELP}",
    "model.droput=3": "ViT has no field 'droput'\n  defined in models/vit.py:6\n"
    f"  nearest: model.head.dropout\n  {HELP}",
    "model.width=3": "ViT has no field 'width'\n  defined in models/vit.py:6\n"
    f"  nearest: depth\n  a field of model=mlp\n  {HELP}",
    "model/head=mean_pool model.head.dim=3": "MeanPool has no field 'dim'\n  defined in models/head/mean_pool.py:4\n"
    f"  choose from: scale\n  a field of model/head=cls_token\n  {HELP}",
    "model=mlp model.depth=3": "MLP has no field 'depth'\n  defined in models/mlp.py:4\n  nearest: width\n"
    f"  a field of model=vit, vit/small\n  {HELP}",
    "model=mlp model/head=cls_token": "MLP has no field 'head'\n  defined in models/mlp.py:4\n  choose from: width\n"
    f"  a field of model=vit, vit/small\n  {HELP}",
    "model/nope=x": f"ViT has no field 'nope'\n{VIT}",
    "model.x.y=3": f"ViT has no field 'x'\n{VIT}",
    "callbacks.checkpoint.kep=3": "Checkpoint has no field 'kep'\n  defined in runs/callbacks/checkpoint.py:4\n"
    f"  nearest: keep\n  {HELP}",
    "optims/adamw=x": "Default has no field 'optims'\n  defined in runs/default.py:6\n"
    f"  nearest: optim, opts\n  {HELP}",
    "model.build=3": f"ViT has no field 'build'\n{VIT}",
    "model.__class__=3": f"ViT has no field '__class__'\n{VIT}",
    "model._target_=x": f"ViT has no field '_target_'\n{VIT}",
}

NODES_AND_VALUES = {
    "model.head=cls_token": "model.head is a node (Head), not a value\n  defined in models/vit.py:12\n"
    "  to choose it: model/head=cls_token",
    "model.head=3": "model.head is a node (Head), not a value\n  defined in models/vit.py:12\n"
    "  to choose it: model/head=NAME",
    "model.head={dim:3}": "model.head is a node (Head), not a value\n  defined in models/vit.py:12\n"
    "  to choose it: model/head=NAME",
    "model=[vit]": "one model is chosen, by its name\n  choose from: mlp, vit, vit/small",
    "model={depth:3}": "one model is chosen, by its name\n  choose from: mlp, vit, vit/small",
    "teacher={depth:3}": "one teacher is chosen, by its name\n  choose from: mlp, vit, vit/small",
    "callbacks={stop:1}": "each of callbacks is chosen by its name\n  choose from: checkpoint, stop",
    "callbacks=[[stop]]": "each of callbacks is chosen by its name\n  choose from: checkpoint, stop",
    "callbacks.checkpoint=stop": "callbacks.checkpoint is a node (Callback), not a value\n"
    "  defined in runs/__init__.py:25\n  to choose it: callbacks/checkpoint=stop",
    "optim/lr=3": "optim/lr is a value (float), not a node\n  defined in runs/optim/__init__.py:5\n"
    "  to set it: optim.lr=3",
    "opts/a=3": "opts/a is a value (dict[str, int]), not a node\n"
    "  defined in runs/__init__.py:36\n  to set it: opts.a=3",
    "teacher.depth=3": "teacher is not chosen, so it has no fields\n  write: teacher=NAME too (Model | None)",
    "teacher/head=cls_token": "teacher is not chosen, so it has no fields\n  write: teacher=NAME too (Model | None)",
    "seed.x=3": "seed is int, which has nothing inside it\n  defined in runs/__init__.py:28",
}

NOT_THERE = {
    "model=null": "model cannot be left out\n  defined in runs/__init__.py:22\n  choose from: mlp, vit, vit/small",
    "~model": "model cannot be left out\n  defined in runs/__init__.py:22\n  choose from: mlp, vit, vit/small",
    "~model=vit": "model cannot be left out\n  defined in runs/__init__.py:22\n  choose from: mlp, vit, vit/small",
    "model/head=null": "model/head cannot be left out\n"
    "  defined in models/vit.py:12\n  choose from: cls_token, mean_pool",
    "~teacher=vit": "teacher is not vit, so it is not deleted",
    "model=vit model/head@model.head=cls_token": "the attribute is the address, so no package is named\n"
    "  write: model/head=cls_token",
    "model@nowhere=vit": "the attribute is the address, so no package is named\n  write: model=vit",
    "+model=vitt": "no model is called 'vitt'\n"
    "  options are the subclasses of Model (models/__init__.py:6)\n  nearest: vit, vit/small",
    "+model={depth:3}": "one model is chosen, by its name\n  choose from: mlp, vit, vit/small",
    "+model=mlp": "model is chosen already\n  to change it: model=mlp",
    "~callbacks.nope": "callbacks holds no 'nope'\n  choose from: checkpoint",
    "~callbacks.checkpoint=stop": "callbacks.checkpoint is not stop, so it is not deleted",
    "~callbacks={a:1}": "callbacks holds no \"{'a': 1}\"\n  choose from: checkpoint",
    "~callbacks=stop": "callbacks holds no 'stop'\n  choose from: checkpoint",
    "~callbacks=[checkpoint,stop]": "callbacks holds no 'stop'\n  choose from: checkpoint",
    "callbacks.checkpont.keep=3": "callbacks holds no 'checkpont'\n  nearest: checkpoint",
    "callbacks.stop.patience=3": "callbacks holds no 'stop'\n  choose from: checkpoint\n  to add it: +callbacks=stop",
    "callbacks.usual.x.y=3": "callbacks holds no 'usual'\n  choose from: checkpoint\n"
    "  options to add: checkpoint, stop",
    "callbacks/mine=usual": "no callback is called 'usual'\n"
    "  options are the subclasses of Callback (runs/callbacks/__init__.py:4)\n  choose from: checkpoint, stop",
    "callbacks/mine=checkpoint": "callbacks holds no 'mine'\n  write: +callbacks/mine=checkpoint",
    "+callbacks/checkpoint=stop": "callbacks holds 'checkpoint' already\n  write: callbacks/checkpoint=stop",
    "+callbacks=checkpoint": "callbacks holds 'checkpoint' already\n"
    "  for a second one: +callbacks/OTHER_NAME=checkpoint",
    "callbacks=[stop,stop]": "callbacks holds 'stop' already\n  for a second one: +callbacks/OTHER_NAME=stop",
    "callbacks/checkpoint=null": "an entry of callbacks cannot be null\n  to drop it: ~callbacks.checkpoint",
}


def check(refused: Any, table: dict[str, str], words: str) -> None:
    assert refused(*words.split()) == f"{words.split()[-1]}: {table[words]}"


@pytest.mark.parametrize("words", UNKNOWN_OPTIONS)
def test_an_unknown_option(refused: Any, words: str) -> None:
    check(refused, UNKNOWN_OPTIONS, words)


@pytest.mark.parametrize("words", UNKNOWN_FIELDS)
def test_an_unknown_field_or_group(refused: Any, words: str) -> None:
    check(refused, UNKNOWN_FIELDS, words)


@pytest.mark.parametrize("words", NODES_AND_VALUES)
def test_a_value_for_a_node_and_a_node_for_a_value(refused: Any, words: str) -> None:
    check(refused, NODES_AND_VALUES, words)


@pytest.mark.parametrize("words", NOT_THERE)
def test_what_cannot_be_left_out_or_is_not_there(refused: Any, words: str) -> None:
    check(refused, NOT_THERE, words)


def test_many_fields_and_options_are_cut_short(refused: Any, node_tree: Any) -> None:
    node_tree({f"runs/optim/o{i}.py": f"from runs.optim import Optim\nclass O{i}(Optim): ...\n" for i in range(20)})
    assert (
        refused("optim=zzz").split("\n")[-1] == "  choose from: adamw, o0, o1, o10, o11, o12, o13, o14, ... (21 in all)"
    )
    assert refused("optim=null").split("\n")[-1] == "  choose from: adamw, o0, o1, o10, o11, o12, o13, o14, ..."


@pytest.mark.parametrize("word", ["model='{}'", "seed='{}'", "{}=3", "model.{}=3", "callbacks='[{}]'"])
def test_no_input_makes_a_long_message(refused: Any, word: str) -> None:
    for text in ("x" * 5000, "a\\nb" * 100, "a b" * 1000, "é" * 500, "$" * 300):
        assert len(refused(word.format(text))) < 1500


class Deep(CN):
    inner: int = 1


class Middle(CN):
    deep: Deep = Deep()


class Outer(CN):
    middle: Middle = Middle()


class Nest(CN):
    inner: Outer = Outer()


def test_a_name_that_occurs_twice_in_a_path_is_looked_for_where_it_is_wrong() -> None:
    with pytest.raises(UserError) as caught:
        compose(Nest, ["inner.middle.inner=3"])
    assert "\n  write: inner.middle.deep.inner=3\n" in str(caught.value)
