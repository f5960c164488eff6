"""Several processes train what one would: the same gradients, metrics and end, and one that fails ends all."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.distributed import DistBackendError

from cn import Job, RunError
from data._images import ImageSplit
from data.digits import Digits
from models.dense import Dense
from models.fcn import Fcn
from models.mlp import Mlp
from runs import _checkpoint, _ranks, _train
from runs._loop import Interrupted, evaluate
from runs._meeting import address, first_node, which
from runs._parts import EXAMPLES
from runs._ranks import Ranks
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default
from runs.launch._asked import TOGETHER, Asked
from runs.launch._processes import start
from runs.launch._rank import Rank
from runs.logger.csv import Csv
from runs.optim.sgd import Sgd
from runs.schedule.plateau import Plateau
from tests.runs.conftest import WAIT, free_port, rank, wait_for

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
def test_two_processes_go_on_to_the_last_bit(run, stopped_after_each_step, differences):
    whole, parts = stopped_after_each_step(run)
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
from runs.launch import _asked, _processes
from sweeps._launch import launch

_asked.PATIENCE, _asked.TOGETHER = 2, 0
_processes.GRACE = _processes.LONGER = 600  # s; however slow the machine is, nobody is ended who would end

def train(run: Run, job: Job) -> float:
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook
    from runs._train import train
    taken = 0
    def after(*_):
        nonlocal taken
        taken += 1
        if os.environ["RANK"] == "1" and taken == 12:
            if os.environ["HOW"] == "raises":
                raise ValueError("so be it")
            if os.environ["HOW"] == "hangs":  # in C++, as the other one then does, which waits for it there
                open("hangs", "w").close()
                torch.distributed.recv(torch.zeros(1), src=0)
            os.kill(os.getpid(), int(os.environ["HOW"]))
    register_optimizer_step_post_hook(after)
    return train(run, job)

if __name__ == "__main__":
    main(train, launcher=launch)
"""


@pytest.fixture
def begin(here):
    """A command with `launch.gpus=2` whose second process raises, or sends itself a signal, after step 12."""
    Path("train.py").write_text(SCRIPT)

    def begin(how: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "train.py", *SMALL, "folder=run", "launch.gpus=2", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOW": how},
            start_new_session=True,
        )

    return begin


@pytest.fixture
def command(begin):
    """Its exit status and what it printed, once it has ended."""

    def command(how: str) -> subprocess.CompletedProcess[str]:
        child = begin(how, "epochs=3")
        out, err = child.communicate(timeout=WAIT)
        return subprocess.CompletedProcess([], child.returncode, out, err)

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


def test_one_that_is_killed_is_named_in_the_folder_too(command, left):
    command(str(int(signal.SIGKILL)))
    what = "rank 1 was ended by SIGKILL, as the kernel does where memory runs out"
    run = left(Path("run"))
    assert (run.summary["state"], run.summary["reason"]) == ("failed", what)
    assert run.log.splitlines()[-3:] == ["another process of the run is gone", ON.splitlines()[1], what]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_those_that_hang_are_killed_after_a_second_signal(number, here, left, monkeypatch):
    """The first is passed on, and asks for an end after a step, which may take long."""
    Path("train.py").write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOW": "hangs"}
    run = [sys.executable, "train.py", *SMALL, "epochs=3", "folder=run", "launch.gpus=2"]
    child = subprocess.Popen(run, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    until(Path("hangs").exists)
    send = os.killpg if number == signal.SIGINT else os.kill  # a terminal sends it to all
    send(child.pid, number)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(4)  # twice what they are given after the second
    send(child.pid, number)
    _, err = child.communicate(timeout=300)
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    what = f"ranks 0, 1 had not ended 2 s after a second {name}, and were killed"
    assert (child.returncode, err) == (128 + number, what + ON)
    run = left(Path("run"))
    assert (run.summary["state"], run.summary["reason"]) == ("interrupted", what)
    assert run.log.splitlines()[-1] == what


def test_sigterm_that_comes_twice_at_once_asks_once(monkeypatch):
    """SLURM sends it to all processes of a job, and the job's supervisor passes on its own; no user presses so fast."""
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    asked = Asked()
    for number in (signal.SIGTERM, signal.SIGTERM):
        asked.hear(number)
    assert (asked.first, asked.again) == (signal.SIGTERM, None)
    now += TOGETHER + 1
    asked.hear(signal.SIGTERM)
    assert (asked.again, asked.end) == ("15 s after a second SIGTERM", now + 15)
    asked.hear(signal.SIGINT)
    assert asked.again == "15 s after a second SIGTERM"
    impatient = Asked()
    for number in (signal.SIGINT, signal.SIGINT):
        impatient.hear(number)
    assert impatient.again == "15 s after a second Ctrl-C"


def test_ctrl_c_is_passed_on_to_those_alone_that_it_did_not_reach(monkeypatch):
    sent: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, number: sent.append(number))
    signals, reached = Pipe(duplex=False)
    os.set_blocking(signals.fileno(), False)
    process: Any = SimpleNamespace(pid=1)
    one = Rank(0, process, signals, signals)

    def told(asked: int, *came: int) -> list[int]:
        os.write(reached.fileno(), bytes(came))
        sent.clear()
        one.pass_on(asked)
        return list(sent)

    assert told(1, signal.SIGTERM, signal.SIGINT) == []  # from the terminal
    assert told(2) == [signal.SIGINT]
    assert told(2) == []  # it may come late
    assert told(2, signal.SIGINT) == []  # what was passed on
    assert told(3) == [signal.SIGINT]
    reached.close()
    one.pass_on(3)  # it has ended
    assert sent == [signal.SIGINT]


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_that_is_sent_sigterm_ends_all_with_a_checkpoint(command, left):
    done = command(str(int(signal.SIGTERM)))
    assert (done.returncode, done.stderr) == (143, "stopped by SIGTERM after step 20 of 27" + ON)


@pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["terminal", "one"])
def test_ctrl_c_ends_the_command_after_all_have_saved(begin, left, send):
    """A terminal sends it to all processes; an IDE, and `kill -INT`, to the first alone, which passes it on."""
    child = begin("0", "epochs=100000")  # it does not end by itself
    wait_for(lambda: Path("run/last.pt").exists() or child.poll() is not None)
    send(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=WAIT)
    step = left(Path("run")).state()["step"]
    assert err == f"stopped by Ctrl-C after step {step} of 900000{ON}"
    assert child.returncode == 130
    assert step % 10 == 0


def torchrun(count: int, *words: str, restarts: int = 0, script: Path = ROOT / "train.py") -> str:
    """What it printed, once all have ended well."""
    start = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={free_port()}"]
    done = subprocess.run(
        [*start, f"--max-restarts={restarts}", str(script), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        timeout=WAIT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchrun_gives_the_same_bits(here, together, left, differences):
    words = (*SMALL, "epochs=2")
    out = torchrun(2, *words, "folder=torchrun")
    assert out.count("test accuracy") == 1
    forked = together(2, "forked", *words)
    assert differences(left(Path("torchrun")).state(), forked.state()) == []


FAILING = """
import os
from cn import Job, main
from runs import Run

def train(run: Run, job: Job) -> float:
    from torch.optim.optimizer import register_optimizer_step_post_hook
    from runs._train import train
    taken = 0
    def after(*_):
        nonlocal taken
        taken += 1
        last = os.environ["RANK"] == str(int(os.environ["WORLD_SIZE"]) - 1)
        if last and taken == int(os.environ["STEP"]) and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            raise ValueError("so be it")
    register_optimizer_step_post_hook(after)
    return train(run, job)

if __name__ == "__main__":
    main(train)
"""


@pytest.mark.parametrize(
    ("count", "step", "words", "goes"),
    [
        (2, 12, ["folder=run"], "goes on after step 9"),
        (2, 12, [], "goes on after step 9"),
        (1, 12, [], "goes on after step 9"),
        (2, 3, ["folder=run"], "no checkpoint was saved: starts from the beginning"),
    ],
    ids=["named", "unnamed", "alone", "no checkpoint"],
)
def test_what_torchrun_starts_again_goes_on(count, step, words, goes, here, together, left, differences, monkeypatch):
    """To the same bits, in the folder of those before, and it says so."""
    monkeypatch.setenv("STEP", str(step))
    Path("failing.py").write_text(FAILING)
    out = torchrun(count, *SMALL, "epochs=2", *words, restarts=1, script=Path("failing.py"))
    folder = Path("run") if words else next(Path("outputs").iterdir())
    assert [each for each in [*Path("outputs").glob("*"), *Path().glob("run*")] if each.is_dir()] == [folder]
    run = left(folder)
    assert (run.summary["state"], run.summary["step"]) == ("finished", 18)
    assert out.splitlines().count(goes) == run.log.splitlines().count(goes) == 1
    whole = together(count, "whole", *SMALL, "epochs=2")
    assert differences(run.state(), whole.state()) == []
    assert "rank 1 failed" not in run.log.split(goes)[1]


def test_one_torchrun_may_train_several_runs(here):
    """None of them takes another's folder for that of a start before."""
    out = torchrun(1, "-m", "seed=1,2", *SMALL, "steps=2")
    assert out.count("test accuracy") == 2
    assert "goes on" not in out
    assert len(list(Path("outputs").glob("*/*/summary.json"))) == 2


def test_torchrun_begun_anew_is_no_restart(here):
    torchrun(2, *SMALL, "steps=2", "folder=run", restarts=1)
    with pytest.raises(AssertionError, match="folder=run: a run is there already"):
        torchrun(2, *SMALL, "steps=2", "folder=run", restarts=1)


def test_the_runs_of_a_multirun_have_so_many_processes_each(here, shell):
    done = shell("-m", "seed=1", *SMALL, "steps=2", "launch.gpus=2")
    assert done.status == 0, done.err
    assert len(re.findall(r", 2 processes$", done.out, re.MULTILINE)) == 1


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


def test_what_the_first_refuses_is_told_once_without_a_traceback(command):
    Path("run").mkdir()
    Path("run/config.json").write_text("{}")
    done = command("raises")
    again = "  to go on with it: python train.py --from run\n  for a new run: another folder\n"
    assert (done.returncode, done.stderr) == (2, f"folder=run: a run is there already\n{again}")


def test_a_run_that_cannot_be_tested_says_so_once(here, go, shell):
    go("run", "steps=2", "gpu=-1", "launch.gpus=2")
    Path("run/best.pt").unlink()
    done = shell("--from", "run", "mode=eval")
    assert (done.status, done.err) == (1, "run has no checkpoint best.pt\n  what it has: run/last.pt\n")


def test_where_nobody_reads_what_it_says_it_ends_in_silence(begin):
    child = begin("0", "epochs=100000")  # more lines than a pipe holds
    assert child.stdout.readline().startswith("Mlp(hidden_sizes=(8,)) on Digits: ")
    child.stdout.close()
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait(WAIT) == 141


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
    ranks.tell(stopped)
    assert ranks.lost(KeyboardInterrupt()) is None
    Ranks(1, 2, 1, ranks.store).tell(ValueError("so be it"))
    assert ranks.lost(error) == ("rank 1 failed: so be it" if known else None)


@pytest.mark.parametrize(
    ("gpu", "count", "told"),
    [
        (None, 3, "launch.gpus=3: this machine has 2\n  nearest: launch.gpus=2\n  as processes on the CPU: gpu=-1"),
        (
            -1,
            1000,
            "launch.gpus=1000: on the CPU these are processes, and 2 cores have room for 16\n  nearest: launch.gpus=16",
        ),
    ],
)
def test_more_than_there_is_room_for_are_refused_before_any_is_started(gpu, count, told, failed, monkeypatch):
    monkeypatch.setattr("runs.launch._processes.gpus", lambda: ["0", "1"])
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr("runs.launch._processes.get_context", lambda _: pytest.fail("one is started"))
    run = Default(model=Mlp(), data=Digits(), gpu=gpu)
    assert str(failed(lambda: start(lambda run, job: 0.0, run, Job(), count=count))) == told


# --- before they have met

EARLY = """
import os, signal, time
from pathlib import Path
from cn import Job, main
from runs import Run
from runs.launch import _processes
from sweeps._launch import launch

HOW = os.environ["HOW"]
_processes.GRACE, _processes.LAST = 1, 600
if __name__ == "__mp_main__" and HOW == "importing":
    Path(f"begun{os.getpid()}").touch()
    while signal.SIGINT not in signal.sigpending():
        time.sleep(0.01)

def train(run: Run, job: Job) -> float:
    import torch
    from runs._train import train
    if HOW == "failing" and os.environ["RANK"] == "0":
        raise ValueError("so be it")
    if HOW == "meeting":
        if os.environ["RANK"] == "0":
            Path("begun0").touch()
            time.sleep(600)
        import sys, torch.distributed
        module = sys.modules["torch.distributed.rendezvous"]
        meet = module.rendezvous
        def begun(*words):
            Path("begun1").touch()
            return meet(*words)
        module.rendezvous = begun
    if HOW == "building":
        from data.digits import Digits
        def build(self, *, seed):
            if os.environ["RANK"] == "1":
                while not Path("begun0").exists():
                    time.sleep(0.01)
                raise ValueError("so be it")
            Path("begun0").touch()
            time.sleep(600)
        Digits.build = build
    return train(run, job)

if __name__ == "__main__":
    main(train, launcher=launch)
"""


@pytest.fixture
def early(here):
    """A command that is sent Ctrl-C, as a terminal does, once both processes say so; its exit status and its stderr."""
    Path("early.py").write_text(EARLY)

    def early(how: str, *, stop: bool = False) -> tuple[int, str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOW": how}
        words = (*SMALL, "steps=1", "folder=run", "launch.gpus=2")
        child = subprocess.Popen(
            [sys.executable, "early.py", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        try:
            if stop:
                wait_for(lambda: len(list(Path().glob("begun*"))) == 2 or child.poll() is not None)
                time.sleep(0.5)  # most likely it is in what begins there
                os.killpg(child.pid, signal.SIGINT)
            _, err = child.communicate(timeout=WAIT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # what has been left
        return child.returncode, err

    return early


def test_ctrl_c_while_they_import(early):
    assert early("importing", stop=True) == (130, "stopped at once by Ctrl-C\n")


def test_ctrl_c_while_one_waits_for_the_others(early):
    """In C++, where it does not hear it as an exception."""
    assert early("meeting", stop=True) == (130, "stopped at once by Ctrl-C\n")


def test_one_that_fails_while_another_waits_for_it_ends_that_too(early):
    status, err = early("failing")
    assert (status, err.splitlines()[-2:]) == (1, ["ValueError: so be it"] * 2)


def test_one_that_is_ended_since_another_failed_tells_of_that(early, left):
    status, err = early("building")
    where = "its traceback is in run/rank1.txt\n  the run is in run, which has no checkpoint yet"
    assert (status, err) == (1, f"rank 1: ValueError: so be it\n  {where}\n")
    assert left(Path("run")).summary["reason"] == "rank 1 failed: ValueError: so be it"
    assert left(Path("run")).summary["state"] == "failed"


# --- how many there are


def test_torchrun_may_start_one_that_starts_the_others(here):
    out = torchrun(1, *SMALL, "steps=2", "launch.gpus=2")
    assert len(re.findall(r", 2 processes$", out, re.MULTILINE)) == 1


def test_runs_of_one_m_have_as_many_processes_each(here, shell):
    done = shell("-m", "launch.gpus=1,2", *SMALL)
    what = "runs of 1 and 2 processes do not go together in one -m"
    assert (done.status, done.err) == (2, f"{what}\n  write: 2 commands, each with one launch.gpus=NUMBER\n")
    assert not Path("outputs").exists()


def test_a_run_goes_on_with_another_launch_gpus(here, shell, go, left):
    go("run", "epochs=2", "gpu=-1", "launch.gpus=2", "save_every=5")
    done = shell("--from", "run", "launch.gpus=1")
    assert done.status == 0, done.err
    assert done.out.splitlines()[1:2] == ["has finished, at step 18: nothing is left to train"]
    assert not Path("outputs").exists()
