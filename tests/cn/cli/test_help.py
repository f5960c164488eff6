"""`--help` says what can be chosen, and the fields of what is chosen; the same knowledge completes words."""

from __future__ import annotations

from typing import Any

import pytest

from cn import UserError
from cn.cli.help import FLAGS, complete, help_text
from tests.cn.conftest import python

PAGE = """\
python train.py [NAME=VALUE ...]

choose
  run         bare cifar/vit [default]
  model       mlp [vit] vit/small
  teacher     [null] mlp vit vit/small
  optim       [adamw]
  callbacks   [checkpoint] of [checkpoint] stop
  model/head  [cls_token] mean_pool

Default, runs/default.py:6
  steps      int                    100
  warmup     int                    5            steps
  seed       int                    1
  name       str                    x
  clip       float | None           null         norm of the gradient
  mode       one of train, eval     train
  precision  one of 'fp32', 'bf16'  fp32
  out        Path                   out
  betas      tuple[float, float]    [0.9, 0.99]
  tasks      list[str]              [cola]
  opts       dict[str, int]         {a: 1}
  flag       bool                   false
  either     int | str              3
  anything   a plain value          null

model = ViT, models/vit.py:6
  Vision transformer.
  model.dim    int  192  channels
  model.depth  int  12   blocks
  model.heads  int  3

model.head = ClsToken, models/head/cls_token.py:4
  model.head.dim      int    16   channels
  model.head.dropout  float  0.0  in [0, 1)

optim = AdamW, runs/optim/adamw.py:4
  optim.lr     float  0.001  step size
  optim.decay  float  0.2

callbacks.checkpoint = Checkpoint, runs/callbacks/checkpoint.py:4
  callbacks.checkpoint.every  int  3  epochs
  callbacks.checkpoint.keep   int  2

"""
FLAG_LINES = FLAGS.replace("SCRIPT", "train.py")


@pytest.fixture
def page(tree: Any) -> Any:
    def page(*words: str) -> str:
        from runs import Run

        text = help_text(Run, None, list(words))
        assert text.endswith(FLAG_LINES)
        return text[: -len(FLAG_LINES)]

    return page


def test_the_page_is_that_of_the_default_run(page: Any) -> None:
    assert page() == PAGE


def test_the_page_follows_what_is_chosen(page: Any) -> None:
    text = page("model=mlp", "teacher=vit/small", "teacher/head=cls_token", "callbacks=[stop]", "model.width=7")
    assert "  model         [mlp] vit vit/small\n  teacher       null mlp vit [vit/small]\n" in text
    assert "  teacher/head  [cls_token] mean_pool\n" in text
    assert "  callbacks     [stop] of checkpoint [stop]\n" in text
    assert "model = MLP, models/mlp.py:4\n  model.width  int  7  channels\n" in text
    assert "teacher.head = ClsToken, models/head/cls_token.py:4\n" in text


def test_what_is_missing_is_shown_and_told(page: Any) -> None:
    text = page("run=bare")
    assert "  optim       adamw\n" in text
    assert "  warmup     int                    derived      steps\n" in text
    assert text.endswith(
        "\nnot complete: optim is required and was not given\n  defined in runs/__init__.py:24\n"
        "  write: optim=... (Optim)\n\n"
    )


def test_a_check_that_fails_is_told_on_the_page(page: Any) -> None:
    assert "\nnot complete: model: dim 192 does not divide by 5 heads\n" in page("model.heads=5")


def test_a_mistake_in_an_override_is_an_error(page: Any) -> None:
    with pytest.raises(UserError, match="model=vitt: no model is called 'vitt'"):
        page("model=vitt")
    with pytest.raises(UserError, match="run=nope: no run is called 'nope'"):
        page("run=nope")


def test_a_broken_file_is_shown_with_the_reason(page: Any, node_tree: Any) -> None:
    node_tree(
        {
            "models/bad.py": "import nowhere_at_all\n",
            "models/worse.py": python("from models import Model", "class Worse(Model):", "    size = 3"),
        }
    )
    text = page()
    assert "  model       mlp [vit] vit/small\n" in text
    assert text.count("cannot be used") == 2
    assert (
        "  model/head  [cls_token] mean_pool\n"
        "  cannot be used: models/bad.py: models/bad.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'\n"
        "  cannot be used: models/worse.py: Worse.size has no annotation, so it would not be a field\n"
    ) in text


def test_a_tree_without_a_default_run_shows_the_runs_that_there_are(node_tree: Any) -> None:
    node_tree(
        {
            "runs/__init__.py": python("from cn import CN", "class Run(CN):", "    seed: int = 1  # any"),
            "runs/one.py": python("from runs import Run", "class One(Run): ..."),
        }
    )
    from runs import Run

    assert help_text(Run, None, []) == (
        "python train.py [NAME=VALUE ...]\n\nchoose\n  run  one\n\n"
        "not complete: no run is chosen, and none is called 'default'\n  choose from: one\n  write: run=NAME\n\n"
        + FLAG_LINES
    )
    assert "One, runs/one.py:2\n  seed  int  1  any\n" in help_text(Run, None, ["run=one"])
    assert complete(Run, ["ru"]) == ["run="]
    assert complete(Run, ["run="]) == ["run=one"]
    assert complete(Run, ["run=one", "s"]) == ["seed="]


def test_a_long_list_of_options_is_folded_and_a_strange_value_is_quoted(page: Any, node_tree: Any) -> None:
    node_tree({f"runs/optim/o{i}.py": f"from runs.optim import Optim\nclass O{i}(Optim): ...\n" for i in range(40)})
    text = page("name='a\nb'", "tasks=[]", "clip=nan")
    assert all(len(line) <= 100 for line in text.split("\n"))
    assert "\n  name       str                    'a\\nb'\n" in text
    assert "\n  tasks      list[str]              []\n" in text
    assert "\n  clip       float | None           nan          norm" in text


COMPLETIONS = {
    "mod": ["mode=", "model.depth=", "model.dim=", "model.head.dim=", "model.head.dropout=", "model.heads=",
            "model/head=", "model="],
    "model=": ["model=mlp", "model=vit", "model=vit/small"],
    "model=v": ["model=vit", "model=vit/small"],
    "model=vit,": ["model=vit,mlp", "model=vit,vit", "model=vit,vit/small"],
    "model/head=": ["model/head=cls_token", "model/head=mean_pool"],
    "teacher=n": ["teacher=null"],
    "callbacks=": ["callbacks=checkpoint", "callbacks=stop"],
    "callbacks=[": ["callbacks=[checkpoint", "callbacks=[stop"],
    "callbacks=[stop,": ["callbacks=[stop,checkpoint", "callbacks=[stop,stop"],
    "+callbacks=s": ["+callbacks=stop"],
    "~c": ["~callbacks.checkpoint"],
    "mode=": ["mode=eval", "mode=train"],
    "precision=b": ["precision=bf16"],
    "flag=": ["flag=false", "flag=true"],
    "clip=": ["clip=null"],
    "seed=": [],
    "optim.lr=": [],
    "nothing=": [],
    "run=cifar/vit model.": ["model.depth=", "model.dim=", "model.head.scale=", "model.heads="],
    "model=mlp model.": ["model.width="],
    "nonsense=3 [ model=mlp --cfg job model.": ["model.width="],
    "teacher=vit teacher/": ["teacher/head="],
    "run=bare op": ["optim=", "opts="],
    "run=": ["run=bare", "run=cifar/vit", "run=default"],
}  # fmt: skip


@pytest.mark.parametrize("line", COMPLETIONS)
def test_the_last_word_is_completed_to_what_fits_the_words_before(tree: Any, line: str) -> None:
    from runs import Run

    assert complete(Run, line.split(" ")) == COMPLETIONS[line]


def test_an_empty_word_is_completed_to_every_key(tree: Any) -> None:
    from runs import Run

    keys = complete(Run, [])
    assert {"run=", "model=", "model/head=", "callbacks.checkpoint.every=", "seed="} <= set(keys)
    assert len(keys) == len(set(keys)) == 29
