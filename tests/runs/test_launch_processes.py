"""A command with `launch.processes=2` starts the processes of its run, passes signals on, and says how they ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cn import Job
from cn.launching import processes
from cn.launching.processes import free_port, start
from cn.launching.rank import Rank
from cn.launching.signals import TOGETHER, Asked
from data.digits import Digits
from models.mlp import Mlp
from runs.default import Default
from tests.runs.conftest import WAIT, wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


SMALL = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128", "gpu=-1")
SCRIPT = """
import os, signal, sys
from cn import Job, main
from runs import Run
from cn.launching import processes, signals
from runs._launch import launch

signals.PATIENCE, signals.TOGETHER = 2, 0
processes.GRACE = processes.LONGER = 600  # s; however slow the machine is, nobody is ended who would end

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
    main(train, folder=False, launcher=launch)
"""


@pytest.fixture
def begin(here):
    """A command with `launch.processes=2` whose second process raises, or sends itself a signal, after step 12."""
    Path("train.py").write_text(SCRIPT)

    def begin(how: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "train.py", *SMALL, "folder=run", "launch.processes=2", *words],
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


def test_launch_processes_starts_them_and_one_that_raises_is_shown_first(command, left):
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
    run = [sys.executable, "train.py", *SMALL, "epochs=3", "folder=run", "launch.processes=2"]
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
    one = Rank(0, process, signals, signals, signals)

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


def test_the_port_where_processes_meet_is_free_and_none_that_a_connection_is_given(monkeypatch):
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert processes.PORTS[-1] < int(first)
    one, other = free_port(), free_port()
    assert {one, other} <= {*processes.PORTS}
    monkeypatch.setattr(processes, "PORTS", [one, other])
    with socket.create_server(("127.0.0.1", one)):
        assert {free_port() for _ in range(20)} == {other}


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


def test_the_runs_of_a_multirun_have_so_many_processes_each(here, shell):
    done = shell("-m", "seed=1", *SMALL, "steps=2", "launch.processes=2")
    assert done.status == 0, done.err
    assert len(re.findall(r", 2 processes$", done.out, re.MULTILINE)) == 1


def test_what_the_first_refuses_is_told_once_without_a_traceback(command):
    Path("run").mkdir()
    Path("run/config.json").write_text("{}")
    done = command("raises")
    again = "  to go on with it: python train.py --from run\n  for a new run: another folder\n"
    assert (done.returncode, done.stderr) == (2, f"folder=run: a run is there already\n{again}")


def test_a_run_that_cannot_be_tested_says_so_once(here, go, shell):
    go("run", "steps=2", "gpu=-1", "launch.processes=2")
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
    ("gpu", "count", "told"),
    [
        (
            None,
            3,
            "launch.processes=3: this machine has 2 GPUs\n  nearest: launch.processes=2\n  on the CPU: gpu=-1",
        ),
        (
            -1,
            1000,
            "launch.processes=1000: 2 cores have room for 16 processes\n  nearest: launch.processes=16",
        ),
    ],
)
def test_more_than_there_is_room_for_are_refused_before_any_is_started(gpu, count, told, failed, monkeypatch):
    monkeypatch.setattr("cn.launching.processes.gpus", lambda: ["0", "1"])
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr("cn.launching.processes.begin", lambda *_: pytest.fail("one is started"))
    run = Default(model=Mlp(), data=Digits(), gpu=gpu)
    assert str(failed(lambda: start(lambda run, job: 0.0, run, Job(), count=count))) == told


# --- before they have met

EARLY = """
import os, signal, time
from pathlib import Path
from cn import Job, main
from runs import Run
from cn.launching import processes
from runs._launch import launch

HOW = os.environ["HOW"]
processes.GRACE, processes.LAST = 1, 600
if HOW == "importing":
    import torch  # which a fork could not use any more, if it had used a GPU: so each process imports for itself
if HOW == "sharing":
    from cn.launching import workers
    share = workers.share
    def slow(libraries):
        Path("begun0").touch(), Path("begun1").touch()
        time.sleep(2)
        share(libraries)
    workers.share = slow
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
    main(train, folder=False, launcher=launch)
"""


@pytest.fixture
def early(here):
    """A command that is sent a signal, as by a terminal, once both processes say so; its exit status and its stderr."""
    Path("early.py").write_text(EARLY)

    def early(how: str, *, stop: int | None = None) -> tuple[int, str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOW": how}
        words = (*SMALL, "steps=1", "folder=run", "launch.processes=2")
        child = subprocess.Popen(
            [sys.executable, "early.py", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        try:
            if stop is not None:
                wait_for(lambda: len(list(Path().glob("begun*"))) == 2 or child.poll() is not None)
                time.sleep(0.5)  # most likely it is in what begins there
                os.killpg(child.pid, stop)
            _, err = child.communicate(timeout=WAIT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # what has been left
        return child.returncode, err

    return early


def test_ctrl_c_while_they_import(early):
    assert early("importing", stop=signal.SIGINT) == (130, "stopped at once by Ctrl-C\n")


def test_ctrl_c_while_the_libraries_that_they_share_are_imported(early):
    assert early("sharing", stop=signal.SIGINT) == (130, "stopped at once by Ctrl-C\n")


def test_sigterm_while_the_libraries_that_they_share_are_imported(early):
    assert early("sharing", stop=signal.SIGTERM) == (143, "rank 0 was ended by SIGTERM\n")


SHARED = """
import os, sys
from pathlib import Path
from cn import Job, main
from runs import Run
from runs._launch import launch
if os.environ["HOW"] == "own":
    import torch
Run._libraries_ = ("torch", "numpy.random")

def train(run: Run, job: Job) -> float:
    there = "torch" in sys.modules
    import numpy
    Path(f"has{os.environ['RANK']}").write_text(f"{__name__} {there} {numpy.random.random()}")
    return 0.0

if __name__ == "__main__":
    main(train, folder=False, launcher=launch)
"""


@pytest.mark.parametrize(("how", "name"), [("shared", "__main__"), ("own", "__mp_main__")])
def test_torch_is_imported_once_unless_the_program_has_it_already(here, how, name):
    """In forks of a process that has used a GPU, torch cannot: a program that imports torch may have."""
    Path("shared.py").write_text(SHARED)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOW": how}
    words = [sys.executable, "shared.py", *SMALL, "launch.processes=2"]
    subprocess.run(words, env=environment, check=True, timeout=WAIT)
    has = [Path(f"has{rank}").read_text().split() for rank in range(2)]
    assert [each[:2] for each in has] == [[name, "True"]] * 2
    assert len({each[2] for each in has}) == 2, "both draw the same numbers"


def test_ctrl_c_while_one_waits_for_the_others(early):
    """In C++, where it does not hear it as an exception."""
    assert early("meeting", stop=signal.SIGINT) == (130, "stopped at once by Ctrl-C\n")


def test_one_that_fails_while_another_waits_for_it_ends_that_too(early):
    status, err = early("failing")
    assert (status, err.splitlines()[-2:]) == (1, ["ValueError: so be it"] * 2)


def test_one_that_is_ended_since_another_failed_tells_of_that(early, left):
    status, err = early("building")
    where = "its traceback is in run/rank1.txt\n  the run is in run, which has no checkpoint yet"
    assert (status, err) == (1, f"rank 1: ValueError: so be it\n  {where}\n")
    assert left(Path("run")).summary["reason"] == "rank 1 failed: ValueError: so be it"
    assert left(Path("run")).summary["state"] == "failed"


def test_runs_of_one_m_have_as_many_processes_each(here, shell):
    done = shell("-m", "launch.processes=1,2", *SMALL)
    what = "runs of 1 and 2 processes do not go together in one -m"
    assert (done.status, done.err) == (2, f"{what}\n  write: 2 commands, each with one launch.processes=NUMBER\n")
    assert not Path("outputs").exists()


def test_a_run_goes_on_with_another_launch_processes(here, shell, go, left):
    go("run", "epochs=2", "gpu=-1", "launch.processes=2", "save_every=5")
    done = shell("--from", "run", "launch.processes=1")
    assert done.status == 0, done.err
    assert done.out.splitlines()[1:2] == ["has finished, at step 18: nothing is left to train"]
    assert not Path("outputs").exists()
