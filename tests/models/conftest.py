"""What the tests of several models use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import models
from models import Model

FOLDER = Path(models.__file__).parent
IMAGES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)]  # c h w


def every_model() -> Iterator[type[Model]]:
    """Each class of numbers that a public file of `models/` defines, found as a reader would: by looking."""
    for file in sorted(FOLDER.glob("[!_]*.py")):
        module = importlib.import_module(f"models.{file.stem}")
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == module.__name__
            if own and issubclass(cls, Model) and cls._gives == "numbers":
                yield cls


def size(model: Model, inputs: tuple[int, int, int], classes: int = 10) -> int:
    """The number of parameters; the network is built on a device that holds nothing."""
    with torch.device("meta"):
        network = model.build(inputs=inputs, classes=classes)
    return sum(parameter.numel() for parameter in network.parameters())


def is_complete(cls: type[Model]) -> bool:
    """Whether every field has a default: what needs a value to be built has none that a test could know."""
    return all({each.default, each.default_factory} != {MISSING} for each in fields(cls))


def is_light(model: Model) -> bool:
    """Whether it runs in a moment on a CPU; one that cannot be built is taken along, for its own tests to fail."""
    try:
        return size(model, (1, 28, 28)) < 12_000_000
    except Exception:
        return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`each_model` is every model, as it comes; `each_light_model` those that run in a moment on a CPU;
    `each_inputs` every shape of image.
    """
    if not {"each_model", "each_light_model", "each_inputs"} & set(metafunc.fixturenames):
        return
    nodes = [cls() for cls in every_model() if is_complete(cls)]
    light = [node for node in nodes if is_light(node)]
    for fixture, chosen in {"each_model": nodes, "each_light_model": light}.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, [pytest.param(node, marks=_installed(node)) for node in chosen], ids=_name)
    if "each_inputs" in metafunc.fixturenames:
        metafunc.parametrize("each_inputs", IMAGES, ids=lambda shape: "x".join(map(str, shape)))


def _installed(node: Model) -> list[pytest.MarkDecorator]:
    """Skips the tests of a model whose packages are not there."""
    absent = [each for each in node.packages() if find_spec(each) is None]
    return [pytest.mark.skip(reason=f"{each} is not installed: .[hub]") for each in absent]


def _name(node: Model) -> str:
    return type(node).__name__


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def refusal():
    """The whole text with which a node's own check refuses its values."""

    def text(check: Callable[[], None]) -> str:
        with pytest.raises(ValueError) as refused:  # noqa: PT011  the caller compares all of it
            check()
        return str(refused.value)

    return text


@pytest.fixture
def parameters():
    """Counts what a model learns: `parameters(model, inputs, classes)`."""
    return size
