"""What can be chosen, files that are broken, and what an unknown name is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cn import CN, UserError, compose
from cn.discovery import discover
from cn.discovery.discover import Broken
from cn.writing.command_line import words
from tests.cn.conftest import MODEL, imported, node, python


def test_a_file_and_a_folder_of_one_name_are_refused(node_tree: Any) -> None:
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT"), "models/vit/small.py": node("Small")})
    model = imported("models", "Model")
    for word in ("model=vit", "model=vit/small"):
        with pytest.raises(UserError) as caught:
            compose(model, [word])
        assert str(caught.value) == (
            f"{word}: models/vit.py and models/vit/ have one name, so Python sees only one of them\n"
            "  rename one of the two"
        )


def test_choosing_a_node_imports_no_file_but_its_own(tree: Path, run: Any) -> None:
    run("model=vit/small")
    assert "models.vit" in sys.modules
    assert "models.mlp" not in sys.modules
    assert "runs.callbacks.stop" not in sys.modules
    assert "runs.bare" not in sys.modules


def test_an_attribute_of_a_concrete_class_offers_its_subclasses(tree: Path) -> None:
    from models.vit import ViT

    class Holder(CN):
        model: ViT = ViT()  # type: ignore

    assert type(compose(Holder, ["model=vit/small"]).model).__name__ == "Small"
    with pytest.raises(UserError) as caught:
        compose(Holder, ["model=mlp"])
    assert (
        str(caught.value) == "model=mlp: MLP is not a ViT\n  defined in models/mlp.py:4\n  choose from: vit, vit/small"
    )


def test_an_attribute_of_two_contracts_offers_the_options_of_both(tree: Path) -> None:
    from models import Model
    from runs.optim import Optim

    class Holder(CN):
        either: Model | Optim | None = None  # type: ignore

    assert type(compose(Holder, ["either=adamw"]).either).__name__ == "AdamW"
    assert type(compose(Holder, ["either=mlp"]).either).__name__ == "MLP"
    with pytest.raises(UserError) as caught:
        compose(Holder, ["either=adam"])
    assert str(caught.value) == (
        "either=adam: no model or optim is called 'adam'\n"
        "  options are the subclasses of Model (models/__init__.py:6), Optim (runs/optim/__init__.py:4)\n"
        "  nearest: adamw"
    )


def test_an_option_of_an_inner_folder_is_named_by_its_path_where_the_outer_one_has_its_name(node_tree: Any) -> None:
    inner = "from cn import CN\n\n\nclass Head(CN):\n    x: int = 1\n"
    holder = python(
        "from cn import CN",
        "from models import Model",
        "from models.head import Head",
        "class Holder(CN):",
        "    a: Model | Head | None = None",
    )
    node_tree(
        {
            "models/__init__.py": MODEL,
            "models/mean.py": node("Mean"),
            "models/head/__init__.py": inner,
            "models/head/mean.py": node("Mean", "models.head:Head"),
            "models/head/token.py": node("Token", "models.head:Head"),
            "holder.py": holder,
        }
    )
    made, types = imported("holder", "Holder"), (imported("models", "Model"), imported("models.head", "Head"))
    for option, module in {"mean": "models.mean", "token": "models.head.token"}.items():
        assert type(compose(made, [f"a={option}"]).a).__module__ == module
    for option in ("head/mean", "head/token"):
        found = compose(made, [f"a={option}"])
        assert type(found.a).__module__ == f"models.{option.replace('/', '.')}"
        assert words(found, made()) == [f"a={option if option == 'head/mean' else 'token'}"]
    assert list(discover.options(types)[0]) == ["head/mean", "mean", "token"]


def test_a_contract_may_stand_in_a_file_of_its_own(node_tree: Any, keys: Any) -> None:
    node_tree({"shapes/base.py": MODEL, "shapes/circle.py": node("Circle", "shapes.base:Model")})
    assert keys(imported("shapes.base", "Model")) == ["base/model", "circle"]


def test_a_contract_without_a_folder_has_no_options(node_tree: Any, keys: Any) -> None:
    node_tree({"single.py": MODEL + python("class Holder(CN):", "    model: Model | None = None")})
    assert keys(imported("single", "Model")) == []
    with pytest.raises(UserError) as caught:
        compose(imported("single", "Holder"), ["model=x"])
    assert str(caught.value) == (
        "model=x: Model has no options, so 'x' cannot be chosen\n  defined in single.py:2\n  set its fields: size"
    )


def test_a_part_of_the_library_without_a_folder_has_no_options() -> None:
    from cn.sweeping.axes import Axes
    from cn.sweeping.goal import Goal

    assert discover.options((Axes,)) == discover.options((Goal,)) == ({}, [])


def test_a_class_alone_is_not_chosen(node_tree: Any) -> None:
    alone = python("from cn import CN", "", "", "class Goal(CN):", "    metric: str = ''", "    others: int = 1")
    node_tree({"single.py": alone + python("class Holder(CN):", "    goal: Goal | None = None")})
    with pytest.raises(UserError) as caught:
        compose(imported("single", "Holder"), ["goal=maximize"])
    assert str(caught.value) == (
        "goal=maximize: Goal has no options, so 'maximize' cannot be chosen\n  defined in single.py:4\n"
        "  set its fields: metric, others"
    )


BROKEN = {
    "x = (1\n": "models/bad.py:1: SyntaxError: '(' was never closed",
    "  x = 1\n": "models/bad.py:1: IndentationError: unexpected indent",
    "from models import Modle\n": "models/bad.py:1: ImportError: cannot import name 'Modle' from 'models' ",
    "import torhc\n": "models/bad.py:1: ModuleNotFoundError: No module named 'torhc'",
    "\nclass Bad(Model): ...\n": "models/bad.py:2: NameError: name 'Model' is not defined",
    "from models import Model\nclass Bad(Model):\n    size = 3\n": "Bad.size has no annotation, so it would",
    "from models._deep import x\n": "models/bad.py:1: ZeroDivisionError: division by zero",
    "from models._syntax import x\n": "models/_syntax.py:2: SyntaxError: invalid syntax",
    "import sys\nsys.exit(3)\n": "models/bad.py:2: SystemExit: 3",
    "raise ValueError('a\\nb' * 500)\n": "models/bad.py:1: ValueError: a\\nba\\nba",
}


@pytest.fixture
def broken_tree(node_tree: Any) -> Any:
    return lambda source: node_tree(
        {
            "models/__init__.py": MODEL,
            "models/vit.py": node("ViT"),
            "models/_deep.py": "x = 1 / 0\n",
            "models/_syntax.py": "x = 1\nx =\n",
            "models/bad.py": source,
        }
    )


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_file_breaks_only_what_uses_it(broken_tree: Any, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(broken_tree(source))
    model = imported("models", "Model")
    assert compose(model, ["model=vit", "size=3"]).size == 3
    with pytest.raises(UserError) as caught:
        compose(model, ["model=bad"])
    what, why, *more = str(caught.value).split("\n")
    assert (caught.value.status, what) == (2, "model=bad: models/bad.py cannot be used")
    assert why.startswith(f"  {BROKEN[source]}")
    assert len(more) <= 2
    assert len(str(caught.value)) < 500
    names, (broken,) = discover.options((model,))
    assert list(names) == ["vit"]
    assert (broken.file, broken.why.startswith(BROKEN[source])) == ("models/bad.py", True)
    with pytest.raises(UserError) as caught:
        compose(model, ["model=vitt"])
    assert str(caught.value).endswith("nearest: vit")


def test_a_file_whose_classes_have_other_names_has_no_option_of_its_own_name(broken_tree: Any) -> None:
    broken_tree("from models import Model\nclass Other(Model): ...\n")
    with pytest.raises(UserError) as caught:
        compose(imported("models", "Model"), ["model=bad"])
    assert str(caught.value) == (
        "model=bad: no model is called 'bad'\n  options are the subclasses of Model (models/__init__.py:2)\n"
        "  nearest: bad/other"
    )


def test_a_file_whose_class_is_no_node_says_what_to_write(broken_tree: Any) -> None:
    broken_tree("import sys\nclass Bad:\n    size = 3\n")
    with pytest.raises(UserError) as caught:
        compose(imported("models", "Model"), ["model=bad"])
    assert str(caught.value) == (
        "model=bad: models/bad.py holds no subclass of Model\n  write: class Bad(Model)\n  see: models/__init__.py:2"
    )


def test_a_definition_error_in_a_file_is_told_whole(broken_tree: Any) -> None:
    broken_tree("from models import Model\nclass Bad(Model):\n    size = 3\n")
    with pytest.raises(UserError) as caught:
        compose(imported("models", "Model"), ["model=bad"])
    assert str(caught.value) == (
        "model=bad: models/bad.py cannot be used\n"
        "  Bad.size has no annotation, so it would not be a field\n"
        "    write: size: int = 3\n"
        "    defined in models/bad.py:3"
    )


@pytest.mark.parametrize(("file", "better"), [("my-model", "my_model"), ("2d", "x_2d"), ("class", "x_class")])
def test_a_file_that_no_import_can_name_is_told(node_tree: Any, file: str, better: str) -> None:
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT"), f"models/{file}.py": node("MyModel")})
    model = imported("models", "Model")
    names, broken = discover.options((model,))
    assert list(names) == ["vit"]
    assert broken == [Broken(f"models/{file}.py", f"its name cannot be imported by Python, rename it to {better}.py")]


@pytest.mark.parametrize(
    "option", ["a" * 300, "a/" * 100 + "a", "a" * 100_000, "vit/", "/vit", "vit//small", "v\0t", "vit\n"]
)
def test_an_absurd_name_is_an_unknown_option(tree: Path, option: str) -> None:
    from models import Model

    with pytest.raises(UserError, match="no model is called") as caught:
        discover.find((Model,), option)
    assert len(str(caught.value)) < 500


def test_hidden_folders_and_files_are_not_looked_into(node_tree: Any, keys: Any) -> None:
    node_tree(
        {
            "models/__init__.py": MODEL,
            "models/vit.py": node("ViT"),
            "models/.hidden/x.py": "1 / 0",
            "models/_private/x.py": "1 / 0",
            "models/__pycache__/x.py": "1 / 0",
            "models/notes.txt": "x",
            "models/deep/more/cnn.py": node("CNN"),
        }
    )
    assert keys(imported("models", "Model")) == ["deep/more/cnn", "vit"]


@pytest.mark.parametrize(("file", "option"), [("my-net", "my_net"), ("my-net", "my_net/small"), ("2d", "x_2d")])
def test_an_option_whose_file_no_import_can_name_is_told_the_name_of_the_file(
    node_tree: Any, file: str, option: str
) -> None:
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT"), f"models/{file}.py": node("MyNet")})
    with pytest.raises(UserError) as caught:
        compose(imported("models", "Model"), [f"model={option}"])
    better = option.partition("/")[0]
    assert str(caught.value) == (
        f"model={option}: models/{file}.py cannot be used\n"
        f"  its name cannot be imported by Python, rename it to {better}.py"
    )
