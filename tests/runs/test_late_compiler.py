"""torch's compiler is imported by what uses it, and by nothing else; a run with and without it is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.conftest import ROOT, SMALL, Left

pytestmark = pytest.mark.slow

BEGIN = """
import sys
import torch
from runs._training.late_compiler import Late, postpone

postpone()
torch.set_deterministic_debug_mode("error")
network = torch.nn.Linear(4, 1)
optimizer = torch.optim.AdamW(network.parameters())


def step(x):
    optimizer.zero_grad()
    loss = network(x).sum()
    loss.backward()
    optimizer.step()
    return loss


step(torch.ones(2, 4))
optimizer.load_state_dict(optimizer.state_dict())
torch.optim.lr_scheduler.LambdaLR(optimizer, float)
assert type(sys.modules["torch._dynamo"]) is Late
assert "torch._dynamo.config" not in sys.modules
assert not hasattr(sys.modules["torch._dynamo"], "__wrapped__")
"""
END = """
import torch._inductor.config

assert "torch._dynamo.config" in sys.modules
assert type(sys.modules["torch._dynamo"]) is type(sys)
assert torch._dynamo is sys.modules["torch._dynamo"]
assert torch._inductor.config.deterministic or "threading" in dir()  # torch keeps this option for each thread
step(torch.ones(2, 4))
"""
USES = {
    "compile": 'assert torch.compile(network, backend="eager")(torch.ones(2, 4)).shape == (2, 1)',
    "compile a step": 'torch.compile(step, backend="eager")(torch.ones(2, 4))',
    "a function that is not compiled": """
@torch.compiler.disable
def seen(x):
    assert not torch.compiler.is_compiling()
    return x + 1

assert torch.compile(lambda x: seen(x) * 2, backend="eager")(torch.ones(2)).tolist() == [4.0, 4.0]""",
    "a function that is not compiled, with words": """
@torch.compiler.disable(recursive=False)
def seen(x):
    return x + 1

assert seen(torch.ones(1)) == 2""",
    "a name": "from torch._dynamo import allow_in_graph",
    "an attribute": "assert torch._dynamo.config.cache_size_limit",
    "a module of it": "import torch._dynamo.utils as utils; assert torch._dynamo.utils is utils",
    "a module that needs it": "import torch._inductor.config",
    "two threads": """
import threading
found = []
threads = [threading.Thread(target=lambda: found.append(torch._dynamo.reset)) for _ in range(2)]
[each.start() for each in threads], [each.join() for each in threads]
assert len(found) == 2""",
    "a failed import": """
sys.modules["torch._dynamo.config"] = None
for _ in range(2):
    try:
        torch.compile(network, backend="eager")
        raise AssertionError("it is imported")
    except ImportError as error:
        assert "torch._dynamo" in str(error)
del sys.modules["torch._dynamo.config"]
torch.compile(network, backend="eager")
torch.use_deterministic_algorithms(True)""",
}
WITH_IT = """
import runpy
import sys
import torch._dynamo

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def python(*words: str) -> str:
    """Return what is written to stderr."""
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("use", USES)
def test_whatever_uses_the_compiler_finds_it(use: str):
    python("-c", f"{BEGIN}{USES[use]}\n{END}")


def test_a_run_does_not_import_it_and_is_the_same_run_to_the_bit(tmp_path: Path, left: type[Left]):
    run = ["train.py", *SMALL, "optim=muon", "callbacks=ema", "epochs=1", "gpu=-1"]
    assert "torch._dynamo" not in python("-X", "importtime", *run, f"folder={tmp_path / 'without'}")
    python("-c", WITH_IT, *run, f"folder={tmp_path / 'with'}")
    one, other = left(tmp_path / "without"), left(tmp_path / "with")
    assert one.state()["step"] == 9
    assert one.weights().equal(other.weights())
    assert one.weights("best.pt").equal(other.weights("best.pt"))
