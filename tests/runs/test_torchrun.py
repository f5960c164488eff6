"""Processes that torchrun starts train as ours do, and what it starts again goes on."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests import warm
from tests.runs.conftest import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


SMALL = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128", "gpu=-1")


def torchrun(count: int, *words: str, restarts: int = 0, script: Path = ROOT / "train.py") -> str:
    """What it printed, once all have ended well."""
    start = ["-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={free_port()}"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = warm.torch().run([*start, f"--max-restarts={restarts}", str(script), *words], cwd=Path(), env=variables)
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
    main(train, folder=False)
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


def test_torchrun_may_start_one_that_starts_the_others(here):
    out = torchrun(1, *SMALL, "steps=2", "launch.processes=2")
    assert len(re.findall(r", 2 processes$", out, re.MULTILINE)) == 1
