"""Several processes train what one would: the same gradients, metrics and end, and one that fails ends all."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed import DistBackendError

from cn import RunError
from data._images import ImageSplit
from data.digits import Digits
from models.dense import Dense
from models.fcn import Fcn
from models.mlp import Mlp
from runs import _checkpoint, _train
from runs._processes.collectives import Ranks
from runs._training.built import EXAMPLES
from runs._training.loop import Interrupted, evaluate
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default
from runs.logger.csv import Csv
from runs.optim.sgd import Sgd
from runs.schedule.plateau import Plateau
from tests.runs.conftest import rank

pytestmark = pytest.mark.slow
PLAIN = ("optim=sgd", "optim.momentum=0", "optim.nesterov=false", "optim.weight_decay=0", "schedule=constant")
GRADIENT = (*PLAIN, "optim.lr=1", "steps=1")  # what the weights lose in its one step is the gradient
SGD = ("optim=sgd", "optim.lr=0.05", "steps=19", "log_every=5")


# --- the same result


@pytest.mark.parametrize(("count", "batch"), [(2, 64), (2, 65), (3, 64)], ids=["even", "uneven", "three"])
def test_gradients_are_those_of_one_process(count, batch, together, go):
    """fp32, in sums of another order: the gradients differ by 1e-7 of their norm or so."""
    whole = go("whole", *GRADIENT, f"data.batch_size={batch}").weights()
    parts = together(count, "parts", *GRADIENT, f"data.batch_size={batch}").weights()
    torch.manual_seed(1)
    module = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10)
    start = torch.cat([each.detach().flatten() for each in module.state_dict().values()])
    assert (whole - start).norm() > 0.1
    torch.testing.assert_close(parts - start, whole - start, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("clip", [(), ("clip=0.1",)], ids=["free", "clipped"])
def test_one_of_64_and_four_of_16_and_two_processes_agree(clip, together, go):
    """In weights after 19 steps, to 1e-6, and in what is measured."""
    whole = go("whole", *SGD, *clip, "data.batch_size=64")
    runs = {
        "1 x 4 x 16": go("accumulated", *SGD, *clip, "data.batch_size=16", "accumulate=4"),
        "2 x 32": together(2, "two", *SGD, *clip, "data.batch_size=64"),
        "2 x 4 x 8": together(2, "two_accumulated", *SGD, *clip, "data.batch_size=16", "accumulate=4"),
    }
    for name, run in runs.items():
        assert (run.weights() - whole.weights()).abs().max() < 1e-6, name
        assert run.summary["test/accuracy"] == whole.summary["test/accuracy"], name
        assert [list(each) for each in run.metrics] == [list(each) for each in whole.metrics], name
        for one, other in zip(run.metrics, whole.metrics, strict=True):
            assert one == pytest.approx(other, rel=1e-5), name
    assert runs["2 x 32"].summary["processes"] == 2
    assert "processes" not in whole.summary


def test_gradients_are_exchanged_once_a_step(ranks, go, monkeypatch):
    counts: list[int] = []
    original = torch.nn.parallel.DistributedDataParallel._pre_forward

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts.append(bool(self.require_backward_grad_sync))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.nn.parallel.DistributedDataParallel, "_pre_forward", noted)

    def run() -> None:
        go("run", "data.batch_size=16", "accumulate=4", "steps=3")
        assert counts == [0, 0, 0, 1] * 3

    assert ranks(2, run) == [0, 0]


def test_each_image_of_a_step_and_of_a_split_is_seen_by_one_process(ranks, go, monkeypatch):
    seen: dict[int, list[int]] = {}
    batch = ImageSplit.batch

    def spy(self: ImageSplit, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.setdefault(len(self), []).extend(index.tolist())
        return batch(self, index)

    monkeypatch.setattr(ImageSplit, "batch", spy)

    def run() -> None:
        go("run", "data.batch_size=101", "epochs=1")
        torch.save(seen, f"{rank()}.pt")

    assert ranks(2, run) == [0, 0]
    one, two = (torch.load(f"{each}.pt") for each in range(2))
    assert sorted(one) == sorted(two) == [180, 359, 1258]
    for each in (one, two):  # tried out before the first step
        assert [each[180].pop(0) for _ in range(EXAMPLES)] == list(range(EXAMPLES))
    for length in (180, 359):
        assert sorted(one[length] + two[length]) == list(range(length))
    assert len(set(one[1258] + two[1258])) == len(one[1258] + two[1258]) == 12 * 101


DENSE = Default(model=Dense(), data=Digits(batch_size=64), optim=Sgd(lr=0.1), steps=12)


def test_statistics_of_batch_norm_are_the_first_ones_and_what_is_scored_is_what_is_kept(together):
    """Read by one process, whose own statistics those of the file are."""
    two = together(2, "two", of=DENSE)
    training = _train.build(DENSE, two.folder, print)
    training.module.load_state_dict(two.state("best.pt")["module"])
    for name, split in (("validation", training.dataset.validation), ("test", training.dataset.test)):
        found = evaluate(training, split)
        assert found["accuracy"] == two.summary[f"{name}/accuracy"]
        assert found["loss"] == pytest.approx(two.summary[f"{name}/loss"], rel=1e-6)


def test_dropout_differs_between_processes(ranks, go, monkeypatch):
    def run() -> None:
        go("run", of=Default(model=Fcn(hidden_dim=8, dropout=0.5), data=Digits(batch_size=64), steps=2))
        torch.save(torch.rand(4), f"{rank()}.pt")

    assert ranks(2, run) == [0, 0]
    assert not torch.equal(torch.load("0.pt"), torch.load("1.pt"))


def test_the_first_process_alone_writes(ranks, go, left, monkeypatch, capfd):
    """Were there two, each record and each line would stand there twice."""
    saves: list[Path] = []
    save = _checkpoint.save

    def counted(folder: Path, *args: Any, **kwargs: Any) -> None:
        saves.append(folder)
        save(folder, *args, **kwargs)

    monkeypatch.setattr(_checkpoint, "save", counted)

    def run() -> None:
        go("run", "epochs=2", "logger=csv", "callbacks=model_summary")
        assert len(saves) == (2 if rank() == 0 else 0)

    assert ranks(2, run) == [0, 0]
    run = left(Path("run"))
    assert sorted(run.files()) == [
        *(".lock", "best.pt", "command.txt", "config.json", "last.pt", "log.txt"),
        *("metrics.csv", "metrics.jsonl", "summary.json"),
    ]
    assert sorted(each["step"] for each in run.metrics) == [9, 10, 18, 18]
    assert capfd.readouterr().out.count("test accuracy") == run.log.count("test accuracy") == 1


# --- a run that goes on

AUGMENTED = Default(
    model=Fcn(hidden_dim=8, dropout=0.3),
    data=Digits(batch_size=133, crop=1, flip=True, cutout=2),
    accumulate=3,
    epochs=3,
    log_every=4,
)
NORMALISED = Default(
    model=Dense(),
    data=Digits(batch_size=400, crop=1),
    schedule=Plateau(patience=0, threshold=0.5, gamma=0.5),
    callbacks={"early_stopping": EarlyStopping(patience=2, least=10.0), "learning_rate": LearningRate()},
    logger={"csv": Csv()},
    epochs=5,
    log_every=3,
    clip=1.0,
)


@pytest.mark.parametrize("run", [AUGMENTED, NORMALISED], ids=["augmented", "normalised"])
def test_two_processes_go_on_to_the_last_bit(run, stopped_after_each_step, differences):
    whole, parts = stopped_after_each_step(run)
    for name in ("last.pt", "best.pt"):
        assert differences(whole.state(name), parts.state(name)) == []
    assert differences(whole.metrics, parts.metrics) == []
    changing = ("seconds", "command")
    told = [{k: v for k, v in each.summary.items() if k not in changing} for each in (whole, parts)]
    assert told[0] == told[1]


def test_a_signal_to_one_process_stops_all_after_one_step(stopped, left):
    longer = replace(AUGMENTED, data=Digits(batch_size=67))
    assert stopped(2, 13, of=longer) == [143, 143]
    run = left(Path("parts"))
    assert run.state()["step"] == 16  # they agree every fourth step here, at each log
    assert run.summary["state"] == "interrupted"
    assert run.summary["reason"] == "stopped by SIGTERM after step 16 of 18"


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_it_goes_on_with_another_number_of_processes(before, after, ranks, go, left, after_step, monkeypatch):
    """With no random numbers in it, to the weights of one process throughout."""
    whole = go("whole", *SGD, "data.batch_size=64")

    def begin() -> None:
        after_step(7, lambda: signal.raise_signal(signal.SIGTERM))
        go("parts", *SGD, "data.batch_size=64")

    monkeypatch.setattr("runs._processes.stop.OFTEN", 1)
    assert ranks(before, begin) == [143] * before
    assert ranks(after, lambda: go(source="parts")) == [0] * after
    parts = left(Path("parts"))
    processes = "1 process" if after == 1 else f"{after} processes"
    anew = f"goes on after step 7 on {processes}, before on {before}: random numbers begin anew"
    assert anew in parts.log.splitlines()
    assert (parts.weights() - whole.weights()).abs().max() < 1e-6
    for one, other in zip(parts.metrics, whole.metrics, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


# --- one that fails


def test_one_that_fails_is_named_by_the_first_which_ends_too(ranks, go, left, after_step, capfd):
    def run() -> None:
        if rank() == 1:
            after_step(5, lambda: 1 / 0)
        go("run", "epochs=2")

    assert ranks(2, run) == [1, 1]
    run = left(Path("run"))
    assert run.summary["state"] == "failed"
    assert run.summary["reason"] == "rank 1 failed: ZeroDivisionError: division by zero"
    assert run.log.endswith(
        "rank 1 failed: ZeroDivisionError: division by zero\n  the run is in run, which has no checkpoint yet\n"
    )
    assert capfd.readouterr().err.count("Traceback") == 1


def test_one_that_is_killed_ends_the_others_and_the_checkpoint_is_good(ranks, go, left, after_step, die):
    def run() -> None:
        if rank() == 1:
            after_step(12, die)
        go("run", "epochs=2")

    assert ranks(2, run) == [1, -signal.SIGKILL]
    assert left(Path("run")).summary["reason"] == "another process of the run is gone"
    assert ranks(2, lambda: go(source="run")) == [0, 0]
    assert left(Path("run")).summary["state"] == "finished"


def test_a_batch_smaller_than_the_processes_is_refused(ranks, go, left):
    assert ranks(2, lambda: go("run", "data.batch_size=1", "steps=1")) == [2, 2]
    assert left(Path("run")).summary["reason"] == "data.batch_size=1: 1 images are no batch for 2 processes"


# --- whoever starts them


class Idle(Dense):
    """A network with weights that nothing reads."""

    def build(self, *, inputs: Any, classes: int) -> torch.nn.Module:
        network = super().build(inputs=inputs, classes=classes)
        network.register_module("idle", torch.nn.Linear(2, 2))
        network.forward = lambda images: network[:-1](images)
        return network


def test_weights_that_no_loss_depends_on_are_named_and_can_be_frozen(ranks, go, left):
    run = replace(DENSE, model=Idle())
    assert ranks(2, lambda: go("run", of=run)) == [2, 2]
    reason = "parallel=ddp: the loss of a step does not depend on idle.weight, idle.bias"
    assert left(Path("run")).summary["reason"] == reason
    assert left(Path("run")).log.splitlines()[-3:] == [
        reason,
        "  so the processes waited for their gradients in vain",
        "  where no step needs them: python train.py --from run 'freeze=[idle.weight,idle.bias]'",
    ]
    assert ranks(2, lambda: go("frozen", of=replace(run, freeze=["idle.weight", "idle.bias"]))) == [0, 0]


def test_alone_no_group_is_made(go, monkeypatch):
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *_, **__: pytest.fail("it made a group"))
    go("run", "steps=1")
    assert not torch.distributed.is_initialized()


# --- what one does alone


def test_a_callback_of_one_process_stops_all_after_one_step(ranks, go, left, monkeypatch):
    """Were it alone, it would be in a validation and the others in a step."""

    def stop(self: Any, training: Any) -> None:
        if rank() == 1 and training.step == 13:
            training.stop("it has been an hour")

    monkeypatch.setattr("runs.callbacks._early_stopping.Stopper.on_step", stop)
    assert ranks(2, lambda: go("run", "epochs=4", "callbacks=early_stopping")) == [0, 0]
    run = left(Path("run"))
    assert (run.summary["step"], run.summary["reason"]) == (20, "it has been an hour")
    assert run.metrics[-1]["step"] == 20


def test_a_validation_at_which_the_second_process_stops_is_the_last_of_all(ranks, go, left, monkeypatch):
    def stop(self: Any, training: Any, metrics: Any) -> None:
        if rank() == 1:
            training.stop("it has been an hour")

    monkeypatch.setattr("runs.callbacks._early_stopping.Stopper.on_validation", stop)
    assert ranks(2, lambda: go("run", "epochs=4", "callbacks=early_stopping")) == [0, 0]
    run = left(Path("run"))
    assert (run.summary["epoch"], run.summary["reason"]) == (1, "it has been an hour")


@pytest.mark.parametrize(
    ("error", "gone", "known"),
    [
        (RuntimeError("[gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:6842"), True, True),
        (DistBackendError("NCCL error in: A call failed [...] or a remote process exiting"), True, True),
        (DistBackendError("NCCL error in: Duplicate GPU detected : rank 0 and rank 1"), False, True),
        (KeyboardInterrupt(), False, True),
        (RunError("cannot write to outputs/gloo: connection closed by peer"), False, False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
    ],
    ids=["gloo", "nccl", "two on one GPU", "ended", "a folder", "a defect"],
)
def test_what_another_has_ended_is_told_from_what_this_one_did(error, gone, known):
    """gone: it says that another has ended; known: and if another has said why, that is why."""
    ranks = Ranks(0, 2, 0, torch.distributed.HashStore())
    assert ranks.lost(error) == ("another process of the run is gone" if gone else None)
    stopped = Interrupted("stopped by SIGTERM")
    stopped.status = 143
    ranks.report_failure(stopped)
    assert ranks.lost(KeyboardInterrupt()) is None
    Ranks(1, 2, 1, ranks.store).report_failure(ValueError("so be it"))
    assert ranks.lost(error) == ("rank 1 failed: so be it" if known else None)
