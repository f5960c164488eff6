"""One file with a run's weights: what it holds, of which runs, and that it is whole or absent."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import torch
from torch import nn

import cn
from data.digits import Digits
from models.vit import ViT
from runs.__main__ import main
from runs.callbacks.ema import Ema
from runs.default import Default
from runs.parallel.fsdp import Fsdp


def accuracy(folder: Path, weights: Path) -> float:
    """Of the bare module on the test split."""
    run = cn.load(folder)
    data = run.data.build(seed=run.seed)
    module: nn.Module = run.task.build(model=run.model, data=data).network
    module.load_state_dict(torch.load(weights, weights_only=True))
    images, labels = data.test.batch(torch.arange(len(data.test)))
    with torch.no_grad():
        return float((module.eval()(images).argmax(dim=1) == labels).double().mean())


def test_the_best_weights_give_the_accuracy_of_the_run(go, export):
    run = go("run", "epochs=3")
    status, out, _ = export("run")
    step = run.summary["best/step"]
    assert (status, out) == (0, f"run/weights.pt: 610 numbers in 4 tensors, of the best validation, at step {step}\n")
    assert accuracy(run.folder, Path("run/weights.pt")) == run.summary["test/accuracy"]
    state = torch.load("run/weights.pt", weights_only=True)
    assert {type(each) for each in state.values()} == {torch.Tensor}
    assert Path("run/weights.pt").stat().st_size < Path("run/best.pt").stat().st_size / 2


def test_those_it_ended_with_and_as_json(go, failed, left, after_step, export):
    after_step(12, lambda: signal.raise_signal(signal.SIGTERM))
    failed(lambda: go("run", "epochs=2"))
    run = left(Path("run"))
    assert run.state("best.pt")["step"] == 9
    status, out, _ = export("run", "--last", "-o", "elsewhere/last.pt", "--json")
    assert status == 0
    assert json.loads(out) == {
        "path": "elsewhere/last.pt",
        "step": 12,
        "averaged": False,
        "tensors": 4,
        "numbers": 610,
        "difference": None,
        "folder": "run",
    }
    state = torch.load("elsewhere/last.pt", weights_only=True)
    for name, each in run.state()["module"].items():
        assert torch.equal(state[name], each)


def test_of_several_processes_and_averaged(together, export):
    """Each had a part of them."""
    run = Default(
        model=ViT(dim=24, depth=2), data=Digits(batch_size=64), epochs=2, parallel=Fsdp(), callbacks={"ema": Ema()}
    )
    left = together(2, "run", of=run)
    status, out, _ = export("run")
    assert status == 0
    assert out.startswith("run/weights.pt: 15250 numbers in 31 tensors, averaged, of the best validation, at step ")
    assert accuracy(left.folder, Path("run/weights.pt")) == left.summary["test/accuracy"]
    state = torch.load("run/weights.pt", weights_only=True)
    assert {type(each) for each in state.values()} == {torch.Tensor}
    assert list(state) == list(left.state("best.pt")["average"])


def test_what_cannot_be(go, export, here):
    run = go("run", "epochs=1")
    before = run.files()
    see = "  see: python -m runs\n"
    assert export() == (
        2,
        "",
        f"export writes the weights of one run, and none is named\n  write: python -m runs export A\n{see}",
    )
    assert export("run", "run")[2].startswith("export writes the weights of one run, and 2 are named\n")
    assert main(["diff", "run", "--last"]) == 2
    assert export("run", "-o", "run") == (
        2,
        "",
        "-o run is a folder\n  write: -o FILE, or nothing for weights.pt\n",
    )
    for name in ("best.pt", "last.pt", "config.json"):
        assert export("run", "-o", f"run/{name}") == (
            2,
            "",
            f"-o run/{name} is a file of the run's own\n  write: -o FILE, or nothing for weights.pt\n",
        )
    (here / "file").touch()
    assert export("run", "-o", "file/weights.pt") == (
        1,
        "",
        "cannot write file/weights.pt: File exists\n  to put it elsewhere: -o FILE\n",
    )
    assert run.files() == before
    (run.folder / "best.pt").unlink()
    assert export("run") == (
        1,
        "",
        "run has no checkpoint best.pt\n  what it has: run/last.pt\n",
    )


def test_it_is_whole_or_absent(go, export):
    run = go("run", "epochs=1")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        status, _, err = export("run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (status, err) == (1, "cannot write run/weights.pt: File too large\n  to put it elsewhere: -o FILE\n")
    assert not list(run.folder.glob("*weights*"))


def test_weights_have_an_ending_that_says_what_they_are(go, export, here):
    go("run", "steps=1")
    (here / "model.py").write_text("kept")
    assert export("run", "-o", "model.py") == (
        2,
        "",
        "model.py: weights are not written as .py\n  choose from: onnx, pt, pth, safetensors\n  write: -o model.pt\n",
    )
    assert export("run", "-o", "weights")[2].splitlines() == [
        "weights: weights are not written as a file without an ending",
        "  choose from: onnx, pt, pth, safetensors",
        "  write: -o weights.pt",
    ]
    assert (here / "model.py").read_text() == "kept"
