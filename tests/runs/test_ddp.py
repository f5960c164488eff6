"""Several processes train what one would: the same gradients, metrics and end, and one that fails ends all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from data._images import Split
from data.digits import Digits
from models.dense import Dense
from models.fcn import Fcn
from models.mlp import Mlp
from runs import _checkpoint, _ranks, _train
from runs._loop import evaluate
from runs._ranks import Ranks, address, first_node, which
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default
from runs.logger.csv import Csv
from runs.optim.sgd import Sgd
from runs.schedule.plateau import Plateau
from tests.runs.conftest import free_port, rank

ROOT = Path(__file__).parents[2]
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
    batch = Split.batch

    def spy(self: Split, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.setdefault(len(self), []).extend(index.tolist())
        return batch(self, index)

    monkeypatch.setattr(Split, "batch", spy)

    def run() -> None:
        go("run", "data.batch_size=101", "epochs=1")
        torch.save(seen, f"{rank()}.pt")

    assert ranks(2, run) == [0, 0]
    one, two = (torch.load(f"{each}.pt") for each in range(2))
    assert sorted(one) == sorted(two) == [180, 359, 1258]
    for length in (180, 359):
        assert sorted(one[length] + two[length]) == list(range(length))
    assert len(set(one[1258] + two[1258])) == len(one[1258] + two[1258]) == 12 * 101


DENSE = Default(model=Dense(), data=Digits(batch_size=64), optim=Sgd(lr=0.1), steps=12)


def test_statistics_of_batch_norm_are_the_first_ones_and_what_is_scored_is_what_is_kept(together):
    """Read by one process, whose own statistics those of the file are."""
    two = together(2, "two", of=DENSE)
    training = _train.build(DENSE, two.folder, print)
    training.module.load_state_dict(two.state("best.pt")["module"])
    loss, accuracy = evaluate(training, training.dataset.validation)
    assert accuracy == two.summary["validation/accuracy"]
    assert loss == pytest.approx(two.summary["validation/loss"], rel=1e-6)
    loss, accuracy = evaluate(training, training.dataset.test)
    assert accuracy == two.summary["test/accuracy"]
    assert loss == pytest.approx(two.summary["test/loss"], rel=1e-6)


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
    assert sorted(each["step"] for each in run.metrics) == [9, 10, 18]
    assert capfd.readouterr().out.count("test accuracy") == run.log.count("test accuracy") == 1


# --- a run that goes on

AUGMENTED = Default(
    model=Fcn(hidden_dim=8, dropout=0.3),
    data=Digits(batch_size=67, crop=1, flip=True, cutout=2),
    accumulate=3,
    epochs=3,
    log_every=4,
)
NORMALISED = Default(
    model=Dense(),
    data=Digits(batch_size=200, crop=1),
    schedule=Plateau(patience=0, threshold=0.5, gamma=0.5),
    callbacks={"early_stopping": EarlyStopping(patience=2, least=10.0), "learning_rate": LearningRate()},
    logger={"csv": Csv()},
    epochs=5,
    log_every=3,
    clip=1.0,
)


@pytest.mark.parametrize("run", [AUGMENTED, NORMALISED], ids=["augmented", "normalised"])
def test_two_processes_go_on_to_the_last_bit(run, together, stopped, ranks, go, left, differences, monkeypatch):
    """Stopped after each of its steps, for which they agree after each step."""
    monkeypatch.setattr("runs._stop.OFTEN", 1)
    whole = together(2, "whole", of=run)
    last = whole.summary["step"]
    assert stopped(2, 1, of=run) == [143, 143]
    for _ in range(2, last):
        assert stopped(2, 1, source="parts") == [143, 143]
    assert ranks(2, lambda: go(source="parts")) == [0, 0]
    parts = left(Path("parts"))
    for name in ("last.pt", "best.pt"):
        assert differences(whole.state(name), parts.state(name)) == []
    assert differences(whole.metrics, parts.metrics) == []
    changing = ("seconds", "command")
    told = [{k: v for k, v in each.summary.items() if k not in changing} for each in (whole, parts)]
    assert told[0] == told[1]


def test_a_signal_to_one_process_stops_all_after_one_step(stopped, left):
    assert stopped(2, 13, of=AUGMENTED) == [143, 143]
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

    monkeypatch.setattr("runs._stop.OFTEN", 1)
    assert ranks(before, begin) == [143] * before
    assert ranks(after, lambda: go(source="parts")) == [0] * after
    parts = left(Path("parts"))
    anew = f"goes on after step 7 on {after} processes, before on {before}: their random numbers begin anew"
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


def test_alone_no_group_is_made(go, monkeypatch):
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *_, **__: pytest.fail("it made a group"))
    go("run", "steps=1")
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, Ranks()),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}, Ranks(3, 4, 1)),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1"}, Ranks(3, 4, 1)),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, Ranks()),
    ],
    ids=["alone", "torchrun", "srun", "a batch script"],
)
def test_which_process_it_is(environment, found):
    assert which(environment) == found


def test_where_the_processes_of_an_srun_meet():
    one = {"SLURM_JOB_ID": "12", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_NODES": "1", "SLURM_STEP_NODELIST": "n7"}
    assert address(one) == {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "15084"}
    two = {**one, "SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NODELIST": "n[07-08]"}
    assert address(two) == {"MASTER_ADDR": "n07", "MASTER_PORT": "15084"}


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ("n1", "n1"),
        ("n1,m2", "n1"),
        ("n[03-07,9]", "n03"),
        ("a-[2,4]-ib,b", "a-2-ib"),
        ("gpu-a01,gpu-b[1-2]", "gpu-a01"),
    ],
)
def test_the_first_node_of_a_list(names, first):
    assert first_node(names) == first


def test_the_files_are_named_once(tmp_path):
    assert _ranks.output(tmp_path, Ranks(2, 4, 0)) == tmp_path / "rank2.txt"


SMALL = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128", "gpu=-1")
SCRIPT = """
import os, signal, sys
from cn import Job, main
from runs import Run
from sweeps._launch import launch

def train(run: Run, job: Job) -> float:
    from torch.optim.optimizer import register_optimizer_step_post_hook
    from runs._train import train
    taken = 0
    def after(*_):
        nonlocal taken
        taken += 1
        if os.environ["RANK"] == "1" and taken == 12:
            if os.environ["HOW"] == "raises":
                raise ValueError("so be it")
            os.kill(os.getpid(), int(os.environ["HOW"]))
    register_optimizer_step_post_hook(after)
    return train(run, job)

if __name__ == "__main__":
    main(train, launcher=launch)
"""


@pytest.fixture
def command(here, monkeypatch):
    """A command with `launch.gpus=2` whose second process raises, or sends itself a signal, after step 12."""
    Path("train.py").write_text(SCRIPT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def command(how: str, *words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("HOW", how)
        run = [sys.executable, "train.py", *SMALL, "epochs=3", "folder=run", "launch.gpus=2", *words]
        return subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)

    return command


ON = "\n  to go on from the last checkpoint: python train.py --from run\n"


def test_launch_gpus_starts_them_and_one_that_raises_is_shown_first(command, left):
    done = command("raises")
    assert (done.returncode, done.stderr) == (
        1,
        f"rank 1: ValueError: so be it\n  its traceback is in run/rank1.txt{ON}",
    )
    own = Path("run/rank1.txt").read_text()
    assert own.startswith("Traceback (most recent call last):\n")
    assert "\nValueError: so be it\n" in own
    run = left(Path("run"))
    assert run.summary["reason"] == "rank 1 failed: ValueError: so be it"
    assert done.stdout.splitlines()[0].endswith(", 2 processes")


def test_one_that_is_killed_is_named(command, left):
    done = command(str(int(signal.SIGKILL)))
    what = "rank 1 was ended by SIGKILL, as the kernel does where memory runs out"
    assert (done.returncode, done.stderr) == (1, what + ON)


def test_one_that_is_sent_sigterm_ends_all_with_a_checkpoint(command, left):
    done = command(str(int(signal.SIGTERM)))
    assert (done.returncode, done.stderr) == (143, "stopped by SIGTERM after step 20 of 27" + ON)


def test_ctrl_c_ends_the_command_after_all_have_saved(here, left):
    words = (*SMALL[:2], "gpu=-1", "data.batch_size=8", "epochs=30", "folder=run", "launch.gpus=2")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, str(ROOT / "train.py"), *words]
    child = subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not Path("run/last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does
    _, err = child.communicate(timeout=60)
    step = left(Path("run")).state()["step"]
    assert err == f"stopped by Ctrl-C after step {step} of 4710{ON}"
    assert child.returncode == 130
    assert step % 10 == 0


def test_torchrun_gives_the_same_bits(here, together, left, differences):
    words = (*SMALL, "epochs=2")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}"]
    done = subprocess.run(
        [*torchrun, str(ROOT / "train.py"), *words, "folder=torchrun"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1
    forked = together(2, "forked", *words)
    assert differences(left(Path("torchrun")).state(), forked.state()) == []


def test_the_runs_of_a_multirun_have_so_many_processes_each(here, shell):
    done = shell("-m", "seed=1", *SMALL, "steps=2", "launch.gpus=2")
    assert done.status == 0, done.err
    assert len(re.findall(r", 2 processes$", done.out, re.MULTILINE)) == 1
