"""Axes stand for points: which, in what order, how a value is held, and what is refused."""

from __future__ import annotations

import enum
import json
import pickle
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cn
from cn import FrozenError, UserError
from cn.cli.help import help_text
from cn.discovery import registry
from cn.hydra_compat.config import mirror
from cn.nodes.to_json import plain
from cn.testing import NodeTree
from cn.writing.python import as_python
from cn.writing.record import dump, unplain
from models.head.mean_pool import MeanPool
from models.vit import Small, ViT
from sweeps import Axes, Goal, grid, integers, log_uniform, points, random, seeds, uniform, zipped


class Activation(enum.Enum):
    """Written into a record by its name."""

    RELU = "r"


def test_grid_gives_every_combination_the_first_key_slowest() -> None:
    axes = grid({"model.depth": [6, 9], "seed": range(2)})
    assert list(axes) == [
        {"model.depth": 6, "seed": 0},
        {"model.depth": 6, "seed": 1},
        {"model.depth": 9, "seed": 0},
        {"model.depth": 9, "seed": 1},
    ]
    assert len(axes) == 4
    assert axes.names() == ["model.depth", "seed"]


def test_zipped_goes_value_by_value() -> None:
    assert list(zipped({"a": [1, 2], "b": (3, 4)})) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


def test_points_are_as_they_are_written() -> None:
    assert list(points([{"a": 1}, {"b": (2, 3), "a": 1}, {}])) == [{"a": 1}, {"b": [2, 3], "a": 1}, {}]


def test_seeds_count_from_zero_or_are_named() -> None:
    assert list(seeds(3)) == [{"seed": 0}, {"seed": 1}, {"seed": 2}]
    assert list(seeds([5, 7])) == list(seeds(range(5, 8, 2))) == [{"seed": 5}, {"seed": 7}]


def test_a_product_visits_every_point_of_one_with_every_point_of_the_other() -> None:
    left, right = points([{"a": 1}, {"b": 2}]), seeds(2)
    assert list(left * right) == [{"a": 1, "seed": 0}, {"a": 1, "seed": 1}, {"b": 2, "seed": 0}, {"b": 2, "seed": 1}]
    assert grid({"a": [1, 2]}) * grid({"b": [3, 4]}) * seeds(2) == grid({"a": [1, 2], "b": [3, 4], "seed": [0, 1]})


def test_a_sum_visits_the_points_of_both() -> None:
    assert list(grid({"a": [1, 2]}) + zipped({"b": [3], "c": [4]})) == [{"a": 1}, {"a": 2}, {"b": 3, "c": 4}]


def test_no_axes_are_the_base_alone() -> None:
    assert list(Axes()) == [{}]
    assert Axes() * seeds(2) == seeds(2) == seeds(2) * Axes()
    assert list(Axes() + seeds(1)) == [{}, {"seed": 0}]


def test_products_and_sums_leave_their_parts_as_they_were() -> None:
    left, right = grid({"model": [ViT()]}), seeds(2)
    whole = left * right + left
    whole.points[0]["model"]["dim"] = 1
    assert left == grid({"model": [ViT()]})
    assert right == seeds(2)
    assert [point["model"]["dim"] for point in whole] == [1, 192, 192]


# values


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1e-4, 1e-4),
        ("vit", "vit"),
        ((0.9, 0.99), [0.9, 0.99]),
        (range(2), [0, 1]),
        (Path("a/b"), "a/b"),
        (Activation.RELU, "RELU"),
        ({"a": (1, Path("b")), 2: None, Activation.RELU: 3}, {"a": [1, "b"], "2": None, "RELU": 3}),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.str_("a"), "a"),
        (Fraction(1, 2), 0.5),
        (Small(depth=2), plain(Small(depth=2))),
        ({"a": [MeanPool()]}, {"a": [plain(MeanPool())]}),
    ],
)
def test_a_value_is_held_as_json_can_hold_it(value: Any, held: Any) -> None:
    for axes in (grid({"x": [value]}), zipped({"x": [value]}), points([{"x": value}]), random(1, {"x": [value]})):
        assert axes == Axes(points=[{"x": held}])
        assert type(axes.points[0]["x"]) is type(held)
        assert json.loads(json.dumps(axes.points)) == axes.points


def test_a_node_comes_back_from_its_record() -> None:
    node = ViT(depth=2, head=MeanPool())
    assert unplain(grid({"model": [node]}).points[0]["model"]) == node


def test_numbers_of_numpy_are_taken_from_a_list() -> None:
    axes = grid({"optim.lr": list(np.logspace(-4, -2, 3))})
    assert axes == grid({"optim.lr": [0.0001, 0.001, 0.01]})


WHOLE = grid({"model": [ViT(dim=96), Small(), "resnet18"], "optim.betas": [(0.9, 0.95), None], "a/b": ["${c}", "é'"]})


def test_axes_come_back_from_a_record_a_pickle_and_python(tmp_path: Path) -> None:
    dump(WHOLE, tmp_path)
    assert cn.load(tmp_path) == WHOLE
    assert unplain(json.loads(json.dumps(plain(WHOLE)))) == WHOLE
    assert pickle.loads(pickle.dumps(WHOLE)) == WHOLE
    scope: dict[str, Any] = {}
    exec(as_python(WHOLE, "axes"), scope)
    assert scope["axes"] == WHOLE


# samples


MIXED = {"optim.lr": log_uniform(1e-5, 1e-3), "model.num_hidden": integers(1, 3), "model.dropout": [0, 0.1]}


def test_the_same_seed_gives_the_same_points_everywhere() -> None:
    assert list(random(4, {**MIXED, "clip": uniform(0.5, 2)}, seed=0)) == [
        {"optim.lr": 1.238e-05, "model.num_hidden": 3, "model.dropout": 0, "clip": 1.905},
        {"optim.lr": 0.0001214, "model.num_hidden": 1, "model.dropout": 0, "clip": 0.8683},
        {"optim.lr": 0.00047, "model.num_hidden": 3, "model.dropout": 0, "clip": 1.037},
        {"optim.lr": 1.433e-05, "model.num_hidden": 1, "model.dropout": 0.1, "clip": 0.6246},
    ]


def test_another_seed_gives_other_points() -> None:
    assert random(4, MIXED, seed=1) != random(4, MIXED) == random(4, MIXED, seed=0)


@given(st.integers(1, 40), st.integers(1, 40), st.integers())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_more_points_begin_with_the_fewer(few: int, more: int, seed: int) -> None:
    few, more = sorted((few, more))
    assert random(more, MIXED, seed=seed).points[:few] == random(few, MIXED, seed=seed).points


def test_another_axis_leaves_the_samples_of_the_others() -> None:
    alone, together = random(9, {"b": uniform(0, 1)}), random(9, {"a": uniform(0, 1), "b": uniform(0, 1)})
    assert [point["b"] for point in together] == [point["b"] for point in alone]
    assert all(point["a"] != point["b"] for point in together)


def test_each_value_of_a_list_is_drawn_about_as_often() -> None:
    drawn = [point["x"] for point in random(3000, {"x": ["a", "b", None]})]
    assert all(900 < drawn.count(value) < 1100 for value in ("a", "b", None))


# what is refused


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "key in both factors": (
        lambda: grid({"seed": [1]}) * seeds(3),
        "both factors of a product give seed values\n  keep it in one of them",
    ),
    "key in both factors, spelt in two ways": (
        lambda: grid({"model/head": ["a"]}) * grid({"model.head": ["a"]}),
        "both factors of a product give model/head and model.head values\n  keep it in one of them",
    ),
    "key in a part of both factors": (
        lambda: (grid({"a": [1]}) + grid({"b": [1]})) * grid({"b": [2]}),
        "both factors of a product give b values\n  keep it in one of them",
    ),
    "no values": (lambda: grid({"seed": []}), 'the axis seed has no values\n  write: "seed": [VALUE, ...]'),
    "no axis": (lambda: grid({}), "grid(...) names no axis\n  for the base alone: Axes()"),
    "no dict": (
        lambda: zipped(["seed"]),  # pyright: ignore[reportArgumentType]
        "zipped(...) takes a dict from key to values, not ['seed']\n  write: zipped({\"seed\": [1, 2]})",
    ),
    "no dict to draw": (
        lambda: random(3, 4),  # pyright: ignore[reportArgumentType]
        'random(...) takes a dict from key to values, not 4\n  write: random(25, {"seed": [1, 2]})',
    ),
    "key of another type": (
        lambda: grid({3: [1]}),  # pyright: ignore[reportArgumentType]
        'an axis is named by a text, not by 3\n  write: "model.depth"',
    ),
    "key that adds": (lambda: grid({"+x": [1]}), "the axis '+x' begins with +\n  write: 'x'"),
    "key that deletes": (lambda: points([{"~x": 1}]), "the axis '~x' begins with ~\n  write: 'x'"),
    "key with a value": (lambda: grid({"lr=3": [1]}), 'the axis \'lr=3\' holds a value\n  write: "lr": ["3"]'),
    "key with a space": (
        lambda: grid({"model depth": [1]}),
        "the axis 'model depth' is not the name of a field\n  write: model.depth, or model/head for a node",
    ),
    "key with an end missing": (
        lambda: grid({"model.": [1]}),
        "the axis 'model.' is not the name of a field\n  write: model.depth, or model/head for a node",
    ),
    "key twice": (
        lambda: grid({"a/b": [1], "a.b": [1]}),
        "a/b and a.b are one axis\n  keep one of them",
    ),
    "one value": (
        lambda: grid({"seed": 3}),  # pyright: ignore[reportArgumentType]
        'the axis seed is 3, and must be a list of values\n  write: "seed": [3]',
    ),
    "one text": (
        lambda: grid({"model": "vit"}),
        "the axis model is 'vit', and must be a list of values\n  write: \"model\": ['vit']",
    ),
    "one node": (
        lambda: random(3, {"head": MeanPool()}),  # pyright: ignore[reportArgumentType]
        'the axis head is MeanPool(), and must be a list of values\n  write: "head": [MeanPool()]',
    ),
    "one dict": (
        lambda: grid({"x": {"a": 1}}),  # pyright: ignore[reportArgumentType]
        "the axis x is {'a': 1}, and must be a list of values\n  write: \"x\": [{'a': 1}]",
    ),
    "set": (
        lambda: grid({"seed": {1}}),  # pyright: ignore[reportArgumentType]
        'the axis seed is a set, which has no certain order\n  write: "seed": sorted(...), or a list',
    ),
    "endless": (
        lambda: grid({"seed": count(3)}),  # pyright: ignore[reportArgumentType]
        'the axis seed is count(3), and must be a list of values\n  write: "seed": list(...)',
    ),
    "array": (
        lambda: grid({"lr": np.arange(2)}),  # pyright: ignore[reportArgumentType]
        'the axis lr is array([0, 1]), and must be a list of values\n  write: "lr": list(...)',
    ),
    "lengths": (
        lambda: zipped({"a": [1, 2], "b": [3], "c": [1, 2]}),
        "zipped(...) takes as many values for each key: a has 2, b has 1, c has 2\n  for every combination: grid(...)",
    ),
    "no point": (lambda: points([]), "points([]) holds no point\n  for the base alone: Axes()"),
    "a point alone": (
        lambda: points({"seed": 1}),  # pyright: ignore[reportArgumentType]
        'points(...) takes a list of dicts, not {\'seed\': 1}\n  write: points([{"seed": 1}, {"seed": 2}])',
    ),
    "a point that is none": (
        lambda: points([{"seed": 1}, 2]),  # pyright: ignore[reportArgumentType]
        'points(...) takes a list of dicts, not [{\'seed\': 1}, 2]\n  write: points([{"seed": 1}, {"seed": 2}])',
    ),
    "seeds(0)": (lambda: seeds(0), "seeds(0) gives no seed\n  write: seeds(3), or seeds([5, 7])"),
    "seeds(True)": (lambda: seeds(True), "seeds(True) gives no seed\n  write: seeds(3), or seeds([5, 7])"),
    "seeds([])": (lambda: seeds([]), 'the axis seed has no values\n  write: "seed": [VALUE, ...]'),
    "seed that is no int": (
        lambda: seeds([1, 2.5]),  # pyright: ignore[reportArgumentType]
        "a seed is a whole number, not 2.5\n  write: seeds([5, 7])",
    ),
    "random(0)": (lambda: random(0, MIXED), "random(0, ...) draws no point\n  write: random(25, ...)"),
    "sampler in a grid": (
        lambda: grid({"lr": log_uniform(1e-5, 1e-3)}),  # pyright: ignore[reportArgumentType]
        "the axis lr is log_uniform(1e-05, 0.001), from which only random and space draw\n"
        '  write: random(25, {"lr": log_uniform(1e-05, 0.001)})',
    ),
    "sampler in a list": (
        lambda: random(3, {"n": [integers(1, 3)]}),
        "the axis n is integers(1, 3), from which only random and space draw\n"
        '  write: random(25, {"n": integers(1, 3)})',
    ),
    "class of a node": (
        lambda: grid({"model": [ViT]}),
        "the axis model holds the class ViT\n  write: ViT()",
    ),
    "no plain value": (
        lambda: grid({"x": [1j]}),
        "the axis x holds 1j, which is neither a plain value nor a node\n"
        "  write: a number, a text, None, a list or dict of such, or a node",
    ),
    "dict with a key of another type": (
        lambda: grid({"x": [{None: 1}]}),
        "the axis x holds {None: 1}, which is neither a plain value nor a node\n"
        "  write: a number, a text, None, a list or dict of such, or a node",
    ),
    "enormous grid": (
        lambda: grid({key: range(1000) for key in "abc"}),
        "grid(...) has 1000000000 points, and a sweep may have 100000\n  random(...) draws some of the combinations",
    ),
    "enormous product": (
        lambda: seeds(1000) * grid({"a": range(101)}),
        "a product has 101000 points, and a sweep may have 100000\n  random(...) draws some of the combinations",
    ),
    "enormous axis": (
        lambda: seeds(10**9),
        "seeds(...) has 1000000000 points, and a sweep may have 100000\n  random(...) draws some of the combinations",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_told_with_what_to_write_instead(case: str) -> None:
    function, text = REFUSED[case]
    with pytest.raises(UserError) as error:
        function()
    assert str(error.value) == text


# in a sweep


TREE = {
    "bases/__init__.py": "from cn import CN\nclass Base(CN):\n    seed: int = 1\n",
    "bases/mlp.py": "from bases import Base\nclass MLP(Base):\n    depth: int = 3\n",
    "probes/__init__.py": """\
from bases import Base
from cn import CN
from sweeps import Axes, Goal, maximize
class Probe(CN):
    base: Base
    axes: Axes = Axes()
    goal: Goal = maximize("validation/accuracy")
""",
    "probes/depth.py": """\
from __future__ import annotations
from bases import Base
from bases.mlp import MLP
from probes import Probe
from sweeps import Axes, Goal, grid, minimize, seeds
class Depth(Probe):
    base: Base = MLP(depth=2)
    axes: Axes = grid({"base": [MLP(depth=5), "mlp"], "base.depth": [6, 9]}) * seeds(2)
    goal: Goal = minimize("validation/loss")
""",
    "probes/wrong.py": """\
from probes import Probe
from sweeps import Axes, Goal, grid
class Wrong(Probe):
    axes: Axes = grid({"seed": 3})
""",
}


@pytest.fixture
def probe(node_tree: NodeTree) -> Callable[..., Any]:
    node_tree(TREE)
    contract = __import__("probes").Probe
    return lambda *words: cn.compose(contract, ["probe=depth", *words])


def test_a_class_with_axes_composes_and_its_instances_share_nothing(probe: Callable[..., Any]) -> None:
    one, other = probe(), probe()
    assert len(one.axes) == 8
    assert one.axes.points[-1] == {"base": "mlp", "base.depth": 9, "seed": 1}
    with pytest.raises(FrozenError):
        one.axes.points = []
    one.axes.points.clear()
    assert len(other.axes) == len(probe().axes) == 8


def test_axes_and_goal_are_set_from_the_command_line(probe: Callable[..., Any]) -> None:
    node = probe("goal.metric=test/accuracy", "goal.direction=maximize", "axes.points=[{base.depth:3},{}]")
    assert (node.goal.metric, node.goal.direction) == ("test/accuracy", "maximize")
    assert node.axes == points([{"base.depth": 3}, {}])
    assert probe("axes.points.0.seed=7").axes.points[0]["seed"] == 7


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("axes.points=[]", "axes: points is empty: [{}] is the base alone\n"),
        ("axes.points=[{a b:3}]", "the axis 'a b' is not the name of a field\n"),
        ("goal.metric=''", "goal: metric is empty, and must name a value of summary.json"),
        ("goal.direction=up", "goal.direction=up: goal.direction is one of 'maximize', 'minimize', not 'up'\n"),
    ],
)
def test_a_wrong_word_for_them_is_refused(probe: Callable[..., Any], word: str, text: str) -> None:
    with pytest.raises(UserError) as error:
        probe(word)
    assert str(error.value).startswith(text)


def test_a_class_with_axes_is_dumped_printed_and_shown_in_help(probe: Callable[..., Any], tmp_path: Path) -> None:
    node = probe()
    dump(node, tmp_path)
    assert cn.load(tmp_path) == node
    scope: dict[str, Any] = {}
    exec(as_python(node), scope)
    assert scope["run"] == node
    assert mirror(node).axes.points[-1] == {"base": "mlp", "base.depth": 9, "seed": 1}
    assert "goal.metric" in help_text(sys.modules["probes"].Probe, None, ["probe=depth"])


def test_a_mistake_in_a_class_body_names_its_file(probe: Callable[..., Any]) -> None:
    with pytest.raises(UserError) as error:
        cn.compose(sys.modules["probes"].Probe, ["probe=wrong"])
    assert str(error.value) == (
        "probe=wrong: probes/wrong.py cannot be used\n"
        "  the axis seed is 3, and must be a list of values\n"
        '    write: "seed": [3]\n  at probes/wrong.py:4'
    )


def test_axes_and_goals_are_no_options_of_sweep() -> None:
    assert [registry.key_of(cls) for cls in (Axes, Goal)] == [None, None]
