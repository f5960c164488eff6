"""A terminal that is closed, or a lost connection to it, stops a run after its step, with a checkpoint and a reason."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from runs import _checkpoint
from tests.runs.conftest import WAIT

ROOT = Path(__file__).parents[2]
SMALL = ["model=mlp", "model.hidden_sizes=[8]", "epochs=1000", "gpu=-1"]


def closed(words: list[str], begun: str) -> tuple[int, Path]:
    """The exit status of a command whose terminal is closed once a file like `begun` is there, and the run's folder."""
    child, terminal = pty.fork()
    if child == 0:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        os.execve(sys.executable, [sys.executable, str(ROOT / "train.py"), *SMALL, *words], env)
    os.set_blocking(terminal, False)
    end, shown = time.monotonic() + WAIT, b""
    while not (found := list(Path().glob(begun))):
        assert time.monotonic() < end, shown
        time.sleep(0.05)
        with suppress(BlockingIOError):
            shown += os.read(terminal, 100_000)  # a full terminal would stop the run
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), found[0].parent


BY_US, BY_ITS_JOB = "stopped by SIGHUP after step ", "stopped by SIGTERM after step "
TWO, SEVERAL = ["folder=run", "launch.processes=2"], ["-m", "seed=1,2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "begun", "ended"),
    [
        pytest.param(["folder=run"], "run/last.pt", BY_US, id="one process"),
        pytest.param(TWO, "run/last.pt", BY_US, id="two processes", marks=pytest.mark.long),
        pytest.param(SEVERAL, "outputs/*/*/last.pt", BY_ITS_JOB, id="several runs", marks=pytest.mark.long),
    ],
)
def test_a_run_whose_terminal_is_closed_is_interrupted_and_can_go_on(
    here: Path, words: list[str], begun: str, ended: str
) -> None:
    status, folder = closed(words, begun)
    assert status == 128 + signal.SIGHUP
    told = json.loads((folder / "summary.json").read_text())
    assert (told["state"], told["reason"].startswith(ended)) == ("interrupted", True)
    last = _checkpoint.load(folder / "last.pt")
    assert told["reason"] == f"{ended}{last['step']} of {told['steps']}"
    assert re.search(r"to go on from the last checkpoint: python \S*train.py --from", (folder / "log.txt").read_text())


@pytest.mark.slow
def test_a_run_that_ignores_a_closed_terminal_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nohup` has it ignored, and what is printed is lost then."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        status, folder = closed(["folder=run", "steps=600"], "run/last.pt")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert status == 0
    assert json.loads((folder / "summary.json").read_text())["state"] == "finished"
