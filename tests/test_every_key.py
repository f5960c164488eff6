"""Every node of the repository, found by its file: a new one is tested with no other edit."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib.util import find_spec
from math import inf, nextafter
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.config_store import ConfigStore

import cn
from cn.discovery import discover, registry
from cn.nodes.containers import Items, Row
from cn.nodes.field_types import SCALARS, Either, Kind
from cn.nodes.ranges import Ranged
from cn.nodes.target import check_target
from cn.nodes.to_json import plain
from cn.sweeping.planning.plan import identity, plan
from cn.writing.command_line import command, words
from cn.writing.python import as_python
from cn.writing.record import unplain
from data import Data, Stream
from data.tokenizer import Tokenizer
from models import Model
from models.attention import Attention
from models.head import Head
from runs import Run
from runs.benchmark import Benchmark
from runs.callbacks import Callback
from runs.launch import Launch
from runs.logger import Logger
from runs.optim import Optim
from runs.schedule import Schedule
from runs.task import Task
from runs.training import Training
from sweeps import Prune, Search, Sweep
from tests.on_meta import on_meta

CONTRACTS: list[Any] = [
    *(Model, Head, Attention, Data, Tokenizer, Run, Optim, Schedule, Task, Training),
    *(Callback, Benchmark, Logger, Launch, Sweep, Search, Prune),
]
WITHIN = {  # runs of which these are a part, since some of their values follow from others of a run
    "task=distil": ["run=distil"],
    "task=language": ["run=language"],
    "training=depth_time": ["run=language", "training=depth_time"],
    "training=hybrid": ["run=language", "training=hybrid"],
}


def nodes(*contracts: Any) -> list[Any]:
    found = [discover.options((contract,)) for contract in contracts]
    assert not any(broken for _, broken in found), found
    return [pytest.param(cls, id=str(registry.key_of(cls))) for options, _ in found for cls in options.values()]


def needed(cls: Any) -> list[str]:
    """Words for the fields that must be given: each is a path, which a data set may take in place of a name."""
    without = [each.name for each in fields(cls) if each.default is each.default_factory is MISSING]
    return [f"{name}=nowhere" for name in without or ("path",) if name in cls._fields]


@pytest.mark.parametrize("cls", nodes(*CONTRACTS))
def test_it_is_in_the_config_store_under_the_group_of_its_path(cls: Any) -> None:
    key = registry.key_of(cls)
    assert key is not None
    entry = ConfigStore.instance().load(f"{key.group}/{key.option}.yaml")
    assert entry.node._metadata.object_type is cls
    folder, _, file = cls.__module__.rpartition(".")
    assert file in key.option.split("/")
    group = key.group.split("/")[0]
    assert folder.split(".")[0].removesuffix("s") == group or folder.startswith("runs.") or folder.endswith(f".{group}")


@pytest.mark.parametrize("cls", nodes(*CONTRACTS))
def test_it_composes_and_is_read_back_from_python_and_from_json(cls: Any) -> None:
    node: Any = (
        cn.compose(Run, within) if (within := WITHIN.get(str(registry.key_of(cls)))) else cn.compose(cls, needed(cls))
    )
    scope: dict[str, Any] = {}
    exec(as_python(node, "node"), scope)
    assert scope["node"] == node
    assert unplain(json.loads(json.dumps(plain(node)))) == node


@pytest.mark.parametrize("cls", nodes(*CONTRACTS))
def test_it_says_what_it_is_and_each_field_of_a_number_has_a_comment(cls: Any) -> None:
    assert inspect.getdoc(cls), f"{cls.__name__} has no docstring"
    bare = [
        name
        for name, kind in cn.nodes.resolving.resolve(cls).items()  # type: ignore[union-attr]
        if cn.nodes.ranges.bare(kind).name in ("int", "float") and not cn.discovery.source.comment(cls, name)
    ]
    assert not bare, f"{cls.__name__}: without a unit or a range: {', '.join(bare)}"


def outside(kind: Kind) -> Iterator[Any]:
    """Values just outside the ranges of a kind; of a tuple, the other places hold the same value."""
    if isinstance(kind, Either):
        whole = [each for each in kind.members if cn.nodes.ranges.bare(each) == SCALARS[int]]
        for member in kind.members:
            for value in outside(member):  # a whole float is an int on the command line
                if member in whole or not whole or not float(value).is_integer():
                    yield value
    elif isinstance(kind, Items):
        yield from ([each] for each in outside(kind.item))
    elif isinstance(kind, Row):
        yield from ([each] * len(kind.items) for item in kind.items for each in outside(item))
    elif isinstance(kind, Ranged):
        whole = kind.kind == SCALARS[int]
        for sign, bound in kind.bounds:
            far = -inf if sign[0] == ">" else inf
            past = bound + (1 if far > 0 else -1) if whole else nextafter(bound, far)
            yield past if sign[1:] else bound if whole else float(bound)
        for sign, bound in kind.lengths:
            count = bound - 1 if sign == ">=" else bound + 1
            yield "x" * count if kind.kind == SCALARS[str] else [0] * count
        yield from outside(kind.kind)


def ranged(cls: Any) -> list[tuple[str, str, Any]]:
    """Each field of a node with a range, the name of the range, and a value outside."""
    kinds = cn.nodes.resolving.resolve(cls)
    return [(name, kind.name, value) for name, kind in kinds.items() for value in outside(kind)]  # type: ignore[union-attr]


def test_the_ranges_of_the_repository_are_found() -> None:
    found = {(cls.values[0], name) for cls in nodes(*CONTRACTS) for name, _, _ in ranged(cls.values[0])}
    names = {name for _, name in found}
    assert {"epochs", "seed", "clip", "betas", "dropout", "widths", "warmup", "batch_size", "ratios", "hours"} <= names
    assert len(found) > 300


@pytest.mark.parametrize("cls", [each for each in nodes(*CONTRACTS) if ranged(each.values[0])])
def test_a_value_just_outside_a_range_is_refused_by_its_name(cls: Any) -> None:
    for name, told, value in ranged(cls):
        word = f"{name}={value!r}"
        with pytest.raises(cn.UserError) as error:
            cn.compose(cls, [*needed(cls), word])
        assert str(error.value).startswith(f"{word}: {name} is {told}, not "), word


@pytest.mark.parametrize("cls", [each for each in nodes(*CONTRACTS) if "_target_" in each.values[0]._fields])
def test_its_target_exists_and_takes_its_fields(cls: Any) -> None:
    check_target(cls)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [each for each in nodes(Model) if "tokens" not in each.values[0]._needs])
def test_a_model_gives_numbers_for_each_image_or_for_each_of_its_pixels(cls: Any) -> None:
    model = cn.compose(cls)
    absent = [package for package in model.packages() if find_spec(package) is None]
    if absent:
        pytest.skip(f"{absent[0]} is not installed: .[hub]")
    network = model.build(inputs=(1, 8, 8), classes=3).eval()
    assert network(torch.randn(2, 1, 8, 8)).shape == {"numbers": (2, 3), "maps": (2, 3, 8, 8)}[cls._gives]


@pytest.mark.parametrize("cls", [each for each in nodes(Model) if each.values[0]._gives == "tokens"])
def test_a_language_model_gives_a_vector_and_logits_for_each_token(cls: Any) -> None:
    model = cn.compose(cls)
    with on_meta():
        network = model.build(inputs=(8,), classes=7)
        hidden = network(torch.zeros(2, 8, dtype=torch.long))
    assert hidden.shape == (2, 8, model.d_model)
    assert network.logits(hidden).shape == (2, 8, model.vocabulary or 7)


@pytest.mark.parametrize("cls", [each for each in nodes(Data) if not {"root", "path"} & set(each.values[0]._fields)])
def test_data_that_need_no_files_build_and_give_a_batch(cls: Any) -> None:
    dataset = cn.compose(cls).build(seed=1)
    if isinstance(dataset.train, Stream):
        batch = next(dataset.train.batches(2, slice(None)))
        assert batch.shape == dataset.validation.batch(torch.arange(2)).shape == (2, *dataset.inputs)
        return
    if dataset.vocabulary is not None:
        tokens = dataset.train.batch(torch.arange(2))
        assert tokens.shape == (2, dataset.inputs[0] + 1)
        assert tokens.max() < dataset.vocabulary.size
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
    assert "data=digits" in message or "tokens" in cls._holds
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


@pytest.mark.parametrize("cls", nodes(Run))
def test_a_run_can_be_a_trial(cls: Any) -> None:
    run = cn.compose(cls)
    assert len(identity(run, plain(run))) == 10
