"""Every node of the repository, found by its file: a new one is tested with no other edit."""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.config_store import ConfigStore

import cn
from cn import discover, registry
from cn.python import as_python
from cn.record import plain, unplain
from cn.target import check_target
from cn.words import command, words
from data import Data, Stream
from models import Model
from models.head import Head
from runs import Run
from runs.callbacks import Callback
from runs.launch import Launch
from runs.logger import Logger
from runs.optim import Optim
from runs.schedule import Schedule
from runs.task import Task
from sweeps import Sweep
from sweeps._plan import plan

CONTRACTS: list[Any] = [Model, Head, Data, Run, Optim, Schedule, Task, Callback, Logger, Launch, Sweep]


def nodes(*contracts: Any) -> list[Any]:
    found = [discover.options((contract,)) for contract in contracts]
    assert not any(broken for _, broken in found), found
    return [pytest.param(cls, id=str(registry.key_of(cls))) for options, _ in found for cls in options.values()]


def needed(cls: Any) -> list[str]:
    """Words for the fields that must be given: each is a path."""
    without = [each.name for each in fields(cls) if each.default is each.default_factory is MISSING]
    return [f"{name}=nowhere" for name in without]


@pytest.mark.parametrize("cls", nodes(*CONTRACTS))
def test_it_is_in_the_config_store_under_the_group_of_its_path(cls: Any) -> None:
    key = registry.key_of(cls)
    assert key is not None
    entry = ConfigStore.instance().load(f"{key.group}/{key.option}.yaml")
    assert entry.node._metadata.object_type is cls
    folder, _, file = cls.__module__.rpartition(".")
    assert file in key.option.split("/")
    assert folder.split(".")[0].removesuffix("s") == key.group.split("/")[0] or folder.startswith("runs.")


@pytest.mark.parametrize("cls", nodes(*CONTRACTS))
def test_it_composes_and_is_read_back_from_python_and_from_json(cls: Any) -> None:
    alone = registry.key_of(cls) != ("task", "distil")
    node: Any = cn.compose(cls, needed(cls)) if alone else cn.compose(Run, ["run=distil"])
    scope: dict[str, Any] = {}
    exec(as_python(node, "node"), scope)
    assert scope["node"] == node
    assert unplain(json.loads(json.dumps(plain(node)))) == node


@pytest.mark.parametrize("cls", nodes(*CONTRACTS))
def test_it_says_what_it_is_and_each_field_of_a_number_has_a_comment(cls: Any) -> None:
    assert inspect.getdoc(cls), f"{cls.__name__} has no docstring"
    bare = [
        name
        for name, kind in cn.node.resolve(cls).items()  # type: ignore[union-attr]
        if kind.name in ("int", "float") and not cn.source.comment(cls, name)
    ]
    assert not bare, f"{cls.__name__}: without a unit or a range: {', '.join(bare)}"


@pytest.mark.parametrize("cls", [each for each in nodes(*CONTRACTS) if "_target_" in each.values[0]._fields])
def test_its_target_exists_and_takes_its_fields(cls: Any) -> None:
    check_target(cls)


@pytest.mark.parametrize("cls", nodes(Model))
def test_a_model_gives_numbers_for_each_image_or_for_each_of_its_pixels(cls: Any) -> None:
    model = cn.compose(cls)
    absent = [package for package in model.packages() if find_spec(package) is None]
    if absent:
        pytest.skip(f"{absent[0]} is not installed: .[hub]")
    network = model.build(inputs=(1, 8, 8), classes=3).eval()
    assert network(torch.randn(2, 1, 8, 8)).shape == {"numbers": (2, 3), "maps": (2, 3, 8, 8)}[cls._gives]


@pytest.mark.parametrize("cls", [each for each in nodes(Data) if "root" not in each.values[0]._fields])
def test_data_that_need_no_files_build_and_give_a_batch(cls: Any) -> None:
    dataset = cn.compose(cls).build(seed=1)
    if isinstance(dataset.train, Stream):
        batch = next(dataset.train.batches(2, slice(None)))
        assert batch.shape == dataset.validation.batch(torch.arange(2)).shape == (2, *dataset.inputs)
        return
    examples, wanted = dataset.train.batch(torch.arange(2))
    assert examples.shape == (2, *dataset.inputs)
    assert wanted.shape[1] == len(dataset.targets) if dataset.targets else wanted.max() < len(dataset.classes)


@pytest.mark.parametrize(
    "cls", [each for each in nodes(Data) if "root" in each.values[0]._fields and not needed(each.values[0])]
)
def test_data_whose_files_are_not_there_say_where_to_put_them_and_what_works(
    cls: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    nowhere = ["mirror=http://127.0.0.1:9"] if "mirror" in cls._fields else []
    with pytest.raises(cn.UserError) as caught:
        cn.compose(cls, nowhere).build(seed=1)
    message = str(caught.value)
    assert "data.root=FOLDER" in message
    assert "data=digits" in message
    assert len(message.splitlines()) <= 6


@pytest.mark.parametrize("cls", nodes(Run))
def test_a_run_is_written_as_its_name_and_read_back(cls: Any) -> None:
    node = cn.compose(cls, ["seed=12345"])
    assert command(node) == [str(registry.key_of(cls)), "seed=12345"] == [command(node)[0], *words(node)]
    assert cn.compose(Run, command(node)) == node


@pytest.mark.parametrize("cls", nodes(Sweep))
def test_every_sweep_can_be_planned(cls: Any) -> None:
    sweep = cn.compose(cls)
    assert 0 < len(plan(sweep)) <= len(sweep.axes)
