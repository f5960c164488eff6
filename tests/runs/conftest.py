"""What the tests of runs use: real runs on the digits, small ones, in a folder of their own.

Fixtures:

    here          an empty folder, which is the current one
    go            `go("run", "epochs=2")`: trains in this process, and gives what the run left in its folder
    left          `left(folder)`: what a run left there: summary, metrics, log, states, weights
    failed        `failed(action)`: the error that an action ends with
    after_step    `after_step(7, action)`: an action after this process's 7th optimiser step
    die           kills this process with SIGKILL
    forked        `forked(action)`: does it in a child process; its exit status
    ranks         `ranks(2, action)`: does it in so many processes that know of each other; their exit statuses
    together      `together(2, "run", "epochs=2")`: `go` by so many processes
    stopped       `stopped(2, 3, source="parts")`: a run of so many processes that is sent SIGTERM in its 3rd step
    stopped_after_each_step  a run of two processes throughout, and the same one stopped after each step
    differences   `differences(a, b)`: where two checkpoints or lists of metrics are not the same to the last bit
    export        `export("run")`: what `python -m runs export run` prints, and its exit status
    shell         `shell("epochs=1")`: what `python train.py epochs=1` prints, and its exit status

Functions: `held_at` starts a command that waits after a step, `wait_for` waits for a fact, `rank` is this process's
number, `one_thread` are the variables of a command.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

import cn
from cn import CNError, Job
from cn.composing.compose import compose
from runs import Run, _checkpoint
from runs.__main__ import main
from runs._train import train
from runs.default import Default
from tests import warm

ROOT = Path(__file__).parents[2]
SMALL = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128")  # 1258 images: 9 steps an epoch
IMPORTED = ("torch._dynamo", "data._digits", "runs._processes.shards")  # imported by most runs
WAIT = 600  # s; a generous limit, for a busy machine
WORKERS = 50  # of pytest-xdist, each with ports of its own


@dataclass(frozen=True)
class Left:
    """The content of a run folder."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def metrics(self) -> list[dict[str, float]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def state(self, name: str = "last.pt") -> dict[str, Any]:
        return _checkpoint.load(self.folder / name)

    def weights(self, name: str = "last.pt") -> torch.Tensor:
        return torch.cat([each.flatten() for each in self.state(name)["module"].values()])

    def files(self) -> dict[str, tuple[bytes, int]]:
        return {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in self.folder.iterdir()}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def left() -> type[Left]:
    return Left


@pytest.fixture
def go(here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Left]:
    """Run as `train.py` does: `go("run", "epochs=2")` leaves a folder called run, `go(source=...)` is --from."""
    monkeypatch.setattr("runs._train.draw", lambda folder: None)  # 0.3 s each; test_folder.py has a run with it

    def go(name: str = "run", *overrides: str, of: Run | type[Run] = Default, source: Path | str | None = None) -> Left:
        if source is not None:
            words = overrides
            node = compose(cn.load(source), words)
        else:
            small = () if isinstance(of, Run) else SMALL
            words = (*[each for each in small if not _given(each, overrides)], *overrides, f'folder="{name}"')
            node = compose(of, words)
        train(node, Job(overrides=words, argv=words, source=None if source is None else Path(source)))
        resumed = source is not None and all(each.startswith("mode=") for each in words)
        return Left(Path(source) if source is not None and resumed else Path(name))

    return go


def _given(default: str, overrides: tuple[str, ...]) -> bool:
    key = default.partition("=")[0]
    chosen = {each.partition("=")[0] for each in overrides}
    return key in chosen or (key.startswith("model.") and "model" in chosen)


@pytest.fixture
def failed() -> Callable[..., CNError]:
    """Return the error that ends a run."""

    def failed(action: Callable[[], Any]) -> CNError:
        with pytest.raises(CNError) as caught:
            action()
        return caught.value

    return failed


@pytest.fixture
def after_step() -> Iterator[Callable[[int, Callable[[], Any]], None]]:
    """`after_step(7, action)`: call the action when this process has taken its 7th optimiser step from now."""
    handles: list[Any] = []

    def after_step(number: int, action: Callable[[], Any]) -> None:
        taken = 0

        def count(*_: Any) -> None:
            nonlocal taken
            taken += 1
            if taken == number:
                action()

        handles.append(register_optimizer_step_post_hook(count))

    yield after_step
    for handle in handles:
        handle.remove()


@pytest.fixture
def forked() -> Callable[[Callable[[], Any]], int]:
    """Run an action in a child process; return its exit status, or minus the signal that killed it."""

    def forked(action: Callable[[], Any]) -> int:
        _prepare_to_fork()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn about forks with threads
            child = os.fork()
        if child == 0:
            try:
                action()
                os._exit(0)
            except BaseException as error:
                os._exit(getattr(error, "status", 99))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return forked


def _prepare_to_fork() -> None:
    """Import modules once, so that forked children need not."""
    for name in IMPORTED:
        importlib.import_module(name)
    sys.stdout.flush()


@pytest.fixture
def die() -> Callable[[], None]:
    """Send SIGKILL to this process."""
    return lambda: os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def ranks(monkeypatch):
    """`ranks(2, action)`: run the action in two processes with a rendezvous; return their exit statuses."""

    def ranks(count: int, action: Callable[[], Any]) -> list[int]:
        _prepare_to_fork()
        port = free_port()
        children: list[int] = []
        for rank in range(count):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn about forks with threads
                child = os.fork()
            if child == 0:
                told = {"RANK": rank, "WORLD_SIZE": count, "MASTER_PORT": port, "MASTER_ADDR": "127.0.0.1"}
                os.environ.update({name: str(value) for name, value in told.items()})
                status = 99
                try:
                    action()
                    status = 0
                except BaseException as error:
                    status = getattr(error, "status", 99)
                    if status == 99:
                        traceback.print_exc()
                finally:
                    os._exit(status)
            children.append(child)
        return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

    return ranks


@pytest.fixture
def together(ranks, go, left):
    """Run training in several processes."""

    def together(count: int, name: str, *words: str, **others: Any) -> Any:
        assert ranks(count, lambda: go(name, *words, **others)) == [0] * count
        return left(Path(name))

    return together


def wait_for(fact: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + WAIT
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.01)


def free_port() -> int:
    """Return a port that stays free until it is used: the system gives it to nobody, nor does another worker here."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 12_500 + random.SystemRandom().randrange(2_500 // WORKERS) * WORKERS + worker % WORKERS
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("", port))
            return port


def rank() -> int:
    return int(os.environ["RANK"])


@pytest.fixture
def stopped(ranks, go, after_step):
    """Resume or start a run, and send SIGTERM to one process in its step of that number."""

    def stopped(count: int, step: int, **how: Any) -> list[int]:
        def run() -> None:
            if rank() == count - 1:
                after_step(step, lambda: signal.raise_signal(signal.SIGTERM))
            go("parts", **how)

        return ranks(count, run)

    return stopped


@pytest.fixture
def stopped_after_each_step(together, stopped, ranks, go, left, monkeypatch):
    """An uninterrupted run of two processes, and the same run interrupted, with agreement after each step."""

    def stopped_after_each_step(run: Run) -> tuple[Left, Left]:
        monkeypatch.setattr("runs._processes.stop.OFTEN", 1)
        whole = together(2, "whole", of=run)
        assert stopped(2, 1, of=run) == [143, 143]
        for _ in range(2, whole.summary["step"]):
            assert stopped(2, 1, source="parts") == [143, 143]
        assert ranks(2, lambda: go(source="parts")) == [0, 0]
        return whole, left(Path("parts"))

    return stopped_after_each_step


@pytest.fixture
def differences() -> Callable[[Any, Any], list[str]]:
    """Return where two checkpoints, or two lists of metrics, are not bit-identical."""

    def differences(a: Any, b: Any, place: str = "") -> list[str]:
        if type(a) is not type(b):
            return [f"{place}: {type(a).__name__} and {type(b).__name__}"]
        if isinstance(a, torch.Tensor):
            return [] if a.dtype == b.dtype and torch.equal(a, b) else [f"{place}: tensors"]
        if isinstance(a, dict):
            if list(a) != list(b):
                return [f"{place}: {list(a)} and {list(b)}"]
            return [each for key in a for each in differences(a[key], b[key], f"{place}/{key}")]
        if isinstance(a, (list, tuple)):
            if len(a) != len(b):
                return [f"{place}: {len(a)} and {len(b)} entries"]
            return [
                each for i, (x, y) in enumerate(zip(a, b, strict=True)) for each in differences(x, y, f"{place}/{i}")
            ]
        return [] if a == b else [f"{place}: {a} and {b}"]

    return differences


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `python -m runs export ...`; return its exit status, output and errors."""

    def export(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["export", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return export


@dataclass(frozen=True)
class Said:
    """The output of a command, and its exit status."""

    status: int
    out: str
    err: str


@pytest.fixture
def shell(here: Path) -> Callable[..., Said]:
    """`shell("epochs=1")`: run `train.py` with that word in the empty folder; what it says of its path is its name."""

    def shell(*words: str, script: Path = ROOT / "train.py") -> Said:
        done = warm.torch().run([str(script), *words], cwd=here, env=one_thread())
        out, err = (said.replace(str(ROOT / "train.py"), "train.py") for said in (done.stdout, done.stderr))
        return Said(done.returncode, out, err)

    return shell


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}


HELD = """
import time
from pathlib import Path
from cn import Job, main
from runs import Run
from runs._launch import launch

def train(run: Run, job: Job) -> float:
    from torch.optim.optimizer import register_optimizer_step_post_hook
    from runs._train import train
    taken = 0
    def after(*_):
        nonlocal taken
        taken += 1
        if taken == STEP:
            Path("begun").touch()
            while not Path("sent").exists():
                time.sleep(0.01)
    register_optimizer_step_post_hook(after)
    return train(run, job)

if __name__ == "__main__":
    main(train, folder=False, launcher=launch)
"""


def held_at(step: int, *words: str, **how: Any) -> subprocess.Popen[str]:
    """Start `python train.py WORDS`; it waits after that step until the file `sent` exists."""
    Path("train.py").write_text(HELD.replace("STEP", str(step)))
    child = subprocess.Popen(
        [sys.executable, "train.py", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        **how,
    )
    wait_for(lambda: Path("begun").exists() or child.poll() is not None)
    return child
