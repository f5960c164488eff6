"""What the tests of several models use.

Fixtures:

    each_model        (parameter) every model, as it comes
    each_light_model  (parameter) every model that runs in a moment on a CPU
    each_inputs       (parameter) every shape of image
    refusal           `refusal(node.check)`: the whole text with which a node's own check refuses its values
    outside           `outside(Cls, field=value)`: the first line of the error for a value outside of a field's range
    parameters        `parameters(model, inputs, classes)`: the number of parameters that a model learns
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from cn import UserError
from models import Model
from tests.on_meta import on_meta

FOLDER = Path(models.__file__).parent
IMAGES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)]  # c h w


def every_model() -> Iterator[type[Model]]:
    """Yield each model class in a public file of `models/` that takes no tokens and gives numbers."""
    for file in sorted(FOLDER.rglob("[!_]*.py")):
        module = importlib.import_module(".".join(("models", *file.relative_to(FOLDER).with_suffix("").parts)))
        for cls in vars(module).values():
            own = inspect.isclass(cls) and cls.__module__ == module.__name__
            if own and issubclass(cls, Model) and cls._gives == "numbers" and "tokens" not in cls._needs:
                yield cls


def size(model: Model, inputs: tuple[int, int, int], classes: int = 10) -> int:
    """Return the number of parameters; the network is built on the meta device."""
    with on_meta():
        network = model.build(inputs=inputs, classes=classes)
    return sum(parameter.numel() for parameter in network.parameters())


def is_complete(cls: type[Model]) -> bool:
    """Return whether every field has a default; a test cannot know other values."""
    return all({each.default, each.default_factory} != {MISSING} for each in fields(cls))


def is_light(model: Model) -> bool:
    """Return whether the model runs quickly on a CPU; one that cannot be built is included, so that its tests fail."""
    try:
        return size(model, (1, 28, 28)) < 12_000_000
    except Exception:
        return True


@functools.cache
def _is_light_as_it_comes(cls: type[Model]) -> bool:
    """Cached for all test files. One of another library counts as light: to import the library takes seconds."""
    node = cls()
    return bool(node.packages()) or is_light(node)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`each_model` is every model, as it comes; `each_light_model` those that run in a moment on a CPU;
    `each_inputs` every shape of image.
    """
    if not {"each_model", "each_light_model", "each_inputs"} & set(metafunc.fixturenames):
        return
    nodes = [cls() for cls in every_model() if is_complete(cls)]
    light = [node for node in nodes if _is_light_as_it_comes(type(node))]
    for fixture, chosen in {"each_model": nodes, "each_light_model": light}.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, [pytest.param(node, marks=_installed(node)) for node in chosen], ids=_name)
    if "each_inputs" in metafunc.fixturenames:
        metafunc.parametrize("each_inputs", IMAGES, ids=lambda shape: "x".join(map(str, shape)))


def _installed(node: Model) -> list[pytest.MarkDecorator]:
    """Skip the tests of a model whose packages are missing; others are slow, since importing the packages is."""
    absent = [each for each in node.packages() if find_spec(each) is None]
    missing = [pytest.mark.skip(reason=f"{each} is not installed: .[hub]") for each in absent]
    return [*missing, *([pytest.mark.slow] if node.packages() else [])]


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
    """Return the whole message with which a node's check refuses its values."""

    def text(check: Callable[[], None]) -> str:
        with pytest.raises(ValueError) as refused:  # noqa: PT011  the caller compares all of it
            check()
        return str(refused.value)

    return text


@pytest.fixture
def outside():
    """The first line of the error for a node with a value outside the range of its field."""

    def text(cls: Any, **values: Any) -> str:
        with pytest.raises(UserError) as refused:
            cls(**values)
        return str(refused.value).split("\n")[0]

    return text


@pytest.fixture
def parameters():
    """Return the number of parameters of a model: `parameters(model, inputs, classes)`."""
    return size
