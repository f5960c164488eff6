"""`--explain` names, for each value, the places that set it: the first of them gave the default, the last one won."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cn.cli.explain import explain_text
from cn.writing.record import dump
from tests.cn.conftest import python


@pytest.fixture
def page(tree: Any) -> Any:
    def page(words: str, address: str = "", folder: Path | None = None) -> str:
        from cn import load
        from runs import Run

        base = load(folder) if folder else None
        return explain_text(Run, base, words.split(), address, folder) + "\n"

    return page


ALL = """\
run = ViT                               runs/cifar/vit.py:6; command line, run=cifar/vit
model = Small
  ViT                                   Run, runs/__init__.py:22
  Small                                 ViT, runs/cifar/vit.py:7
teacher = MLP
  null                                  Run, runs/__init__.py:23
  MLP                                   command line, teacher=mlp
optim = AdamW
  required                              Run, runs/__init__.py:24
  AdamW                                 Default, runs/default.py:7
callbacks = {checkpoint: Checkpoint, stop: Stop}
  {checkpoint: Checkpoint}              Run, runs/__init__.py:25
  {checkpoint: Checkpoint, stop: Stop}  command line, callbacks=[checkpoint,stop], where checkpoint keeps its values
steps = 200
  100                                   Run, runs/__init__.py:26
  200                                   command line, steps=200
warmup = 10                             Run, runs/__init__.py:27, derived
seed = 200
  1                                     Run, runs/__init__.py:28
  7                                     ViT, runs/cifar/vit.py:8
  200                                   command line, seed=${steps}
name = x                                Run, runs/__init__.py:29
clip = null                             Run, runs/__init__.py:30
mode = train                            Run, runs/__init__.py:31
precision = fp32                        Run, runs/__init__.py:32
out = out                               Run, runs/__init__.py:33
betas = [0.9, 0.99]                     Run, runs/__init__.py:34
tasks = [cola]                          Run, runs/__init__.py:35
opts = {a: 3, b: 4}
  {a: 1}                                Run, runs/__init__.py:36
  {a: 3}                                command line, opts.a=3
  {a: 3, b: 4}                          command line, +opts.b=4
flag = false                            Run, runs/__init__.py:37
either = 3                              Run, runs/__init__.py:38
anything = null                         Run, runs/__init__.py:39
model.dim = 384
  192                                   ViT, models/vit.py:9
  384                                   Small, models/vit.py:23
model.depth = 3
  9                                     ViT, models/vit.py:10
  3                                     ViT.model, runs/cifar/vit.py:7
model.heads = 6
  3                                     ViT, models/vit.py:11
  6                                     Small, models/vit.py:24
model.head = MeanPool                   ViT, models/vit.py:12
model.head.scale = 1.0                  MeanPool, models/head/mean_pool.py:5
teacher.width = 32                      MLP, models/mlp.py:5
optim.lr = 0.001                        Optim, runs/optim/__init__.py:5
optim.decay = 0.2
  0.1                                   AdamW, runs/optim/adamw.py:5
  0.2                                   Default.optim, runs/default.py:7
callbacks.checkpoint.every = 3
  1                                     Callback, runs/callbacks/__init__.py:5
  3                                     Run.callbacks, runs/__init__.py:25
callbacks.checkpoint.keep = 2           Checkpoint, runs/callbacks/checkpoint.py:5
callbacks.stop.every = 1                Callback, runs/callbacks/__init__.py:5
callbacks.stop.patience = 2
  5                                     Stop, runs/callbacks/stop.py:5
  2                                     command line, callbacks.stop.patience=2
"""


def test_without_an_address_every_value_is_explained(program: Any) -> None:
    words = ["steps=200", "opts.a=3", "+opts.b=4", "callbacks=[checkpoint,stop]", "callbacks.stop.patience=2"]
    done = program("--explain", "run=cifar/vit", *words, "seed=${steps}", "teacher=mlp")
    assert (done.returncode, done.stdout, done.stderr) == (0, ALL, "")


PAGES = {
    "one value": (
        "--explain optim.decay optim.decay=0.3",
        """\
optim.decay = 0.3
  0.1  AdamW, runs/optim/adamw.py:5
  0.2  Default.optim, runs/default.py:7
  0.3  command line, optim.decay=0.3
""",
    ),
    "a node and what is below it, whose presets are its parent's": (
        "--explain model",
        """\
model = ViT               Run, runs/__init__.py:22
model.dim = 192           ViT, models/vit.py:9
model.depth = 12
  9                       ViT, models/vit.py:10
  12                      Run.model, runs/__init__.py:22
model.heads = 3           ViT, models/vit.py:11
model.head = ClsToken
  MeanPool                ViT, models/vit.py:12
  ClsToken                Run.model, runs/__init__.py:22
model.head.dim = 16
  8                       ClsToken, models/head/cls_token.py:5
  16                      Run.model, runs/__init__.py:22
model.head.dropout = 0.0  ClsToken, models/head/cls_token.py:6
""",
    ),
    "another choice drops the presets": (
        "run=cifar/vit model=vit model/head=cls_token --explain model",
        """\
model = ViT
  ViT                     Run, runs/__init__.py:22
  Small                   ViT, runs/cifar/vit.py:7
  ViT                     command line, model=vit
model.dim = 192           ViT, models/vit.py:9
model.depth = 9           ViT, models/vit.py:10
model.heads = 3           ViT, models/vit.py:11
model.head = ClsToken
  MeanPool                ViT, models/vit.py:12
  ClsToken                command line, model/head=cls_token
model.head.dim = 8        ClsToken, models/head/cls_token.py:5
model.head.dropout = 0.0  ClsToken, models/head/cls_token.py:6
""",
    ),
    "the same choice keeps the presets": (
        "run=cifar/vit model=vit/small --explain model.depth",
        "model.depth = 3\n  9  ViT, models/vit.py:10\n  3  ViT.model, runs/cifar/vit.py:7\n",
    ),
    "an entry that is chosen anew has no presets": (
        "callbacks=[] +callbacks=checkpoint --explain callbacks",
        """\
callbacks = {checkpoint: Checkpoint}
  {checkpoint: Checkpoint}      Run, runs/__init__.py:25
  {}                            command line, callbacks=[]
  {checkpoint: Checkpoint}      command line, +callbacks=checkpoint
callbacks.checkpoint.every = 1  Callback, runs/callbacks/__init__.py:5
callbacks.checkpoint.keep = 2   Checkpoint, runs/callbacks/checkpoint.py:5
""",
    ),
    "a slash for a dot, as in what chooses it": (
        "--explain model/head model/head=mean_pool",
        """\
model.head = MeanPool
  MeanPool              ViT, models/vit.py:12
  ClsToken              Run.model, runs/__init__.py:22
  MeanPool              command line, model/head=mean_pool
model.head.scale = 1.0  MeanPool, models/head/mean_pool.py:5
""",
    ),
    "a value that is derived": ("--explain warmup", "warmup = 5  Run, runs/__init__.py:27, derived\n"),
    "a derived value that is given": (
        "--explain warmup warmup=7",
        "warmup = 7\n  derived  Run, runs/__init__.py:27, derived\n  7        command line, warmup=7\n",
    ),
    "an entry of a dict": (
        "--explain opts.a",
        "opts = {a: 1}  Run, runs/__init__.py:36\n",
    ),
    "the run itself": ("--explain run", "run = Default  runs/default.py:6; no run=NAME is given\n"),
    "what is missing": (
        "run=bare --explain optim",
        "optim is required and was not given  Run, runs/__init__.py:24\n\n"
        "not complete: optim is required and was not given\n  defined in runs/__init__.py:24\n"
        "  write: optim=... (Optim)\n",
    ),
    "what is derived, but not yet": (
        "run=bare --explain warmup",
        "warmup is derived once the run is complete  Run, runs/__init__.py:27, derived\n\n"
        "not complete: optim is required and was not given\n  defined in runs/__init__.py:24\n"
        "  write: optim=... (Optim)\n",
    ),
    "values that do not go together": (
        "model.heads=5 --explain model.heads",
        "model.heads = 5\n  3  ViT, models/vit.py:11\n  5  command line, model.heads=5\n\n"
        "not complete: model: dim 192 does not divide by 5 heads\n  ViT is defined in models/vit.py:6\n",
    ),
}


@pytest.mark.parametrize("case", PAGES)
def test_the_page_is_of_the_value_and_of_those_below_it(program: Any, case: str) -> None:
    line, expected = PAGES[case]
    done = program(*line.split())
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_a_recorded_value_comes_from_the_record(page: Any, run: Any, tmp_path: Path) -> None:
    dump(run("run=cifar/vit", "model.depth=5", "steps=200"), tmp_path)
    assert page("seed=3", "model.depth", tmp_path) == (
        f"model.depth = 5\n  9  ViT, models/vit.py:10\n  3  ViT.model, runs/cifar/vit.py:7\n  5  --from {tmp_path}\n"
    )
    assert page("seed=3", "seed", tmp_path).endswith(
        f"  7  ViT, runs/cifar/vit.py:8\n  7  --from {tmp_path}\n  3  command line, seed=3\n"
    )
    assert page("", "run", tmp_path) == f"run = ViT  runs/cifar/vit.py:6; --from {tmp_path}\n"
    assert page("model=vit", "model.depth", tmp_path) == "model.depth = 9  ViT, models/vit.py:10\n"


def test_a_recorded_value_that_was_derived_is_derived_anew_once_anything_is_changed(
    page: Any, run: Any, tmp_path: Path
) -> None:
    dump(run(), tmp_path)
    derived = "Run, runs/__init__.py:27, derived\n"
    assert page("", "warmup", tmp_path) == f"warmup = 5\n  derived  {derived}  5        --from {tmp_path}\n"
    assert page("steps=200", "warmup", tmp_path) == f"warmup = 10  {derived}"


def test_a_preset_that_is_written_is_named_also_where_it_is_the_default(page: Any, node_tree: Any) -> None:
    node_tree(
        {
            "runs/same.py": python(
                "from models import Model",
                "from models.head.mean_pool import MeanPool",
                "from models.vit import ViT",
                "from runs.callbacks import Callback",
                "from runs.callbacks.stop import Stop",
                "from runs.default import Default",
                "class Same(Default):",
                "    model: Model = ViT(depth=9, head=MeanPool(scale=1.0))",
                "    callbacks: dict[str, Callback] = {'stop': Stop(patience=5)}",
            )
        }
    )
    assert page("run=same", "model.depth").endswith("  9  ViT, models/vit.py:10\n  9  Same.model, runs/same.py:8\n")
    assert page("run=same", "model.dim") == "model.dim = 192  ViT, models/vit.py:9\n"
    assert page("run=same", "model.head.scale").endswith("  1.0  Same.model, runs/same.py:8\n")
    assert page("run=same", "callbacks.stop.patience").endswith("  5  Same.callbacks, runs/same.py:9\n")
    assert "Same" not in page("run=same", "callbacks.stop.every")


MISTAKES = {
    "--explain optim.lrr": "--explain optim.lrr: there is no value at optim.lrr\n"
    "  nearest: optim.lr, optim, optim.decay\n  see: python train.py --help\n",
    "--explain opts.b": "--explain opts.b: there is no value at opts.b\n"
    "  nearest: opts, optim.lr\n  see: python train.py --help\n",
    "--explain optim.lr=x": "optim.lr=x: optim.lr is float, not 'x'\n  defined in runs/optim/__init__.py:5\n",
    "--explain run=nope": "run=nope: no run is called 'nope'\n"
    "  options are the subclasses of Run (runs/__init__.py:19)\n  choose from: bare, cifar/vit, default\n",
    "-m seed=1,2 --explain": "--explain does not go together with -m\n  leave out one of the two\n",
    "--explain --cfg job": "--explain does not go together with --cfg\n  leave out one of the two\n",
    "--explain seed --save-as x": "--explain does not go together with --save-as\n  leave out one of the two\n",
    "--explain seed hydra.job.name=x": "--explain does not go together with Hydra's own options\n"
    "  leave out one of the two\n",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_exits_with_2_and_says_what_to_do(program: Any, line: str) -> None:
    done = program(*line.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", MISTAKES[line])


def test_an_override_with_a_tilde_is_no_address(page: Any, program: Any) -> None:
    done = program("--explain", "~callbacks.checkpoint", "run=cifar/vit")
    assert "\ncallbacks = {}\n" in done.stdout
    assert "  {}                        command line, ~callbacks.checkpoint\n" in done.stdout


def test_composing_takes_no_note_of_anything(run: Any) -> None:
    sys.modules.pop("cn.cli.explain", None)
    run("model=mlp", "seed=3")
    assert "cn.cli.explain" not in sys.modules


HELD = """\
from cn import CN, derive

class Inner(CN):
    size: int = 1

class Holder(CN):
    inner: Inner = derive(lambda run: Inner(size=7))

class Whole(CN):
    holder: Holder | None = None
"""


def test_a_value_in_a_derived_node_of_a_node_that_the_word_makes(node_tree: Any) -> None:
    default = "from parts import Whole\n\nclass Default(Whole):\n    pass\n"
    node_tree({"parts/__init__.py": HELD, "parts/default.py": default})
    from parts import Whole  # type: ignore

    page = explain_text(Whole, None, ["holder.inner.size=3"], "holder.inner.size", None)
    assert page.splitlines()[0] == "holder.inner.size = 3"
    assert page.splitlines()[-1].endswith("command line, holder.inner.size=3")
