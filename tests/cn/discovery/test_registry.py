"""The path is the key: which group and option a class is, and what is none."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore

from cn import DefinitionError, UserError, compose
from cn.discovery import discover, registry
from cn.discovery.registry import key_of, snake
from tests.cn.conftest import MODEL, imported, node, python

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
    "runs.patches": "patch",
    "runs.caches": "cache",
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
    assert list(discover.options((imported("models", "Model"),))[0]) == ["cnn/small", "head/model/model2"]
    assert list(discover.options((imported("models.head", "Head"),))[0]) == ["pool"]


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
        assert list(discover.options((model,))[0]) == ["cn", "cn/cn2"]
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


def test_a_class_may_be_defined_again_by_a_reload(node_tree: Any) -> None:
    node_tree({"models/__init__.py": MODEL, "models/vit.py": node("ViT")})
    importlib.reload(importlib.import_module("models.vit"))


def test_names_of_classes_become_words() -> None:
    words = {"MaleSmiling": "male_smiling", "MLP": "mlp", "GPT2Small": "gpt2_small", "ResNet18": "res_net18", "A": "a"}
    assert {name: snake(name) for name in words} == words
