"""At its end a run names what was set and not read; what every node of the repository is told, it reads."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cn
from cn import CN, Job, UserError
from cn.discovery import discover
from cn.nodes.containers import Items, Row
from cn.nodes.field_types import Child, Either, Kind, OneOf, Scalar, same
from cn.nodes.ranges import bare
from cn.nodes.read_tracking import Reading, _Noting
from cn.nodes.resolving import resolve
from cn.nodes.traversal import is_field
from data import Data
from data._text import Text
from data.cartpole import CartPole
from data.folder import Folder
from data.glue import Cola, Glue
from data.hub import Hub, Numbers, Rows
from data.shapes import Shapes
from data.text.file import File
from models import Model
from models.encoder.bert_family.tiny import Tiny
from models.fcn import Fcn
from models.head import Head
from models.mlp import Mlp
from models.timm import Timm
from models.unet import UNet
from models.vit import ViT
from runs import Run, _train
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.default import Default
from runs.dqn import Dqn
from runs.gan import Gan
from runs.glue import Glue as Tuning
from runs.language import Language as LanguageRun
from runs.launch.local import Local
from runs.logger import Logger
from runs.optim import Optim
from runs.schedule import Schedule
from runs.task.classify import Classify
from runs.task.dqn import Dqn as DqnTask
from runs.task.language import Language as LanguageTask
from runs.task.regress import Regress
from runs.task.segment import Segment
from runs.task.sentence import Sentence
from runs.training.classical import Classical
from runs.training.depth_time import DepthTime
from tests.data import sentences
from tests.data.pictures import write
from tests.data.tables import images, keep_in, numbers, write_configured


def told(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("set, but nothing read it")]


def test_it_is_one_line_before_the_folders_name_on_the_screen_and_in_the_log(go, capsys):
    run = go("run", "steps=3", "epochs=5")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "set, but nothing read it: epochs=5 (command line); see: python train.py --from run --explain epochs",
        "run",
    ]
    assert run.log.splitlines() == lines


def test_it_is_true_to_the_end_of_what_a_run_leaves(go):
    """The same bits with a value that nothing reads as without it."""
    plain, warned = go("plain", "steps=12"), go("warned", "steps=12", "epochs=5")
    assert (told(plain.log), len(told(warned.log))) == ([], 1)
    assert torch.equal(plain.weights(), warned.weights())


class _Deaf(Model):
    width: int = 3
    depth: int = 2

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, classes * self.depth), nn.Linear(classes * self.depth, classes)
        )


class _Presets(Default):
    model: Model = _Deaf(width=7, depth=3)
    teacher: Model | None = ViT(depth=4)


def test_who_set_it_is_told(go):
    run = go("run", of=_Presets(steps=2, task=Classify(label_smoothing=0.1)))
    assert told(run.log) == [
        "set, but nothing read it: model.width=7 (_Presets), teacher.depth=4 (_Presets); "
        "see: python train.py --from run --explain model.width"
    ]


def test_a_new_run_from_a_folder_names_it(go, here, left):
    go("a run", "epochs=1")
    (here / "outputs").mkdir()
    go("", "steps=2", "data.batch_size=256", "folder=second", source="a run")
    assert told(left(here / "second").log) == [
        "set, but nothing read it: epochs=1 (--from a run); see: python train.py --from second --explain epochs"
    ]


def test_what_is_typed_is_told_though_it_is_the_default(go):
    run = go("run", "steps=2", "epochs=40")
    assert told(run.log)[0].startswith("set, but nothing read it: epochs=40 (command line);")


def test_validate_every_is_not_read_beside_validate_steps(go):
    run = go("run", "steps=2", "validate_every=0.5", "validate_steps=2")
    assert told(run.log)[0].startswith("set, but nothing read it: validate_every=0.5 (command line);")


def test_many_are_not_all_named(go, monkeypatch):
    class Many(Default):
        a: int = 0
        b: int = 0
        c: int = 0
        d: int = 0
        e: int = 0
        f: int = 0
        g: int = 0
        h: int = 0
        i: int = 0
        j: int = 0

    run = go("run", of=Many(steps=2, **dict.fromkeys("abcdefghij", 1)))
    assert told(run.log) == [
        "set, but nothing read it: a=1, b=1, c=1, d=1, e=1, f=1, g=1, h=1 and 2 more; "
        "see: python train.py --from run --explain a"
    ]


def test_a_resumed_run_tells_it_and_one_that_had_finished_does_not(go, failed, after_step, left, here):
    after_step(5, lambda: os.kill(os.getpid(), 2))
    failed(lambda: go("run", "steps=9", "epochs=3", "clip=1.0"))
    assert told(left(here / "run").log) == []
    run = go(source="run")
    assert told(run.log) == [
        "set, but nothing read it: epochs=3 (--from run); see: python train.py --from run --explain epochs"
    ]
    run = go(source="run")
    assert len(told(run.log)) == 1


def test_a_run_that_failed_has_other_news(go, failed, left, here):
    failed(lambda: go("run", "steps=9", "epochs=3", "optim.lr=1e38"))
    assert told(left(here / "run").log) == []
    assert "__getattribute__" not in vars(CN)


class _LateHooks(Hooks):
    def __init__(self, node: Any) -> None:
        self.node = node

    def on_end(self, training: Any) -> None:
        training.say(f"{self.node.late} of {training.run.teacher}")


class _Late(Callback):
    late: int = 1
    never: int = 1

    def build(self) -> Hooks:
        return _LateHooks(self)


class _Taught(Default):
    teacher: Model | None = None


def test_what_a_callback_reads_at_the_end_is_read(go):
    run = go("run", of=_Taught(steps=2, teacher=Fcn(hidden_dim=3), callbacks={"x": _Late(late=2, never=2)}))
    assert "2 of Fcn(" in run.log  # printed: who asked for the teacher has not asked for what is in it
    assert told(run.log) == [
        "set, but nothing read it: callbacks.x.never=2, teacher.hidden_dim=3; "
        "see: python train.py --from run --explain callbacks.x.never"
    ]


def test_several_runs_of_one_command_each_tell_their_own(here, shell):
    words = ["-m", "seed=1,2", "steps=2", "epochs=3", "model=mlp"]
    said = shell(*words)
    assert (said.status, said.err) == (0, "")
    logs = [each.read_text() for each in sorted(here.glob("outputs/*/*/log.txt"))]
    assert len(logs) == 2
    assert all(len(told(log)) == 1 and "epochs=3 (command line)" in log for log in logs)


def test_of_several_processes_the_first_tells_it(shell):
    words = ["steps=2", "epochs=3", "model=mlp", "gpu=-1", "launch.processes=2", "folder=run", "logger=csv", "clip=1"]
    said = shell(*words)
    assert (said.status, said.err) == (0, "")
    assert told(said.out) == [
        "set, but nothing read it: epochs=3 (command line); see: python train.py --from run --explain epochs"
    ]


def test_a_step_reads_nothing(go, monkeypatch):
    """While there is something unread, the loop asks no node for anything at each step."""
    asked: list[str] = []
    get = _Noting.__get__

    def noting(self: _Noting, node: CN, owner: type) -> Any:
        asked.append(owner.__name__)
        return get(self, node, owner)

    monkeypatch.setattr(_Noting, "__get__", noting)
    counts: list[int] = []
    for steps in (20, 38):  # of an epoch of 39
        asked.clear()
        words = ("epochs=3", "clip=1.0", "schedule=constant", "log_every=1000", "data.batch_size=32")
        go(str(steps), f"steps={steps}", *words)
        counts.append(len(asked) - asked.count("Constant"))  # which gives its factors in blocks of steps
    assert counts[0] == counts[1] > 0


@pytest.mark.slow
def test_a_module_that_reads_its_node_can_be_compiled():
    class Scaled(nn.Module):
        def __init__(self, node: Any) -> None:
            super().__init__()
            self.node = node

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.node.width

    node = _Deaf(width=7, depth=3)
    reading = Reading(node)
    try:
        assert torch.compile(Scaled(node), backend="eager")(torch.ones(2)).tolist() == [7.0, 7.0]
        assert [each.address for each in reading.unread()] in ([], ["depth"])
    finally:
        reading.close()
        torch._dynamo.reset()


# every node, each of its fields set to something else


def others(kind: Kind, value: Any) -> Iterator[Any]:
    """Values of a kind that are not this one, the likeliest first; some may be outside its range."""
    kind = bare(kind)
    if isinstance(kind, OneOf):
        yield from (each for each in kind.values if not same(each, value))
    elif isinstance(kind, Either):
        members = sorted(
            map(bare, kind.members), key=lambda each: not (isinstance(each, Scalar) and each.type is type(value))
        )
        yield from itertools.chain.from_iterable(others(each, value) for each in members)
    elif isinstance(kind, Scalar):
        if kind.type is bool:
            yield not value
        elif kind.type is int:
            number = value or 0
            yield from (each for each in (number // 2, number + 1, 2, 1, 4, 7) if each != number)
        elif kind.type is float:
            number = value or 0.0
            yield from (each for each in (number * 0.9, number / 2, 0.15, 0.5, 1.5) if each != number)
        elif kind.type is str:
            yield from ("sqlite:///mine.db", "http://127.0.0.1:9", "other")
        elif kind.type is Path:
            yield Path("elsewhere")
    elif isinstance(kind, Items):
        yield from ([next(others(kind.item, each)) for each in value] if value else [[next(others(kind.item, None))]],)
    elif isinstance(kind, Row):
        yield tuple(next(others(each, item)) for each, item in zip(kind.items, value, strict=True))


def changed(cls: Any, **fixed: Any) -> Any:
    """A node with as many of its fields as can be changed at once, one after the other."""
    node = cn.compose(cls(**fixed))
    for name, kind in resolve(cls).items():  # type: ignore[union-attr]
        if not is_field(name) or isinstance(kind, Child) or name in fixed or name in node._derived:
            continue
        for value in others(kind, getattr(node, name)):
            try:
                node = cn.compose(node.__replace__(**{name: value}))
                break
            except (UserError, ValueError):
                continue
    return node


def nodes(contract: Any) -> list[Any]:
    options, broken = discover.options((contract,))
    assert not broken
    return [pytest.param(cls, id=name) for name, cls in options.items()]


def trained(run: Run, folder: str = "run") -> list[str]:
    """What a short run of these says that it did not read."""
    random.seed(0)
    changes = {"folder": Path(folder), "gpu": -1} | ({"steps": 2} if run.steps is None and run.epochs > 3 else {})
    _train.train(cn.compose(run.__replace__(**changes)), Job())
    return told((Path(folder) / "log.txt").read_text())


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs._train.draw", lambda folder: None)


def count(node: CN, **needed: Any) -> int:
    """How many of its fields are not their default; `needed`: those that have none."""
    fresh = cn.nodes.traversal.values(type(node)(**needed))
    return sum(not same(value, fresh.get(name, ...)) for name, value in cn.nodes.traversal.values(node).items())


@pytest.mark.slow
@pytest.mark.parametrize("cls", [each for each in nodes(Model) if "tokens" not in each.values[0]._needs])
def test_a_model_reads_all_its_fields(cls, here):
    node = changed(cls, **({"name": "resnet10t"} if cls is Timm else {}))
    assert count(node) >= sum(is_field(name) for name in cls._fields) - 2
    maps = {"task": Segment(), "data": Shapes(count=40, batch_size=8)}
    assert trained(Default(model=node, **(maps if cls._gives == "maps" else {}))) == []


@pytest.mark.parametrize("cls", nodes(Head))
def test_a_head_reads_all_its_fields(cls, here):
    assert trained(Default(model=ViT(head=changed(cls), dim=8, heads=2, depth=1))) == []


@pytest.mark.parametrize("cls", nodes(Optim))
def test_an_optimiser_reads_all_its_fields(cls, here):
    node = changed(cls)
    assert count(node) >= sum(is_field(name) for name in cls._fields) - 1
    assert trained(Default(optim=node)) == []


@pytest.mark.parametrize("cls", nodes(Schedule))
def test_a_schedule_reads_all_its_fields(cls, here):
    assert trained(Default(schedule=changed(cls), epochs=2)) == []


@pytest.mark.parametrize("cls", nodes(Callback))
def test_a_callback_reads_all_its_fields(cls, here, monkeypatch):
    monkeypatch.setattr("runs.callbacks._clean_git.changes", lambda folder, *, untracked, name: [])
    metrics = {None: "validation/loss", "validation/loss": "validation/accuracy"}
    other = {"metric": metrics[cls().metric]} if "metric" in cls._fields else {}
    assert trained(Default(callbacks={"it": changed(cls, **other)}, epochs=1)) == []


@pytest.mark.slow
@pytest.mark.parametrize("cls", nodes(Logger))
def test_a_logger_reads_all_its_fields(cls, here):
    run = Default(logger={"it": changed(cls)})
    assert trained(run) == []


@pytest.mark.slow
@pytest.mark.parametrize("cls", nodes(Run))
def test_a_run_reads_all_its_fields(cls, here):
    """With other data, since its own may have to be fetched, and smaller networks."""
    speaks = issubclass(cls, LanguageRun)
    model: Model = WORDS if cls is Tuning or speaks else Fcn()
    small = {name: model for name, kind in resolve(cls).items() if isinstance(kind, Child) and Model in kind.types}
    data: Data = CartPole(batch_size=8, count=10, limit=20) if cls is Dqn else cn.compose(Data, ["data=digits"])
    data = Cola(root=sentences.write(here / "glue", Cola), batch_size=8) if cls is Tuning else data
    data = text_in(here) if speaks else data
    fixed: dict[str, Any] = {"compile": False, "mode": "train", "deterministic": False}
    fixed |= {"steps": 3, "epochs": cls().epochs} if cls is Dqn else {} if speaks else {"steps": None, "epochs": 1}
    fixed |= {"validate_every": cls().validate_every} if cls is Dqn or speaks else {"validate_steps": None}
    fixed |= {"accumulate": 1} if cls in (Dqn, Gan) or speaks else {}
    if speaks:  # for which training=depth_time reads the most
        fixed |= {"epochs": cls().epochs}
        small |= {"training": DepthTime(max_steps=3), "benchmark": None}
    network = _train.build(cn.compose(cls(data=data, **small, steps=1, gpu=-1)), Path("run"), print).module
    torch.save(network.state_dict(), "weights.pt")
    fixed |= {"init": Path("weights.pt"), "freeze": ["*bias"]}  # any other is refused
    run = changed(cls, data=data, **small, **fixed)
    unread = ["training.max_steps=3"] if speaks else []  # from which steps follows, and here it is given
    assert [each.split(": ")[1].split(";")[0] for each in trained(run)] == unread
    short = {} if speaks else {"steps": 3}
    other = cn.compose(cls(data=run.data, **small, **short, gpu=-1, deterministic=True))
    again = trained(other, "again")
    assert [each.split(": ")[1].split(";")[0] for each in again] == unread


def text_in(folder: Path) -> Text:
    """A text that is long enough to be learnt from."""
    path = folder / "input.txt"
    path.write_text("the cat sat on the mat, and the dog sat on the cat\n" * 200)
    return File(path=path, length=16, batch_size=8)


WORDS = Tiny(d_model=8, heads=2, layers=1, feed_forward=8, vocabulary=300)
FITS: dict[tuple[str, ...], dict[str, Any]] = {  # by what data hold
    ("images", "classes"): {},
    ("classes",): {"model": Mlp(hidden_sizes=(8,))},
    ("targets",): {"task": Regress()},
    ("images", "masks"): {"task": Segment(), "model": UNet(widths=(4,))},
    ("states", "actions"): {"task": DqnTask()},
    ("tokens", "text"): {"task": LanguageTask(training=Classical()), "model": WORDS},
    ("tokens", "classes"): {"task": Sentence(), "model": WORDS},
    ("tokens", "targets"): {"task": Sentence(), "model": WORDS},
}
PIXELS = {"mnist": 28, "cmnist": 28, "svhn": 32, "cifar": 32, "celeba": 64, "digits": 8}


@pytest.mark.slow
@pytest.mark.parametrize("cls", [each for each in nodes(Data) if not issubclass(each.values[0], Rows)])
def test_a_data_set_reads_all_its_fields(cls, here, monkeypatch):
    """Where its files would have to be fetched, there is noise of their shape instead of what they hold."""

    def noise(*shape: int) -> Any:
        return np.random.default_rng(0).integers(0, 256, (60, *shape), dtype=np.uint8), np.arange(60) % 2

    for name in ("local", "fetch"):
        monkeypatch.setattr(f"data._download.{name}", lambda names, **_: [Path(each) for each in names])
    monkeypatch.setattr("data._idx.read_pair", lambda *_: noise(1, 28, 28))
    monkeypatch.setattr("data._svhn.read_svhn", lambda _: noise(3, 32, 32))
    monkeypatch.setattr("data._cifar.read_cifar", lambda *_, **__: (noise(3, 32, 32), noise(3, 32, 32), "0123456789"))
    monkeypatch.setattr("data._celeba.read_celeba", lambda _, *, size, **__: (noise(3, size, size),) * 3)
    write(here / "train", classes=["cat", "dog"], **{".": 40})  # where a folder of images must be given
    needed: dict[str, Any] = {"root": here / "train"} if cls is Folder else {}
    book = text_in(here)
    monkeypatch.setattr("data.text._unpacked.unpacked", lambda *_, **__: book.files())
    needed |= {"path": book.path} if cls is File else {}
    if issubclass(cls, Glue):
        needed = {"root": sentences.write(here, cls)}
    places = (needed,) if needed else ({}, {"root": here}) if "root" in cls._fields else ({},)
    for place in places:
        node = changed(cls, batch_size=20, **place)
        expected = sum(is_field(name) for name in cls._fields) - (2 if "root" in cls._fields else 1)
        assert count(node, **needed) >= expected - 1
        assert trained(Default(data=node, launch=Local(), **FITS[cls._holds]), f"run{len(place)}") == []


@pytest.mark.slow
@pytest.mark.parametrize("cls", [each for each in nodes(Data) if issubclass(each.values[0], Rows)])
def test_a_data_set_of_the_hub_reads_all_its_fields(cls, here, monkeypatch):
    """But for the two that belong to what is fetched: name and revision."""
    keep_in(here / "cache", monkeypatch)
    splits = {"train_split": "part0", "validation_split": "part1", "test_split": "part2"}
    columns: dict[str, Any] = {"target": "sum" if cls is Numbers else "sign", "features": ["a"]}
    if cls is Hub:
        columns = {"image": "picture", "target": "kind"}
    path = write_configured(here / "rows", _pictures if cls is Hub else _signs)
    node = changed(cls, path=path, config="one", name=None, revision=None, batch_size=20, **splits, **columns)
    assert count(node, path=path) == sum(is_field(name) for name in cls._fields) - 3
    assert trained(Default(data=node, launch=Local(), **FITS[cls._holds])) == []


def _pictures(count: int, seed: int) -> Any:
    return images(count, seed).rename_columns({"image": "picture", "label": "kind"})


def _signs(count: int, seed: int) -> Any:
    return numbers(count, seed).rename_column("label", "sign")
