"""Under SLURM's own srun, the processes of one run find out which they are, on one node and over two."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WORDS = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128", "steps=12", "gpu=-1", "folder=run")


@pytest.mark.parametrize("nodes", [1, 2])
def test_two_tasks_of_an_srun_train_one_run(nodes, slurm, tmp_path):
    where = {"MASTER_ADDR": "127.0.0.1"} if nodes == 2 else {}  # n1 and n2 are names of this machine that nobody knows
    done = subprocess.run(
        ["srun", f"-N{nodes}", "-n2", sys.executable, str(ROOT / "train.py"), *WORDS],
        cwd=tmp_path,
        env={**slurm.environment(), **where, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy") == 1
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert (summary["state"], summary["processes"], summary["step"]) == ("finished", 2, 12)
