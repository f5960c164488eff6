"""Patches apply after all choices and before the rest of the command line, whatever is chosen."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cn import CN, DefinitionError, Patch, UserError, compose
from cn.cli.explain import explain_text
from cn.cli.help import complete, help_text
from cn.errors import Notice
from cn.nodes.to_json import plain
from cn.writing.record import dump, load
from tests.cn.conftest import python

PATCHES = {
    "runs/patches/debug.py": """
from cn import Patch


class Debug(Patch):
    \"\"\"A few steps.\"\"\"

    changes = {
        "steps": 3,
        "model": "vit/small",
        "model.depth": 1,
        "optim.lr": 0.5,
    }


class Longer(Debug):
    changes = {"steps": 60, "seed": 9}
""",
    "runs/patches/wide.py": """
from cn import Patch
from models.head.cls_token import ClsToken
from models.mlp import MLP
from runs.callbacks.stop import Stop


class Wide(Patch):
    changes = {
        "model.dim": 768,
        "model.head": ClsToken(dim=4),
        "teacher": MLP,
        "optim.lr": 0.25,
        "+callbacks/second": Stop(patience=2),
        "opts": {"b": 2},
    }
""",
    "runs/patches/none.py": """
from cn import Patch


class None_(Patch):
    changes = {"callbacks": []}
""",
    "runs/patches/late.py": """
from cn import Patch


class Late(Patch):
    changes = {
        "teacher.depth": 4,
        "model.width": 8,
        "callbacks.stop.patience": 7,
        "~callbacks.checkpoint": None,
    }
""",
}


@pytest.fixture
def patched(tree: Path, run: Any) -> Any:
    for path, text in PATCHES.items():
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text(text.lstrip())
    return run


def write(tree: Path, changes: str) -> None:
    (tree / "runs/patches").mkdir(exist_ok=True)
    (tree / "runs/patches/own.py").write_text(python("from cn import Patch", "class Own(Patch):", f"    {changes}"))


def test_a_patch_changes_values_and_choices(patched: Any) -> None:
    node = patched("patches=debug")
    assert (node.steps, type(node.model).__name__, node.model.depth, node.optim.lr) == (3, "Small", 1, 0.5)
    assert node == patched("steps=3", "model=vit/small", "model.depth=1", "optim.lr=0.5")
    assert patched("patches=[]") == patched("patches=null") == patched()


def test_values_may_be_nodes_and_classes_of_nodes(patched: Any) -> None:
    node = patched("patches=wide")
    assert (node.model.head.dim, type(node.model).__name__, node.model.depth) == (4, "ViT", 12)
    assert (type(node.teacher).__name__, node.opts) == ("MLP", {"a": 1, "b": 2})
    assert list(node.callbacks) == ["checkpoint", "second"]
    assert (node.callbacks["checkpoint"].every, node.callbacks["second"].patience) == (3, 2)


def test_a_later_patch_beats_an_earlier_one_and_the_command_line_beats_both(patched: Any) -> None:
    assert patched("patches=[debug,wide]").optim.lr == 0.25
    assert patched("patches=[wide,debug]").optim.lr == 0.5
    assert patched("optim.lr=1", "patches=[wide,debug]").optim.lr == 1
    assert patched("patches=debug", "+patches=wide") == patched("patches=[debug,wide]")
    assert patched("opts={b:5}", "patches=wide").opts == {"a": 1, "b": 5}


def test_the_choice_of_a_patch_is_left_out_if_another_is_typed(patched: Any) -> None:
    node = patched("patches=debug", "model=vit")
    assert (type(node.model).__name__, node.model.depth, node.model.head.dim) == ("ViT", 1, 16)  # the run's own preset
    assert patched("patches=wide", "callbacks=[stop]").callbacks.keys() == {"stop"}
    assert patched("patches=wide", "~callbacks", "~teacher").callbacks == {}
    assert patched("patches=wide", "~callbacks.second").callbacks.keys() == {"checkpoint"}


def test_a_value_deep_in_a_patch_does_not_change_a_container_that_is_typed(tree: Path, run: Any) -> None:
    write(tree, 'changes = {"opts.a": 5, "tasks.0": "x"}')
    node = run("patches=own", "opts.a=6", "tasks=[y]")
    assert (node.opts, node.tasks, run("patches=own").tasks) == ({"a": 6}, ["y"], ["x"])


def test_a_subclass_inherits_the_changes(patched: Any) -> None:
    node = patched("patches=debug/longer")
    assert (node.steps, node.seed, node.model.depth, node.warmup) == (60, 9, 1, 3)


def test_a_change_waits_for_its_node_and_is_told_if_none_comes(patched: Any) -> None:
    words = ["teacher=vit", "model=mlp", "callbacks=[checkpoint,stop]"]
    node = patched(*words, "patches=late")
    assert (node.teacher.depth, node.model.width, node.callbacks["stop"].patience) == (4, 8, 7)
    assert node.callbacks.keys() == {"checkpoint", "stop"}  # since all are listed anew
    assert patched("patches=late", "+callbacks=stop", "teacher=vit", "model=mlp").callbacks.keys() == {"stop"}
    with pytest.warns(Notice) as told:
        patched("patches=[none,late]")
    place = "patch late, runs/patches/late.py"
    assert sorted(str(each.message) for each in told) == [
        f"{place}:6: teacher.depth=4 is not set, since teacher is not chosen",
        f"{place}:7: model.width=8 is not set, since model is ViT",
        f"{place}:8: callbacks.stop.patience=7 is not set, since callbacks holds no 'stop'",
        f"{place}:9: ~callbacks.checkpoint is not set, since callbacks holds no 'checkpoint'",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            'changes = {"model.dimm": 4}',
            "model.dimm=4: ViT has no field 'dimm'\n  patch own, runs/patches/own.py:3\n"
            "  defined in models/vit.py:6\n  nearest: dim\n  see: python train.py --help",
        ),
        (
            'changes = {"teacher.nothing": 4}',
            "teacher.nothing=4: no option of teacher has a field 'nothing'\n  patch own, runs/patches/own.py:3\n"
            "  choose from: depth, dim, head, heads, width",
        ),
        (
            'changes = {"teacher.head.nothing": 4}',
            "teacher.head.nothing=4: no option of teacher has a field 'head.nothing'\n"
            "  patch own, runs/patches/own.py:3\n  nearest: head, heads",
        ),
        (
            'changes = {"callbacks.stop.patienc": 4}',
            "callbacks.stop.patienc=4: no option of callbacks.stop has a field 'patienc'\n"
            "  patch own, runs/patches/own.py:3\n  nearest: patience",
        ),
        (
            'changes = {"model": __import__("runs.optim.adamw", fromlist=["AdamW"]).AdamW()}',
            "model is Model, not AdamW(lr=0.001, decay=0.1)\n  patch own, runs/patches/own.py:3\n"
            "  choose from: mlp, vit, vit/small",
        ),
        (
            'changes = {"model": __import__("runs.optim.adamw", fromlist=["AdamW"]).AdamW}',
            "model=<class 'runs.optim.adamw.AdamW'>: model is Model\n  patch own, runs/patches/own.py:3\n"
            "  choose from: mlp, vit, vit/small",
        ),
        (
            'changes = {"callbacks": ["stopp"]}',
            "callbacks=['stopp']: no callback is called 'stopp'\n  patch own, runs/patches/own.py:3\n"
            "  options are the subclasses of Callback (runs/callbacks/__init__.py:4)\n  nearest: stop",
        ),
        (
            'changes = {"seed": "7"}',
            "seed=7: seed is int, not '7'\n  patch own, runs/patches/own.py:3\n  defined in runs/__init__.py:28",
        ),
        (
            'changes = {"model": "vitt"}',
            "model=vitt: no model is called 'vitt'\n  patch own, runs/patches/own.py:3\n"
            "  options are the subclasses of Model (models/__init__.py:6)\n  nearest: vit, vit/small",
        ),
        (
            'changes = {"optim": 3}',
            "optim=3: no optim is called '3'\n  patch own, runs/patches/own.py:3\n"
            "  options are the subclasses of Optim (runs/optim/__init__.py:4)\n  choose from: adamw",
        ),
        (
            'changes = {"model/dim": 3}',
            "model/dim=3: model/dim is a value (int), not a node\n  patch own, runs/patches/own.py:3\n"
            '  defined in models/vit.py:9\n  to set it: "model.dim": 3',
        ),
        (
            'changes = {"run": "bare"}',
            "run=bare: Default has no field 'run'\n  patch own, runs/patches/own.py:3\n"
            "  defined in runs/default.py:6\n"
            "  choose from: anything, betas, callbacks, clip, either, flag, mode, model, ... (18 in all)\n"
            "  see: python train.py --help",
        ),
    ],
)
def test_a_wrong_change_is_told_with_its_line(tree: Path, refused: Any, changes: str, told: str) -> None:
    write(tree, changes)
    assert refused("patches=own") == told


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (
            "patches=debu",
            "patches=debu: no patch is called 'debu'\n"
            "  options are the subclasses of Patch (cn/nodes/patch/__init__.py:20)\n"
            "  nearest: debug, debug/longer",
        ),
        ("patches=[late,late]", "patches=[late,late]: the patch late is named twice\n  keep one of them"),
        ("patches.debug=3", "patches.debug=3: patches are chosen by their names\n  write: patches=[NAME,NAME]"),
        ("~patches", "~patches: patches are chosen by their names\n  write: patches=[NAME,NAME]"),
    ],
)
def test_a_wrong_name_of_a_patch_is_told(patched: Any, refused: Any, word: str, told: str) -> None:
    assert refused(word) == told


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        ("patch=debug", "write: patches=[debug]"),
        ("patch=[wide,debug/longer]", "write: patches=[wide,debug/longer]"),
        ("experiment=wide", "write: patches=[wide]"),
        ("debug=longer", "write: patches=[debug/longer]"),
        ("patch=debu", "nearest: patches"),
        ("patche=debu", "nearest: patches"),
        ("experiment=cifar/vit", "write: run=cifar/vit"),
    ],
)
def test_another_word_for_a_patch_or_a_run_is_told_which(patched: Any, refused: Any, word: str, instead: str) -> None:
    told = f"{word}: Default has no field {word.lstrip('~').partition('=')[0]!r}\n  defined in runs/default.py:6\n"
    assert refused(word) == f"{told}  {instead}\n  see: python train.py --help"


def test_a_run_that_the_root_holds_takes_patches_of_its_own(patched: Any) -> None:
    from runs import Run
    from runs.default import Default

    class Study(CN):
        _runs_: ClassVar[tuple[str, ...]] = ("base",)
        base: Run = Default()

    made = compose(Study, ["base.patches=[debug]", "base.optim.lr=0.125"]).base
    assert (made.steps, type(made.model).__name__, made.model.depth, made.optim.lr) == (3, "Small", 1, 0.125)
    assert compose(Study, ["base.patches=debug/longer"]).base.steps == 60
    page = help_text(Study, None, ["base/patches=[debug]"])
    assert "  base.patches     [debug] of [debug] debug/longer late none wide\n" in page
    assert complete(Study, ["base.patches=l"]) == ["base.patches=late"]
    for word, told in (
        ("base.patches=debu", "no patch is called 'debu'"),
        ("base.patches.debug=3", "patches are chosen by their names\n  write: base.patches=[NAME,NAME]"),
        (
            "base.patch=debug",
            "Default has no field 'patch'\n  defined in runs/default.py:6\n  write: base.patches=[debug]",
        ),
    ):
        with pytest.raises(UserError) as caught:
            compose(Study, [word])
        assert str(caught.value).startswith(f"{word}: {told}")
    with pytest.raises(UserError) as caught:
        compose(Study, ["patches=[debug]"])
    what, place, where, write, see = str(caught.value).split("\n  ")
    assert (what, place.partition(",")[0]) == ("steps=3: Study has no field 'steps'", "patch debug")
    assert (where.partition(" ")[0], write) == ("defined", "write: base.patches=debug")
    assert see == "see: python train.py --help"


def test_a_run_that_the_root_holds_keeps_what_its_class_keeps(patched: Any) -> None:
    from runs import Run
    from runs.default import Default

    class Kept(Default):
        _keeps_ = {"optim.lr": 0.25}

    class Study(CN):
        _runs_: ClassVar[tuple[str, ...]] = ("base",)
        base: Run = Kept()

    base = compose(Study).base
    assert base.optim.lr == 0.25
    assert compose(base, ["seed=3"]).optim.lr == 0.25
    assert compose(Study, ["base.optim.lr=0.5"]).base.optim.lr == 0.5
    assert compose(Kept(), ["seed=3"]).optim.lr == 0.25


def test_a_project_without_patches_says_where_to_write_one(refused: Any) -> None:
    told = "patches=debug: there is no patch\n  write: class NAME(Patch) in runs/patches/NAME.py"
    assert refused("patches=debug") == told


def test_changes_are_a_dict_by_text() -> None:
    with pytest.raises(DefinitionError) as caught:
        type("Wrong", (Patch,), {"changes": [("epochs", 3)], "__module__": __name__})
    assert str(caught.value).split("\n")[:2] == [
        "Wrong.changes is [('epochs', 3)]",
        '  write: changes = {"epochs": 3, "model": "vit"}',
    ]
    with pytest.raises(DefinitionError, match=r"^Wrong\.changes has the key 3\n"):
        type("Wrong", (Patch,), {"changes": {3: 4}, "__module__": __name__})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("changes: dict = {'seed': 3}", "Own.changes would change nothing: {}\n    write: changes = {...}"),
        ("change = {'seed': 3}", "Own.change would change nothing: {}\n    write: changes = {...}"),
        ("seed: int = 3", 'Own.seed would change nothing: {}\n    write: changes = {"seed": 3}'),
        ("seed = 3", 'Own.seed would change nothing: {}\n    write: changes = {"seed": 3}'),
        (
            "changes = {'+patches': 'debug'}",
            "Own.changes has the key '+patches', and a patch chooses no other patches\n"
            "    to begin with the changes of another: class Own(OTHER)",
        ),
    ],
)
def test_what_would_change_nothing_is_refused(tree: Path, refused: Any, body: str, told: str) -> None:
    write(tree, body)
    told = told.replace("{}", "a patch is what its changes name")
    assert refused("patches=own") == (
        f"patches=own: runs/patches/own.py cannot be used\n  {told}\n    defined in runs/patches/own.py:3"
    )


def test_constants_and_methods_of_a_patch_are_its_own_affair(tree: Path, run: Any) -> None:
    write(tree, "changes = {'seed': 3}\n    size: 'ClassVar[int]' = 3\n    def about(self): return 1")
    assert run("patches=own").seed == 3


def test_nothing_is_told_of_a_run_that_is_only_tried(patched: Any, refused: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        assert refused("patches=[none,late") == (
            "'patches=[none,late' cannot be read as NAME=VALUE\n  '[' is not closed\n  write: 'patches=[none,late]'"
        )
        assert refused("patches=none,late") == (
            "patches=none,late stands for several runs, and one was asked for\n"
            "  for one run each: python train.py -m patches=none,late\n  for one list: 'patches=[none,late]'"
        )


def test_a_field_that_is_called_patches_is_a_field() -> None:
    class Own(CN):
        patches: list[str] = []

    assert compose(Own, ["patches=[a,b]"]).patches == ["a", "b"]


def test_an_instance_is_patched_too_and_a_record_holds_the_result(patched: Any, tmp_path: Path) -> None:
    first = patched("patches=debug")
    dump(first, tmp_path)
    assert "patch" not in json.dumps(plain(first))
    again = compose(load(tmp_path), ["patches=wide", "seed=4"])
    assert (again.steps, again.optim.lr, again.model.dim, again.seed) == (3, 0.25, 768, 4)
    assert again == patched("patches=[debug,wide]", "seed=4")


def test_explain_names_the_patch_with_its_line(patched: Any) -> None:
    from runs import Run

    def page(address: str) -> str:
        return explain_text(Run, None, ["patches=[debug,wide]", "optim.lr=0.125"], address, None)

    assert page("optim.lr").splitlines() == [
        "optim.lr = 0.125",
        "  0.001  Optim, runs/optim/__init__.py:5",
        "  0.5    patch debug, runs/patches/debug.py:11",
        "  0.25   patch wide, runs/patches/wide.py:12",
        "  0.125  command line, optim.lr=0.125",
    ]
    assert page("patches") == "patches = [debug, wide]  command line, patches=[debug,wide]"


def test_help_and_completion_list_the_patches(patched: Any) -> None:
    from runs import Run

    assert "  patches     [debug] of [debug] debug/longer late none wide\n" in help_text(Run, None, ["patches=debug"])
    assert complete(Run, ["patches=l"]) == ["patches=late"]
    assert complete(Run, ["patches=[wide,de"]) == ["patches=[wide,debug", "patches=[wide,debug/longer"]
    assert "patches=" in complete(Run, [""])
    assert complete(Run, ["patches=debug", "model.hea"]) == ["model.head.scale=", "model.heads="]


def test_runs_of_a_multirun_vary_over_patches(patched: Any, tree: Path, program: Any) -> None:
    done = program("-m", "patches=debug,[debug,wide],[]", "seed=5")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split()[1:] for line in done.stdout.splitlines()[-3:]]
    assert rows == [["debug", "2.5000"], ["[debug,wide]", "2.5000"], ["[]", "2.5000"]]


def test_the_words_of_a_composed_run_need_no_patch(patched: Any) -> None:
    from cn.writing.command_line import command

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        node = patched("patches=[debug,wide]")
    assert patched(*command(node)) == node


def test_the_config_store_of_hydra_holds_no_patch(patched: Any) -> None:
    from hydra.core.config_store import ConfigStore

    assert patched("patches=[debug]").steps == 3
    store = ConfigStore.instance()
    assert "small.yaml" in store.list("model/vit")
    assert not [group for group in store.repo if "patch" in group]
