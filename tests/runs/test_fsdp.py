"""Processes that hold a part of the weights each train what one would, and what they save is whole or absent."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from data.digits import Digits
from models.dense import Dense
from models.fcn import Fcn
from models.resnet18 import ResNet18
from models.vit import ViT
from runs import _train
from runs._processes.rendezvous import joined
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.ema import Ema
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default
from runs.logger.csv import Csv
from runs.optim._muon import QUINTIC
from runs.parallel.fsdp import Fsdp
from runs.schedule.plateau import Plateau
from tests.runs.conftest import rank

pytestmark = pytest.mark.slow

FSDP = "parallel=fsdp"
VIT = ("model=vit", "model.dim=24", "model.depth=2")
SGD = ("optim=sgd", "optim.lr=0.05", "steps=19", "log_every=5")


# --- the same result


@pytest.mark.parametrize("clip", [(), ("clip=0.1",)], ids=["free", "clipped"])
@pytest.mark.parametrize("count", [2, 3])
def test_one_of_64_and_four_of_16_and_several_processes_agree(clip, count, together, go):
    """In weights after 19 steps, to 1e-6, and in what is measured; three divide no layer of this model evenly."""
    whole = go("whole", *SGD, *clip, "data.batch_size=64")
    runs = {
        "accumulated": go("accumulated", *SGD, *clip, FSDP, "data.batch_size=16", "accumulate=4"),
        "parts": together(count, "parts", *SGD, *clip, FSDP, "data.batch_size=64"),
        "parts accumulated": together(count, "both", *SGD, *clip, FSDP, "data.batch_size=16", "accumulate=4"),
    }
    for name, run in runs.items():
        assert (run.weights() - whole.weights()).abs().max() < 1e-6, name
        assert run.summary["test/accuracy"] == whole.summary["test/accuracy"], name
        for one, other in zip(run.metrics, whole.metrics, strict=True):
            assert one == pytest.approx(other, rel=1e-5), name
    assert (runs["parts"].folder / "last.pt").is_dir()


# How far two ways of computing may come apart, as a share of what the weights have learned.
FP32 = 1e-5  # sums in another order: a hundred roundings by 2**-24
NEWTON_SCHULZ = QUINTIC[0] ** 5 * 2**-23  # each of five iterations multiplies an error by the slope at zero, or less


@pytest.mark.parametrize(
    ("words", "within"),
    [
        (("optim=adamw", "optim.eps=1e-3", "clip=1", "steps=9"), FP32),
        (("optim=sgd", "optim.lr=0.05", "callbacks=[ema,model_summary,predictions]", "clip=0.01", "steps=9"), FP32),
        (("optim=muon", "steps=3"), NEWTON_SCHULZ),
        (("optim=sgd", "optim.lr=0.05", "schedule=constant", "precision=bf16", "steps=1"), FP32),
    ],
    ids=["adamw", "ema", "muon", "bf16"],
)
def test_a_transformer_learns_as_in_ddp(words, within, together, monkeypatch):
    """Muon iterates in float32 here: in bfloat16 a rounding error can grow as long as the update, on some processors.

    Each step enlarges the errors of those before, so Muon takes few. With precision=bf16 it is one, from the same
    weights: a weight that differs in its last bit may be rounded to another bfloat16 number in the next.
    """
    monkeypatch.setattr("runs.optim._muon.ITERATED", torch.float32)
    words = (*VIT, *words, "log_every=3", "data.batch_size=64")
    same, parts = together(2, "ddp", *words), together(2, "fsdp", *words, FSDP)
    torch.manual_seed(1)
    start = ViT(dim=24, depth=2).build(inputs=(1, 8, 8), classes=10).state_dict()
    learned = same.weights() - torch.cat([each.flatten() for each in start.values()])
    assert learned.norm() > 0.01
    assert (parts.weights() - same.weights()).norm() < within * learned.norm()
    assert list(parts.state()["module"]) == list(same.state()["module"])
    for name in ("validation/loss", "test/loss"):
        assert parts.summary[name] == pytest.approx(same.summary[name], rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its compiler imports what it has deprecated
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # and looks at what FSDP has gathered
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a CPU with g++, which is not here")
def test_compiled_it_is_the_same(together):
    words = ("optim=sgd", "optim.lr=0.05", "steps=3", FSDP, "accumulate=2")
    plain, compiled = together(2, "plain", *words), together(2, "compiled", *words, "compile=true")
    assert (compiled.weights() - plain.weights()).abs().max() < 1e-6
    assert "compiled" in compiled.summary["device"]


def test_gradients_are_exchanged_once_a_step(ranks, go, monkeypatch):
    """And the forward passes of a step gather once: what the backward pass of one batch had is there for the next."""
    from torch.distributed.fsdp._fully_shard import _fsdp_param_group

    counts = {"foreach_reduce": 0, "foreach_all_gather": 0}

    def counted(name: str) -> None:
        original = getattr(_fsdp_param_group, name)

        def count(*args: Any, **kwargs: Any) -> Any:
            counts[name] += torch.is_grad_enabled() or name == "foreach_reduce"  # the latter in backward passes
            return original(*args, **kwargs)

        monkeypatch.setattr(_fsdp_param_group, name, count)

    for name in counts:
        counted(name)

    def run() -> None:
        go("run", *VIT, FSDP, "data.batch_size=16", "accumulate=4", "steps=3")
        assert set(counts.values()) == {3 * 3}  # steps, times the units that are two blocks and the rest

    assert ranks(2, run) == [0, 0]


def build(run: Default, action: Any) -> Any:
    """In each of several processes: the parts of a run, and what is done with them."""

    def child() -> None:
        with joined(cuda=False) as ranks:
            action(_train.build(run, Path(), print, ranks))

    return child


def test_each_process_holds_its_part_of_weights_gradients_and_optimiser(ranks, here):
    from torch.distributed.tensor import DTensor

    def look(training: Any) -> None:
        parameters = list(training.module.parameters())
        images, labels = training.dataset.train.batch(torch.arange(4))
        nn.functional.cross_entropy(training.module(images), labels).backward()
        gradients = [each.grad for each in parameters]
        training.optimizer.step()
        moments = [each for state in training.optimizer.state.values() for each in state.values() if each.ndim]
        training.start_average()
        whole = training.parameters
        assert len(moments) == 2 * len(parameters)
        for tensors, times in (
            (parameters, 1),
            (gradients, 1),
            (moments, 2),
            (list(training.average.parameters()), 1),
        ):
            assert all(isinstance(each, DTensor) for each in tensors)
            storages = {each.to_local().untyped_storage() for each in tensors}
            here = sum({each.data_ptr(): each.nbytes() for each in storages}.values())
            assert here == pytest.approx(times * whole * 4 / 2, rel=0.02)

    run = Default(model=ViT(dim=48, depth=3), parallel=Fsdp(), gpu=-1)
    assert ranks(2, build(run, look)) == [0, 0]


def test_units_are_the_blocks_that_stand_in_a_list_with_their_likes():
    from runs.parallel._fsdp import units

    vit = ViT(depth=3).build(inputs=(1, 8, 8), classes=10)
    assert units(vit) == list(vit.blocks)
    resnet = ResNet18().build(inputs=(1, 8, 8), classes=10)
    assert units(resnet) == list(resnet.blocks)
    fcn = Fcn(num_hidden=2).build(inputs=(1, 8, 8), classes=10)
    assert units(fcn) == [each for each in fcn if isinstance(each, nn.Linear)]
    stages = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)) for _ in range(2)))
    assert units(stages) == [stage[at] for stage in stages for at in (0, 2)]
    assert units(nn.Sequential(nn.Linear(4, 4), nn.ReLU())) == []
    assert units(nn.ModuleList([nn.ReLU(), nn.ReLU()])) == []


def test_a_block_that_shares_a_parameter_with_another_is_no_unit():
    from runs.parallel._fsdp import units

    tied = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)])
    tied[2].weight = tied[0].weight
    assert units(tied) == [tied[1]]


class _Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(64, 10), nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scale * self.layer(images.flatten(1))


def test_a_scalar_parameter_is_refused(ranks, go, left, monkeypatch):
    monkeypatch.setattr(Fcn, "build", lambda *_, **__: _Scaled())
    run = Default(parallel=Fsdp(), gpu=-1, folder=Path("run"), steps=2)
    assert ranks(2, lambda: go("run", of=run)) == [2, 2]
    assert left(Path("run")).log == (
        "parallel=fsdp: scale of _Scaled is a scalar, which cannot be divided\n"
        "  make it a vector of one, torch.zeros(1), or write parallel=ddp\n"
    )


def test_a_split_that_one_process_has_done_with_earlier(together, go):
    """1001 images of which one process has two passes and the other one."""
    data = Digits(batch_size=64, validation=0.1, test=0.557)
    whole = go("whole", of=Default(model=Fcn(hidden_dim=8), data=data, steps=2))
    parts = together(2, "parts", of=Default(model=Fcn(hidden_dim=8), data=data, steps=2, parallel=Fsdp()))
    assert len(data.build(seed=1).test) == 1001
    assert parts.summary["test/accuracy"] == whole.summary["test/accuracy"]


def test_alone_nothing_is_divided(go, monkeypatch):
    from torch.distributed.fsdp import FSDPModule

    monkeypatch.setattr("torch.distributed.init_process_group", lambda *_, **__: pytest.fail("it made a group"))
    run = go("run", FSDP, "steps=1")
    assert (run.folder / "last.pt").is_file()
    assert not isinstance(run.state()["module"], FSDPModule)


# --- a run that goes on

AUGMENTED = Default(
    model=ViT(dim=24, depth=2),
    data=Digits(batch_size=133, crop=1, flip=True, cutout=2),
    accumulate=3,
    epochs=2,
    log_every=4,
    parallel=Fsdp(),
    callbacks={"ema": Ema()},
)
NORMALISED = Default(
    model=Dense(),
    data=Digits(batch_size=400, crop=1),
    schedule=Plateau(patience=0, threshold=0.5, gamma=0.5),
    callbacks={
        "early_stopping": EarlyStopping(patience=2, least=10.0),
        "learning_rate": LearningRate(),
        "ema": Ema(),  # of shards, and of the whole statistics of batch norm
    },
    logger={"csv": Csv()},
    epochs=5,
    log_every=3,
    clip=1.0,
    parallel=Fsdp(),
)


@pytest.mark.parametrize(
    "run", [pytest.param(AUGMENTED, marks=pytest.mark.long), NORMALISED], ids=["augmented", "normalised"]
)
def test_two_processes_go_on_to_the_last_bit(run, stopped_after_each_step, differences):
    whole, parts = stopped_after_each_step(run)
    for name in ("last.pt", "best.pt"):
        assert differences(whole.state(name), parts.state(name)) == []
    assert differences(whole.metrics, parts.metrics) == []
    named = {(parts.folder / name).readlink().name for name in ("last.pt", "best.pt")}
    assert {each.name for each in parts.folder.glob("*step-*")} == named


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), pytest.param(2, 4, marks=pytest.mark.long), (3, 2)])
def test_it_goes_on_with_another_number_of_processes(before, after, ranks, go, left, after_step, monkeypatch):
    """With no random numbers in it, to the weights of one process throughout; one process has files as ever."""
    words = (*VIT, *SGD, "data.batch_size=64", "callbacks=ema")
    whole = go("whole", *words)

    def begin() -> None:
        after_step(7, lambda: signal.raise_signal(signal.SIGTERM))
        go("parts", *words, FSDP)

    monkeypatch.setattr("runs._processes.stop.OFTEN", 1)
    assert ranks(before, begin) == [143] * before
    assert (Path("parts") / "last.pt").is_dir() == (before > 1)
    assert ranks(after, lambda: go(source="parts")) == [0] * after
    parts = left(Path("parts"))
    processes = "1 process" if after == 1 else f"{after} processes"
    anew = f"goes on after step 7 on {processes}, before on {before}: random numbers begin anew"
    assert anew in parts.log.splitlines()
    assert (Path("parts") / "last.pt").is_dir() == (after > 1)
    assert len(list(Path("parts").glob("step-*"))) == (after > 1)
    for part in ("module", "average"):
        for name, each in whole.state()[part].items():
            assert (parts.state()[part][name] - each).abs().max() < 1e-6
    for one, other in zip(parts.metrics, whole.metrics, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_its_test_can_be_repeated_by_any_number(count, together, ranks, go, capfd):
    run = together(2, "run", *VIT, FSDP, "epochs=2")
    capfd.readouterr()
    assert ranks(count, lambda: go("", "mode=eval", source="run")) == [0] * count
    said = f"test accuracy {run.summary['test/accuracy']:.4f} (loss {run.summary['test/loss']:.4f})"
    assert capfd.readouterr().out.startswith(said)


def test_one_whose_weights_are_no_numbers_in_one_process_alone_is_not_saved(ranks, go, left, monkeypatch):
    step = torch.optim.AdamW.step

    def broken(self: Any, closure: Any = None) -> None:
        step(self)
        taken.append(1)
        if len(taken) == 5 and rank() == 1:
            self.param_groups[0]["params"][0].to_local().data[0] = float("nan")

    taken: list[int] = []
    monkeypatch.setattr(torch.optim.AdamW, "step", broken)
    words = ("steps=9", "save_every=1", "log_every=100", FSDP)
    assert ranks(2, lambda: go("run", *words)) == [1, 1]
    run = left(Path("run"))
    assert run.summary["reason"] == "a weight is no finite number after step 5"
    assert run.state()["step"] == 4
