"""The path is the key: which group and option a class is, what can be chosen, and files that are broken."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore

from cn import CN, DefinitionError, UserError, compose, registry
from cn.registry import Broken, key_of, snake
from tests.cn.conftest import python

MODEL = python("from cn import CN", "class Model(CN):", "    size: int = 1")


def node(name: str, base: str = "models:Model") -> str:
    module, contract = base.split(":")
    return python(f"from {module} import {contract}", f"class {name}({contract}): ...")


def imported(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


PATHS = {
    ("models/vit.py", "ViT"): "model=vit",
    ("models/vit.py", "VIT"): "model=vit",
    ("models/vit.py", "Vit"): "model=vit",
    ("models/vit.py", "Small"): "model=vit/small",
    ("models/vit.py", "VerySmall"): "model=vit/very_small",
    ("models/vit.py", "ViT2"): "model=vit/vi_t2",
    ("models/single_linear_layer.py", "SingleLinearLayer"): "model=single_linear_layer",
    ("models/male_smiling.py", "MALESmiling"): "model=male_smiling",
    ("models/mlp2.py", "MLP2"): "model=mlp2",
    ("models/encoder/bert_family/base.py", "Base"): "model=encoder/bert_family/base",
    ("models/encoder/bert_family/base.py", "Tiny"): "model=encoder/bert_family/base/tiny",
    ("models/deep/models.py", "Models"): "model=deep/models",
    ("models/vit.py", "_Hidden"): None,
    ("models/_vit.py", "ViT"): None,
    ("models/_deep/vit.py", "ViT"): None,
}


@pytest.mark.parametrize(("path", "name"), PATHS)
def test_the_key_of_a_class_is_its_path(node_tree: Any, path: str, name: str) -> None:
    node_tree({"models/__init__.py": MODEL, path: node(name)})
    key = key_of(imported(path[:-3].replace("/", "."), name))
    assert (str(key) if key else None) == PATHS[path, name]


GROUPS = {
    "models": "model",
    "data": "data",
    "losses": "losse",
    "loss": "loss",
    "optimizers": "optimizer",
    "models.heads": "model/head",
    "runs": "run",
    "runs.optim": "optim",
    "runs.callbacks": "callback",
    "runs.optim.groups": "optim/group",
}


@pytest.mark.parametrize("package", GROUPS)
def test_the_group_is_the_folder_without_its_plural(package: str) -> None:
    assert registry.group_of(package) == GROUPS[package]


def test_a_group_is_the_nearest_folder_whose_contract_is_fulfilled(node_tree: Any) -> None:
    node_tree(
        {
            "models/__init__.py": MODEL,
            "models/head/__init__.py": python("from cn import CN", "class Head(CN): ..."),
            "models/head/pool.py": node("Pool", "models.head:Head"),
            "models/head/model.py": node("Model2", "models:Model"),
            "models/cnn/__init__.py": "",
            "models/cnn/small.py": node("Small"),
            "runs/__init__.py": python("from cn import CN", "class Run(CN): ..."),
            "runs/cmnist/cnn.py": node("CNN", "runs:Run"),
            "runs/optim/adamw.py": python("from cn import CN", "class AdamW(CN): ..."),
        }
    )
    keys = [
        str(key_of(imported(module, name)))
        for module, name in {
            "models.head.pool": "Pool",
            "models.head.model": "Model2",
            "models.cnn.small": "Small",
            "runs.cmnist.cnn": "CNN",
            "runs.optim.adamw": "AdamW",
        }.items()
    ]
    assert keys == ["model/head=pool", "model=head/model/model2", "model=cnn/small", "run=cmnist/cnn", "optim=adamw"]
    assert list(registry.options((imported("models", "Model"),))[0]) == ["cnn/small", "head/model/model2"]
    assert list(registry.options((imported("models.head", "Head"),))[0]) == ["pool"]


def test_a_parent_folder_may_be_called_cn(tmp_path: Path, isolated_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "cn" / "models"
    root.mkdir(parents=True)
    (root / "__init__.py").write_text(MODEL)
    (root / "cn.py").write_text(node("CN2") + python("class Cn(Model): ..."))
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.split(".")[0] == "models"]:
            patch.delitem(sys.modules, name)
        patch.syspath_prepend(tmp_path / "cn")
        model = imported("models", "Model")
        assert list(registry.options((model,))[0]) == ["cn", "cn/cn2"]
        for name in [name for name in sys.modules if name.split(".")[0] == "models"]:
            patch.delitem(sys.modules, name)


def test_each_class_is_in_the_config_store_under_its_group_and_name(tree: Path, keys: Any) -> None:
    assert "model" not in ConfigStore.instance().repo
    keys(imported("models", "Model"))
    store = ConfigStore.instance()
    assert store.list("model") == ["head", "mlp.yaml", "vit", "vit.yaml"]
    assert store.list("model/vit") == ["small.yaml"]
    assert store.load("model/vit/small.yaml").node.dim == 384
    assert store.load("model/vit/small.yaml").provider == "cn"


def test_a_contract_an_abstract_class_and_a_local_one_are_no_options(node_tree: Any, keys: Any) -> None:
    abstract = python(
        "from abc import abstractmethod", "from models import Model", "class Half(Model):", "    @abstractmethod",
        "    def build(self) -> int: ...", "class Whole(Half):", "    def build(self) -> int:", "        return 1",
        "def make():", "    class Local(Model): ...", "    return Local", "Made = make()",
    )  # fmt: skip
    node_tree({"models/__init__.py": MODEL, "models/half.py": abstract})
    model = imported("models", "Model")
    assert keys(model) == ["half/whole"] == keys("model")
    with pytest.raises(UserError) as caught:
        compose(model, ["model=half"])
    assert str(caught.value) == (
        "model=half: Half cannot be chosen: it does not define build()\n  defined in models/half.py:3\n"
        "  nearest: half/whole"
    )


def test_a_class_that_is_imported_is_an_option_only_where_it_is_defined(node_tree: Any, keys: Any) -> None:
    source = python("from models.vit import ViT", "class MLP(ViT): ...", "Alias = MLP")
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT"), "models/mlp.py": source})
    assert keys(imported("models", "Model")) == ["mlp", "vit"]


def test_two_nodes_with_one_key_are_refused_with_both_places(node_tree: Any) -> None:
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT") + "\n\nclass VIT(Model): ...\n"})
    with pytest.raises(DefinitionError) as caught:
        importlib.import_module("models.vit")
    assert str(caught.value) == (
        "two nodes have the key model=vit\n  ViT at models/vit.py:2\n  VIT at models/vit.py:5\n"
        "  write: another name for class VIT, or an underscore before it if nobody chooses it"
    )


def test_two_files_with_one_key_are_refused_with_both_places(node_tree: Any) -> None:
    node_tree(
        {
            "optim/__init__.py": python("from cn import CN", "class Optim(CN): ..."),
            "optim/sgd.py": node("SGD", "optim:Optim"),
            "runs/__init__.py": "",
            "runs/optim/__init__.py": python("from cn import CN", "class Optim(CN): ..."),
            "runs/optim/sgd.py": node("Sgd", "runs.optim:Optim"),
        }
    )
    importlib.import_module("optim.sgd")
    with pytest.raises(DefinitionError) as caught:
        importlib.import_module("runs.optim.sgd")
    assert str(caught.value).split("\n")[:3] == [
        "two nodes have the key optim=sgd",
        "  SGD at optim/sgd.py:2",
        "  Sgd at runs/optim/sgd.py:2",
    ]


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


def test_a_class_may_be_defined_again_by_a_reload(node_tree: Any) -> None:
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT")})
    importlib.reload(importlib.import_module("models.vit"))


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


def test_a_contract_may_stand_in_a_file_of_its_own(node_tree: Any, keys: Any) -> None:
    node_tree({"shapes/base.py": MODEL, "shapes/circle.py": node("Circle", "shapes.base:Model")})
    assert keys(imported("shapes.base", "Model")) == ["base/model", "circle"]


def test_a_contract_without_a_folder_has_no_options(node_tree: Any, keys: Any) -> None:
    node_tree({"single.py": MODEL + python("class Holder(CN):", "    model: Model | None = None")})
    assert keys(imported("single", "Model")) == []
    with pytest.raises(UserError) as caught:
        compose(imported("single", "Holder"), ["model=x"])
    assert str(caught.value) == (
        "model=x: no single is called 'x'\n  options are the subclasses of Model (single.py:2)\n"
        "  there is nothing to choose from"
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
    names, (broken,) = registry.options((model,))
    assert list(names) == ["vit"]
    assert (broken.file, broken.why.startswith(BROKEN[source])) == ("models/bad.py", True)
    with pytest.raises(UserError) as caught:
        compose(model, ["model=vitt"])
    assert str(caught.value).endswith("nearest: vit")


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
    names, broken = registry.options((model,))
    assert list(names) == ["vit"]
    assert broken == [Broken(f"models/{file}.py", f"its name is none that Python can import, rename it to {better}.py")]


@pytest.mark.parametrize(
    "option", ["a" * 300, "a/" * 100 + "a", "a" * 100_000, "vit/", "/vit", "vit//small", "v\0t", "vit\n"]
)
def test_an_absurd_name_is_an_unknown_option(tree: Path, option: str) -> None:
    from models import Model

    with pytest.raises(UserError, match="no model is called") as caught:
        registry.find((Model,), option)
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


def test_names_of_classes_become_words() -> None:
    words = {"MaleSmiling": "male_smiling", "MLP": "mlp", "GPT2Small": "gpt2_small", "ResNet18": "res_net18", "A": "a"}
    assert {name: snake(name) for name in words} == words
