"""A composed object is written as Python that evaluates back to an equal object, whatever its values."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from cn import CN, UserError, compose
from cn.nodes.traversal import walk
from cn.writing.python import as_python
from tests.cn import zoo


def executed(source: str, name: str = "run") -> Any:
    scope: dict[str, Any] = {}
    exec(compile(source, "<pasted>", "exec"), scope)
    return scope[name]


@pytest.mark.slow
@given(zoo.nodes)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_evaluates_back_to_an_equal_object(node: CN) -> None:
    source = as_python(node)
    again = executed(source)
    assert again == node
    assert [type(each) for _, each in walk(again)] == [type(each) for _, each in walk(node)]
    assert as_python(again) == source


def test_a_run_is_written_whole_with_its_imports_sorted(run: Any) -> None:
    node = run(
        "model=vit/small", "teacher=mlp", "out='a b'", "opts={b:2}", "callbacks=[stop]", "name='it\\'s'", "mode=eval"
    )
    source = as_python(node)
    assert source == EXPECTED
    assert executed(source) == node
    assert compose(executed(source)) == node
    assert executed(as_python(node.model, "model"), "model") == node.model


EXPECTED = """\
from models.head.mean_pool import MeanPool
from models.mlp import MLP
from models.vit import Small
from pathlib import Path
from runs import Mode
from runs.callbacks.stop import Stop
from runs.default import Default
from runs.optim.adamw import AdamW

run = Default(
    model=Small(dim=384, depth=9, heads=6, head=MeanPool(scale=1.0)),
    teacher=MLP(width=32),
    optim=AdamW(lr=0.001, decay=0.2),
    callbacks={"stop": Stop(every=1, patience=5)},
    steps=100,
    warmup=5,
    seed=1,
    name="it's",
    clip=None,
    mode=Mode.eval,
    precision="fp32",
    out=Path("a b"),
    betas=(0.9, 0.99),
    tasks=["cola"],
    opts={"a": 1, "b": 2},
    flag=False,
    either=3,
    anything=None,
)
"""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), 'float("nan")'),
        (float("-inf"), 'float("-inf")'),
        (1e-5, "1e-05"),
        ("it's", '"it\'s"'),
        ('say "a"', "'say \"a\"'"),
        ("a\nb", "'a\\nb'"),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2]], "[1, [2]]"),
        ({"a b": None}, '{"a b": None}'),
        ("é", '"é"'),
    ],
)
def test_plain_values_are_written_as_one_would(value: Any, written: str) -> None:
    assert as_python(zoo.Holders(anything=value)).split("anything=")[1].startswith(written)


def test_a_tuple_of_one_keeps_its_comma() -> None:
    assert "many=(1.0,)," in as_python(zoo.Holders(many=(1.0,)))


def test_what_does_not_fit_on_a_line_gets_a_line_for_each_part() -> None:
    source = as_python(zoo.Holders(texts=["a" * 40, "b" * 40, "c" * 40]))
    assert f'    texts=[\n        "{"a" * 40}",\n        "{"b" * 40}",\n' in source
    assert all(len(line) <= 100 for line in source.split("\n"))
    ast.parse(source)


def test_two_classes_with_one_name_are_told_apart(run: Any) -> None:
    node = run("run=cifar/vit", "model=vit")
    source = as_python(node)
    assert "import models.vit\nimport runs.cifar.vit\n" in source
    assert "run = runs.cifar.vit.ViT(\n    model=models.vit.ViT(" in source
    assert executed(source) == node
    both = zoo.path(Path=Path("a"))
    assert executed(as_python(both)) == both


def test_a_node_called_path_does_not_hide_the_path(node_tree: Any) -> None:
    node_tree(
        {
            "paths.py": "import pathlib\nfrom cn import CN\nclass Path(CN):\n    x: pathlib.Path = pathlib.Path('a')\n",
            "other.py": "import enum\nimport paths\nfrom cn import CN\nclass Mode:\n    class Kind(enum.Enum):\n"
            "        one = 1\nclass Other(CN):\n    path: paths.Path = paths.Path()\n"
            "    kind: Mode.Kind = Mode.Kind.one\n",
        }
    )
    node = compose(__import__("other").Other)
    source = as_python(node)
    assert 'path=paths.Path(x=pathlib.Path("a"))' in source
    assert executed(source) == node


def test_a_class_of_a_function_cannot_be_written() -> None:
    class Local(CN): ...

    with pytest.raises(UserError) as caught:
        as_python(Local())
    what, how, where = str(caught.value).split("\n")
    name = "test_a_class_of_a_function_cannot_be_written.<locals>.Local"
    assert what == f"{name} is defined in a function, so no Python elsewhere can name it"
    assert how == "  write: class Local at the top of a file"
    assert where.startswith("  defined in tests/cn/writing/test_python.py:")
