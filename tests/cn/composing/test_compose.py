"""Overrides make one typed, frozen object: the command line beats the run, the run the node; a child stays itself."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import Any

import pytest

from cn import CN, FrozenError, UserError, compose
from cn.composing.compose import assemble
from cn.composing.results import comes_to
from tests.cn.conftest import python


def name(node: Any) -> str:
    return type(node).__name__


def test_a_run_without_overrides_is_the_default_one(run: Any) -> None:
    node = run()
    assert (name(node), name(node.model), name(node.model.head), name(node.optim)) == (
        "Default",
        "ViT",
        "ClsToken",
        "AdamW",
    )
    assert (node.model.depth, node.model.dim, node.model.head.dim, node.optim.decay) == (12, 192, 16, 0.2)
    assert node == run("run=default")


def test_a_run_is_chosen_by_its_path(run: Any) -> None:
    node = run("run=cifar/vit")
    assert (name(node), name(node.model), node.model.dim, node.model.depth, node.seed) == ("ViT", "Small", 384, 3, 7)
    assert node.optim.decay == 0.2


def test_the_command_line_beats_the_run_and_the_run_beats_the_node(run: Any) -> None:
    assert run("run=cifar/vit").model.depth == 3
    assert run("run=cifar/vit", "model.depth=5").model.depth == 5
    assert run("run=cifar/vit", "model=vit").model.depth == 9
    assert run("run=cifar/vit", "seed=2").seed == 2


def test_a_chosen_child_keeps_its_class_its_fields_and_its_own_children(run: Any) -> None:
    node = run("model=vit/small")
    assert (name(node.model), node.model.dim, node.model.heads, node.model.depth) == ("Small", 384, 6, 9)
    assert name(node.model.head) == "MeanPool"
    node = run("model=vit/small", "model/head=cls_token", "model.head.dropout=0.5")
    assert (name(node.model), name(node.model.head), node.model.head.dropout) == ("Small", "ClsToken", 0.5)


def test_a_preset_is_dropped_with_its_option(run: Any) -> None:
    assert run("model=mlp").model.width == 32
    assert run("model/head=mean_pool").model.head.scale == 1.0
    assert run("model/head=mean_pool").model.depth == 12
    assert run("model=vit/small").model.depth == 9


def test_a_preset_is_kept_when_a_value_is_changed_or_the_same_option_is_named(run: Any) -> None:
    assert run("model.dim=96").model.depth == 12
    assert run("model=vit").model == run().model
    assert run("model=vit", "model.dim=96").model.head.dim == 16
    assert run("model/head=cls_token").model.head.dim == 16
    assert run("callbacks=[checkpoint]").callbacks["checkpoint"].every == 3


def test_the_order_on_the_command_line_is_of_no_account(run: Any) -> None:
    words = ["teacher.head.dim=4", "teacher/head=cls_token", "teacher=vit", "+callbacks/b=stop", "callbacks.b.every=9"]
    expected = run(*words)
    assert expected.teacher.head.dim == 4
    for order in itertools.islice(itertools.permutations(words), 0, 120, 7):
        assert run(*order) == expected


def test_the_attribute_is_the_address_of_a_second_node_of_a_group(run: Any) -> None:
    assert run().teacher is None
    node = run("teacher=vit/small", "teacher.depth=3", "model=mlp")
    assert (name(node.model), name(node.teacher), node.teacher.depth, node.teacher.dim) == ("MLP", "Small", 3, 384)
    node = run("teacher=vit", "teacher/head=cls_token", "teacher.head.dim=4")
    assert (node.teacher.head.dim, node.model.head.dim) == (4, 16)
    assert run("teacher=null").teacher is None
    assert run("~teacher").teacher is None
    assert run("+teacher=mlp").teacher == run("++teacher=mlp").teacher == run("teacher=mlp").teacher


SEVERAL = {
    "callbacks=[checkpoint,stop]": "checkpoint:Checkpoint:3 stop:Stop:1",
    "callbacks=[stop,checkpoint]": "stop:Stop:1 checkpoint:Checkpoint:3",
    "callbacks=stop": "stop:Stop:1",
    "callbacks=[stop]": "stop:Stop:1",
    "callbacks=[]": "",
    "callbacks=null": "",
    "~callbacks": "",
    "~callbacks=checkpoint": "",
    "~callbacks=[checkpoint]": "",
    "~callbacks.checkpoint": "",
    "~callbacks/checkpoint": "",
    "+callbacks=stop": "checkpoint:Checkpoint:3 stop:Stop:1",
    "+callbacks=[stop]": "checkpoint:Checkpoint:3 stop:Stop:1",
    "+callbacks/mine=checkpoint": "checkpoint:Checkpoint:3 mine:Checkpoint:1",
    "++callbacks/mine=checkpoint": "checkpoint:Checkpoint:3 mine:Checkpoint:1",
    "callbacks/checkpoint=stop": "checkpoint:Stop:1",
    "callbacks/checkpoint=checkpoint": "checkpoint:Checkpoint:3",
    "callbacks.checkpoint.every=5": "checkpoint:Checkpoint:5",
    "callbacks=[stop] callbacks.stop.every=5": "stop:Stop:5",
    "callbacks=[checkpoint] callbacks.checkpoint.keep=5": "checkpoint:Checkpoint:3",
    "+callbacks=stop +callbacks/mine=stop callbacks.mine.every=7": "checkpoint:Checkpoint:3 stop:Stop:1 mine:Stop:7",
    "~callbacks +callbacks=stop": "stop:Stop:1",
    "callbacks=[stop,checkpoint] ~callbacks.stop": "checkpoint:Checkpoint:3",
    "++callbacks=[stop]": "stop:Stop:1",
}


@pytest.mark.parametrize("words", SEVERAL)
def test_several_nodes_are_held_by_name(run: Any, words: str) -> None:
    callbacks = run(*words.split()).callbacks
    assert " ".join(f"{key}:{name(each)}:{each.every}" for key, each in callbacks.items()) == SEVERAL[words]


def test_entries_of_options_in_folders_are_named_with_an_underscore(node_tree: Any) -> None:
    node_tree(
        {
            "parts/__init__.py": python("from cn import CN", "class Part(CN):", "    size: int = 1"),
            "parts/deep/down.py": python("from parts import Part", "class Down(Part): ..."),
            "holder.py": python(
                "from cn import CN", "from parts import Part", "class Holder(CN):", "    parts: dict[str, Part] = {}"
            ),
        }
    )
    holder = compose(__import__("holder").Holder, ["parts=[deep/down]", "parts.deep_down.size=3"])
    assert holder.parts["deep_down"].size == 3


def test_a_class_and_an_instance_are_composed_as_they_are(run: Any) -> None:
    from models.vit import Small, ViT

    assert compose(Small, ["depth=1", "head=cls_token"]).head.dim == 8  # type: ignore
    assert compose(ViT(depth=2), ["dim=96"]) == ViT(depth=2, dim=96)
    assert compose(run("seed=3"), ["steps=7"]).seed == 3


def test_a_contract_is_composed_by_the_name_of_its_group(tree: Any) -> None:
    from models import Model

    assert repr(compose(Model, ["model=mlp", "width=3"])) == "MLP(width=3)"
    with pytest.raises(UserError) as caught:
        compose(Model, ["width=3"])
    assert str(caught.value) == (
        "no model is chosen, and none is called 'default'\n  choose from: mlp, vit, vit/small\n  write: model=NAME"
    )


def test_what_is_composed_is_frozen_and_what_it_came_from_is_not(run: Any) -> None:
    from runs.default import Default

    node = run()
    with pytest.raises(FrozenError):
        node.model.dim = 3
    fresh = Default()
    fresh.model = node.model
    fresh.seed = 2
    assert compose(fresh).seed == 2
    fresh.seed = 3


def test_two_compositions_share_nothing_that_can_change(run: Any) -> None:
    one, two = run("teacher=vit"), run("teacher=vit")
    assert one == two
    assert one.model is not two.model
    assert one.tasks is not two.tasks
    one.tasks.append("x")
    one.callbacks.clear()
    assert two == run("teacher=vit")


REQUIRED = {
    "run=bare": "optim is required and was not given\n  defined in runs/__init__.py:24\n  write: optim=... (Optim)",
    "run=bare optim.lr=3": "optim.lr=3: optim is not chosen, so it has no fields\n  write: optim=NAME too (Optim)",
}


@pytest.mark.parametrize("words", REQUIRED)
def test_a_required_field_must_be_given(refused: Any, run: Any, words: str) -> None:
    assert refused(*words.split()) == REQUIRED[words]
    assert run("run=bare", "optim=adamw", "optim.lr=3").optim.lr == 3.0


def test_all_that_is_required_is_told_at_once() -> None:
    class Inner(CN):
        size: int
        depth: int

    class Outer(CN):
        inner: Inner = Inner()  # type: ignore
        count: int

    with pytest.raises(UserError) as caught:
        compose(Outer)
    what, where, *rest = str(caught.value).split("\n")
    assert where.startswith("  defined in tests/cn/composing/test_compose.py:")
    assert [what, *rest] == [
        "count is required and was not given",
        "  also required: inner.size, inner.depth",
        "  write: count=... (int)",
    ]
    assert compose(Outer, ["count=1", "inner.size=2", "inner.depth=3"]).inner.size == 2


def test_a_required_dict_of_nodes_says_how_it_is_given(run: Any) -> None:
    from runs.callbacks import Callback

    class Holder(CN):
        parts: dict[str, Callback]  # type: ignore

    with pytest.raises(UserError) as caught:
        compose(Holder)
    assert "write: parts=... (dict[str, Callback])" in str(caught.value)
    with pytest.raises(UserError) as caught:
        compose(Holder, ["parts.a.every=3"])
    assert str(caught.value) == "parts.a.every=3: parts holds no 'a'\n  options to add: checkpoint, stop"
    assert compose(Holder, ["+parts/a=stop", "parts.a.every=3"]).parts["a"].every == 3  # type: ignore


def test_nodes_check_themselves_from_the_leaves_up() -> None:
    seen: list[str] = []

    class Leaf(CN):
        size: int = 1

        def check(self) -> None:
            seen.append(f"leaf {self.size}")
            if self.size < 0:
                raise ValueError(f"size must be positive, not {self.size}")

    class Root(CN):
        leaf: Leaf = Leaf()
        leaves: dict[str, Leaf] = {"a": Leaf(size=2)}

        def check(self) -> None:
            seen.append("root")

    compose(Root)
    assert seen == ["leaf 2", "leaf 1", "root"]
    for words, address in ((["leaf.size=-1"], "leaf"), (["leaves.a.size=-1"], "leaves.a")):
        with pytest.raises(UserError) as caught:
            compose(Root, words)
        what, where = str(caught.value).split("\n")
        assert what == f"{address}: size must be positive, not -1"
        assert where.startswith("  Leaf is defined in tests/cn/composing/test_compose.py:")
    with pytest.raises(UserError) as caught:
        compose(Leaf, ["size=-1"])
    assert str(caught.value).startswith("size must be positive, not -1\n")


def test_a_check_that_fails_names_the_node(refused: Any) -> None:
    assert refused("model.heads=5") == (
        "model: dim 192 does not divide by 5 heads\n  ViT is defined in models/vit.py:6"
    )
    assert refused("teacher=vit/small", "teacher.heads=5") == (
        "teacher: dim 384 does not divide by 5 heads\n  Small is defined in models/vit.py:22"
    )


def test_a_check_that_breaks_on_a_value_is_a_mistake_in_the_value_too(refused: Any) -> None:
    assert refused("model.heads=0") == (
        "model: ViT cannot be checked: ZeroDivisionError: integer modulo by zero\n  defined in models/vit.py:6"
    )


def test_a_checks_own_user_error_is_left_as_it_is() -> None:
    class Node(CN):
        def check(self) -> None:
            raise UserError("as I say")

    with pytest.raises(UserError, match=r"^as I say$"):
        compose(Node)


ROOTS = {
    "run=x": "run=x: no run is called 'x'\n  options are the subclasses of Run (runs/__init__.py:19)\n"
    "  choose from: bare, cifar/vit, default",
    "run=": "run=: no run is called ''\n  options are the subclasses of Run (runs/__init__.py:19)\n"
    "  choose from: bare, cifar/vit, default",
    "run=vit": "run=vit: no run is called 'vit'\n  options are the subclasses of Run (runs/__init__.py:19)\n"
    "  nearest: cifar/vit",
    "run=[default]": "run=[default]: one run is chosen, by its name\n  write: run=NAME",
    "run=null": "run=null: one run is chosen, by its name\n  write: run=NAME",
    "run={a:1}": "run={a:1}: one run is chosen, by its name\n  write: run=NAME",
    "+run=bare": "+run=bare: one run is chosen, by its name\n  write: run=NAME",
    "~run": "~run: one run is chosen, by its name\n  write: run=NAME",
    "run=default run=bare": "run is given twice: run=default and run=bare\n  keep one of them",
    "run.seed=3": "run.seed=3: Default has no field 'run'\n  defined in runs/default.py:6\n"
    "  choose from: anything, betas, callbacks, clip, either, flag, mode, model, ... (18 in all)\n"
    "  see: python train.py --help",
    "hydra/launcher=x": "hydra/launcher=x is Hydra's own, and belongs on the command line of the program\n"
    "  leave it out of compose()",
    "hydra.job.name=x": "hydra.job.name=x is Hydra's own, and belongs on the command line of the program\n"
    "  leave it out of compose()",
    "hydra=x": "hydra=x: hydra is Hydra's own configuration, and neither a field nor a group\n"
    "  write: hydra.NAME=VALUE or hydra/GROUP=NAME",
    "~hydra": "~hydra: hydra is Hydra's own configuration, and neither a field nor a group\n"
    "  write: hydra.NAME=VALUE or hydra/GROUP=NAME",
}


@pytest.mark.parametrize("words", ROOTS)
def test_a_wrong_root_is_refused(refused: Any, words: str) -> None:
    assert refused(*words.split()) == ROOTS[words]


def test_a_tree_without_a_default_run_says_what_there_is(node_tree: Any) -> None:
    node_tree(
        {
            "runs/__init__.py": python("from cn import CN", "class Run(CN):", "    seed: int = 1"),
            "runs/one.py": python("from runs import Run", "class One(Run): ..."),
        }
    )
    from runs import Run

    with pytest.raises(UserError) as caught:
        compose(Run, ["seed=3"])
    assert str(caught.value) == (
        "no run is chosen, and none is called 'default'\n  choose from: one\n  write: run=NAME"
    )
    assert compose(Run, ["run=one", "seed=3"]).seed == 3  # type: ignore
    node_tree({"runs/default.py": "1 / 0\n"})
    from runs import Run

    with pytest.raises(UserError) as caught:
        compose(Run)
    assert str(caught.value) == (
        "run=default: runs/default.py cannot be used\n  runs/default.py:1: ZeroDivisionError: division by zero"
    )


def test_overrides_given_as_one_text_are_refused(run: Any) -> None:
    from runs import Run

    with pytest.raises(UserError) as caught:
        compose(Run, "seed=3")
    assert str(caught.value) == "overrides are a list of texts, not 'seed=3'\n  write: ['seed=3']"


def test_assemble_leaves_out_what_is_missing(tree: Any) -> None:
    from runs import Run

    root = assemble(Run, ["run=bare", "seed=3"])
    assert (root.seed, hasattr(root, "optim"), root._frozen) == (3, False, False)


def test_an_abstract_class_in_a_node_file_cannot_be_composed() -> None:
    class Half(CN):
        @abstractmethod
        def build(self) -> int: ...

    with pytest.raises(UserError) as caught:
        compose(Half)
    assert str(caught.value).startswith("Half cannot be composed: it does not define build()\n  defined in tests/")


def test_nodes_may_be_nested_without_end(node_tree: Any) -> None:
    node_tree({"chain.py": python("from __future__ import annotations", "from cn import CN", "class Chain(CN):",
                                  "    value: int = 0", "    below: Chain | None = None")})  # fmt: skip
    chain = __import__("chain").Chain
    node = None
    for value in range(60):
        node = chain(value=value, below=node)
    key = ".".join(["below"] * 59)
    found = compose(node, [f"{key}.value=7"])  # type: ignore
    for _ in range(59):
        found = found.below
    assert found.value == 7


def test_a_node_whose_class_is_the_only_one_needs_no_choice(node_tree: Any) -> None:
    node_tree(
        {
            "goals/__init__.py": python("from cn import CN", "class Goal(CN):", "    metric: str", "    top: int = 1"),
            "holder.py": python(
                "from cn import CN", "from goals import Goal", "class Holder(CN):", "    goal: Goal | None = None"
            ),
        }
    )
    from holder import Holder

    assert compose(Holder).goal is None
    found = compose(Holder, ["goal.top=2", "goal.metric=loss"]).goal
    assert (found.metric, found.top) == ("loss", 2)
    with pytest.raises(UserError, match=r"^goal.metric is required and was not given\n"):
        compose(Holder, ["goal.top=2"])


class OnePart(CN):
    size: int = 1


class Ordered(CN):
    parts: dict[str, OnePart] = {}


def test_runs_that_differ_in_the_order_of_nodes_are_two() -> None:
    first, second = (Ordered(parts={name: OnePart() for name in names}) for names in ("ab", "ba"))
    assert (first == second, comes_to(first) == comes_to(second)) == (False, False)
