"""The fixtures for users' own tests: they compose, list, and leave everything as it was."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from cn import CN, UserError
from tests.cn.conftest import python, run_its_tests, start

SHAPES = python("from cn import CN", "class Shape(CN): ...")
CIRCLE = python(
    "from shapes import Shape",
    "class Circle(Shape):",
    "    radius: int = 1",
    "class Big(Circle):",
    "    radius: int = 9",
)
SECOND = python("from shapes import Shape", "class Circle(Shape):", "    diameter: int = 2")


def contract(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def test_compose_takes_a_contract_and_overrides(node_tree: Any, compose: Any) -> None:
    node_tree({"shapes/__init__.py": SHAPES, "shapes/circle.py": CIRCLE})
    circle = compose(contract("shapes", "Shape"), "shape=circle/big", "radius=3")
    assert repr(circle) == "Big(radius=3)"


def test_compose_takes_a_class_and_an_instance(compose: Any) -> None:
    class Point(CN):
        x: int = 0
        y: int = 0

    assert compose(Point, "x=1") == Point(x=1)
    assert compose(Point(x=1), "y=2") == Point(x=1, y=2)


def test_keys_lists_the_options_of_a_contract(node_tree: Any, keys: Any) -> None:
    node_tree({"shapes/__init__.py": SHAPES, "shapes/circle.py": CIRCLE})
    assert keys(contract("shapes", "Shape")) == ["circle", "circle/big"]


def test_keys_of_a_group_are_those_in_the_config_store(tree: Path, keys: Any) -> None:
    model = contract("models", "Model")
    assert keys("model") == []
    assert keys(model) == keys("model") == ["mlp", "vit", "vit/small"]
    assert keys("model/head") == ["cls_token", "mean_pool"]
    assert keys("nothing") == []


def test_keys_refuses_a_tree_with_a_broken_file(node_tree: Any, keys: Any) -> None:
    node_tree({"shapes/__init__.py": SHAPES, "shapes/circle.py": "1 / 0\n"})
    with pytest.raises(UserError) as caught:
        keys(contract("shapes", "Shape"))
    why = "shapes/circle.py:1: ZeroDivisionError: division by zero"
    assert str(caught.value) == f"shapes/circle.py cannot be used: {why}"


def test_files_of_a_node_tree_can_be_changed(node_tree: Any, compose: Any) -> None:
    node_tree({"shapes/__init__.py": SHAPES, "shapes/circle.py": CIRCLE})
    assert repr(compose(contract("shapes", "Shape"), "shape=circle")) == "Circle(radius=1)"
    node_tree({"shapes/circle.py": SECOND})
    assert repr(compose(contract("shapes", "Shape"), "shape=circle")) == "Circle(diameter=2)"


OTHERS = f"""
import sys

import pytest
from hydra.core.config_store import ConfigStore

import shapes
from cn.discovery import registry

mine = shapes


@pytest.mark.parametrize("source", [{CIRCLE!r}, {SECOND!r}])
def test_a_tree(node_tree, compose, source):
    node_tree({{"shapes/__init__.py": {SHAPES!r}, "shapes/circle.py": source}})
    import colorsys

    import shapes

    assert shapes is not mine
    compose(shapes.Shape, "shape=circle")
    assert "shape" in ConfigStore.instance().repo


def test_after_the_tree():
    import shapes

    assert shapes is mine
    assert shapes.square is sys.modules["shapes.square"]
    assert "shapes.circle" not in sys.modules
    assert "colorsys" in sys.modules  # of no node
    assert "shape" not in ConfigStore.instance().repo
    assert not any(key.group == "shape" for key in registry._classes)


def test_the_store(isolated_store):
    import own.node

    isolated_store.store("x", {{"a": 1}}, group="mine")
    assert "mine" in ConfigStore.instance().repo
    assert isolated_store.load("own/node.yaml").provider == "cn"


def test_after_the_store():
    import own

    assert "mine" not in ConfigStore.instance().repo
    assert "own" not in ConfigStore.instance().repo
    assert "own.node" not in sys.modules
    assert not hasattr(own, "node")
"""


@pytest.mark.slow
def test_a_test_leaves_no_trace_in_the_next(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/__init__.py").write_text("")
    (tmp_path / "own/node.py").write_text(python("from cn import CN", "class Node(CN): ..."))
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes/__init__.py").write_text("import shapes.square")  # which is in sys.modules before it
    (tmp_path / "shapes/square.py").write_text("")
    (tmp_path / "test_others.py").write_text(OTHERS)
    done = run_its_tests(tmp_path)
    assert "5 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_tests_in_the_copied_code_of_a_sweep_are_left_out(tmp_path: Path) -> None:
    copy = tmp_path / "outputs/sweeps/rates/code/49d7ab95c7"
    for folder in (tmp_path, copy, tmp_path / "code"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"test_of_{folder.name}.py").write_text("def test_one(): ...\n")
    (copy.parents[1] / "sweep.json").write_text("{}")
    (copy / f"test_of_{tmp_path.name}.py").write_text("def test_one(): assert False\n")
    done = run_its_tests(tmp_path)
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_plugin_imports_no_torch(tmp_path: Path) -> None:
    done = start(tmp_path, "-c", "import sys, cn.testing; print('torch' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False\n", "")
