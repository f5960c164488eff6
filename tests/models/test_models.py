"""What holds for every model: shapes, a sane start, and who imports whom."""

from __future__ import annotations

import ast
import inspect
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from cn import CN, UserError, compose
from models import Model
from models.linear import Linear
from models.vit import Base
from tests.models.conftest import is_complete, is_light
from tests.on_meta import on_meta

FOLDER = Path(models.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
HEAVY = {"torch", "einops"}


def images(inputs: tuple[int, int, int], count: int) -> torch.Tensor:
    return torch.randn(count, *inputs)


def test_every_model_gives_one_row_of_logits_per_image(each_model, each_inputs):
    with on_meta():
        network = each_model.build(inputs=each_inputs, classes=7)
        for training in (True, False):
            assert network.train(training)(images(each_inputs, 2)).shape == (2, 7)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_every_model_runs_on_digits(each_light_model, training):
    network = each_light_model.build(inputs=(1, 8, 8), classes=10).train(training)
    logits = network(images((1, 8, 8), 2))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


@pytest.mark.parametrize("sides", [(9, 11), (1, 3), (17, 2)])
def test_convolutions_take_images_of_odd_sides(sides):
    from models.cnn import Cnn
    from models.fcnn import Fcnn
    from models.lenet import LeNet
    from models.resnet9 import ResNet9
    from models.resnet18 import ResNet18

    for node in (Cnn(), Fcnn(kernel_size=1), LeNet(kernel_size=1), ResNet18(width=4), ResNet9(width=4)):
        with on_meta():
            network = node.build(inputs=(2, *sides), classes=5)
            assert network(images((2, *sides), 2)).shape == (2, 5)


@pytest.mark.slow
def test_every_model_begins_near_an_even_guess_and_learns_everywhere(each_light_model):
    network = each_light_model.build(inputs=(1, 28, 28), classes=10)
    labels = torch.arange(16) % 10
    loss = F.cross_entropy(network(images((1, 28, 28), 16)), labels)
    assert loss.item() == pytest.approx(math.log(10), abs=0.5)
    loss.backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


def test_every_model_gives_the_same_in_channels_last(each_light_model):
    network = each_light_model.build(inputs=(3, 8, 8), classes=10).eval()
    x = images((3, 8, 8), 2)
    with torch.no_grad():
        plain = network(x)
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        last = network(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


class Needs(Linear):
    width: int


class Broken(Linear):
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Sequential:
        raise RuntimeError("a mistake")


def test_a_model_that_needs_a_value_or_cannot_be_built_leaves_the_tests_of_the_others_alone():
    assert not is_complete(Needs)
    assert all(map(is_complete, (Linear, Base, Broken)))
    assert is_light(Broken())  # so its own tests fail
    assert is_light(Linear())
    assert not is_light(Base())


class Bare(Model):
    """Neither builds a network nor names one."""


class Rows(Model):
    """A network of torch, without code."""

    _target_: str = "torch.nn.Linear"
    in_features: int = 10
    out_features: int = 1
    bias: bool = True


def test_a_node_that_names_a_module_of_a_library_needs_no_code():
    network = compose(Rows, ["bias=false"]).build(inputs=(10,), classes=1)
    assert isinstance(network, nn.Linear)
    assert network.bias is None
    assert network(torch.randn(3, 10)).shape == (3, 1)


def test_a_model_without_build_and_target_is_told_what_to_write():
    with pytest.raises(UserError) as refused:
        Bare().build(inputs=(10,), classes=1)
    line = inspect.getsourcelines(Bare)[1]
    assert str(refused.value) == (
        "Bare does not define build(), and names no target\n"
        f"  defined in tests/models/test_models.py:{line}\n"
        '  write: def build(self, ...), or _target_: str = "package.name"'
    )


def top_level(tree: ast.Module) -> set[str]:
    """The modules that importing the file imports, TYPE_CHECKING left out."""
    return imported([node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))])


def imported(nodes: list[ast.AST]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def first(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_torch_code_knows_no_node_and_nodes_import_no_torch(file):
    tree = ast.parse(file.read_text())
    everywhere = imported(list(ast.walk(tree)))
    assert not first(everywhere) & {"data", "runs", "sweeps"}
    private = file.name.startswith("_") and file.name != "__init__.py"
    if not private:
        assert not first(top_level(tree)) & HEAVY
    elif first(top_level(tree)) & HEAVY:
        assert "cn" not in first(everywhere)
        ours = [name for name in everywhere if name.split(".")[0] == "models"]
        assert all(name.split(".")[-1].startswith("_") for name in ours)


@pytest.mark.slow
def test_importing_and_refusing_needs_no_torch():
    names = [
        ".".join(("models", *file.relative_to(FOLDER).with_suffix("").parts))
        for file in FILES
        if not file.name.startswith("_")
    ]
    code = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
from models.lenet import LeNet
from models.vit import ViT
for node in (LeNet(kernel_size=9), ViT(patch=3)):
    try:
        node.build(inputs=(1, 8, 8), classes=10)
    except ValueError:
        pass
    else:
        raise SystemExit("not refused")
assert not {HEAVY} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent, check=True, timeout=600)


def test_a_network_holds_no_node(each_model):
    with on_meta():
        network = each_model.build(inputs=(1, 28, 28), classes=10)
    assert isinstance(network, nn.Module)
    held = [value for module in network.modules() for value in vars(module).values()]
    assert not any(isinstance(value, CN) for value in held)
