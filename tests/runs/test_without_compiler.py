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
from runs._training.without_compiler import step_without_compiler

original = torch.optim.AdamW.step
CHANGE = sys.argv[1] == "without"
if CHANGE:
    step_without_compiler()
torch.manual_seed(0)
network = torch.nn.Linear(4, 1)
optimizers = [torch.optim.AdamW(network.parameters()), torch.optim.SGD(network.parameters(), momentum=0.9)]


def step(x):
    for each in optimizers:
        each.zero_grad()
        network(x).sum().backward()
        each.step()
    return network.weight.sum()


for _ in range(3):
    step(torch.ones(2, 4))
for each in optimizers:
    each.load_state_dict(each.state_dict())
    each.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))]})
torch.optim.lr_scheduler.LambdaLR(each, float)
assert ("torch._dynamo" in sys.modules) != CHANGE
"""
USES = """
print("a differentiable step")
moved = torch.ones(3, requires_grad=True).clone()
moved.retain_grad()
moved.grad = torch.ones(3)
torch.optim.SGD([moved], lr=0.1, differentiable=True).step()
print(moved.requires_grad, moved)

print("a step that fails")
failing = torch.optim.SGD(network.parameters(), lr=0.1)
failing.param_groups[0]["lr"] = "no number"
try:
    failing.step()
except TypeError as error:
    print(error, torch.is_grad_enabled())

print("hooks")
handles = [
    optimizers[0].register_step_pre_hook(lambda *_: print("before")),
    optimizers[0].register_step_post_hook(lambda *_: print("after")),
]
step(torch.ones(2, 4))
for each in handles:
    each.remove()
assert ("torch._dynamo" in sys.modules) != CHANGE

print("a compiled network, and a compiled step")
print(torch.compile(network, backend="eager")(torch.ones(2, 4)))
print(torch.compile(step, backend="eager")(torch.ones(2, 4)))
print(torch._dynamo.utils.counters["stats"]["unique_graphs"])

print(step(torch.ones(2, 4)))
print([each.state_dict() for each in optimizers], network.weight.tolist())
"""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_optimizers_do_the_same():
    """To the bit, and in the same number of compiled graphs."""
    without, told = (python("-c", BEGIN + USES, each).stdout for each in ("without", "with"))
    assert without == told
    assert told.count("\n") > 12


def test_methods_that_torch_has_changed_are_left_as_they_are():
    python(
        "-c",
        f"""
import runs._training.without_compiler as module

module.STEPS = module.STEPS - {{"defaults"}}
{BEGIN.replace('("torch._dynamo" in sys.modules) != CHANGE', "torch.optim.AdamW.step.__wrapped__ is original")}
assert "torch._dynamo" in sys.modules""",
        "without",
    )


@pytest.mark.parametrize("imported", ["torch", "torch._inductor.config"])
def test_what_a_model_compiles_itself_is_deterministic_if_the_run_is(imported: str):
    told = """
import sys, torch, threading
from types import SimpleNamespace
import IMPORTED
from runs._training.device import Device, prepare

device = Device(torch.device("cpu"), None, False, False)
for deterministic in (True, False, True):
    prepare(SimpleNamespace(deterministic=deterministic, seed=0, precision="fp32"), device)
    assert torch.are_deterministic_algorithms_enabled() == deterministic
assert ("torch._inductor" in sys.modules) == ("IMPORTED" != "torch")
import torch._inductor.config
assert torch._inductor.config.deterministic
if "IMPORTED" == "torch":
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch._inductor.config.deterministic))
    thread.start(), thread.join()
    assert seen == [True]
"""
    python("-c", told.replace("IMPORTED", imported))


def test_a_run_does_not_import_it_and_is_the_same_run_to_the_bit(tmp_path: Path, left: type[Left]):
    run = ["train.py", *SMALL, "optim=muon", "callbacks=ema", "epochs=1", "gpu=-1"]
    assert "torch._dynamo" not in python("-X", "importtime", *run, f"folder={tmp_path / 'without'}").stderr
    import_it = (
        "import runpy, sys, torch._dynamo; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], None, '__main__')"
    )
    python("-c", import_it, *run, f"folder={tmp_path / 'with'}")
    one, other = left(tmp_path / "without"), left(tmp_path / "with")
    assert one.state()["step"] == 9
    assert one.weights().equal(other.weights())
    assert one.weights("best.pt").equal(other.weights("best.pt"))
