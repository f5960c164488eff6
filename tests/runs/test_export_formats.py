"""The files that other libraries read: each is read back before it is put in place, or there is none."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cn
from cn import compose
from data.digits import Digits
from data.text.file import File
from data.tokenizer.bytes import Bytes
from models import Model
from models.encoder.bert_family.tiny import Tiny
from runs import _onnx, _safetensors
from runs.default import Default
from runs.language import Language
from runs.training.classical import Classical

PACKAGES = ("safetensors", *_onnx.PACKAGES)
ABSENT = [name for name in PACKAGES if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)} not installed: .[hub]")


def names() -> set[str]:
    return {each.name for each in Path().iterdir()}


def test_safetensors_are_equal_to_the_bit_and_a_run_begins_from_them(go, export):
    from safetensors.torch import load_file

    run = go("run", "steps=5")
    assert export("run", "-o", "run/w.safetensors") == (
        0,
        "run/w.safetensors: 610 numbers in 4 tensors, of the best validation, at step 5; read back, equal to the bit\n",
        "",
    )
    state, found = run.state("best.pt")["module"], load_file("run/w.safetensors")
    assert list(found) == sorted(state)
    assert all(torch.equal(each, state[name]) for name, each in found.items())
    other = go("other", "steps=1", "optim=sgd", "optim.lr=1e-30", "optim.weight_decay=0", "init=run/w.safetensors")
    assert other.log.splitlines()[0] == "begins from run/w.safetensors: 4 of 4 tensors"
    assert all(torch.equal(each, state[name]) for name, each in other.state()["module"].items())


def test_tied_tensors_and_nan_are_written_under_each_name(here):
    tied = torch.tensor([[1.0, float("nan")], [3.0, 4.0]])
    weights = {"in": tied, "out": tied, "turned": tied.t(), "count": torch.tensor(3)}
    _safetensors.write(weights, Path("w"))
    found = _safetensors.read(Path("w"))
    assert set(found) == set(weights)
    assert all(torch.equal(found[name].nan_to_num(), each.nan_to_num()) for name, each in weights.items())


def test_other_weights_than_were_given_are_no_file(go, export, monkeypatch):
    go("run", "steps=1")
    before, read = names(), _safetensors.read

    def wrong(path: Path) -> dict[str, Tensor]:
        return {name: each + (name == "1.bias") * 1e-7 for name, each in read(path).items()}

    monkeypatch.setattr("runs._safetensors.read", wrong)
    told = "safetensors gave back other weights than it was given: 1.bias\n"
    assert export("run", "-o", "w.safetensors") == (1, "", told)
    assert names() == before


def test_onnx_gives_the_accuracy_of_the_run_for_any_number_of_examples(go, export):
    import onnxruntime

    run = go("run", "epochs=3")
    status, out, err = export("run", "-o", "net.onnx")
    assert (status, err) == (0, "")
    told = rf"net.onnx: 610 numbers in 4 tensors, of the best validation, at step {run.summary['best/step']}; "
    assert re.fullmatch(told + r"read back, largest difference \de-0\d\n", out)
    assert export("run", "-o", "net.onnx")[0] == 0  # over the old one
    node = cn.load(run.folder)
    images, labels = (data := node.data.build(seed=node.seed).test).batch(torch.arange(len(data)))
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    right = torch.from_numpy(logits).argmax(dim=1) == labels
    assert float(right.double().mean()) == run.summary["test/accuracy"]
    assert names() == {"run", "net.onnx"}


def test_onnx_that_computes_something_else_is_no_file(go, export, monkeypatch):
    go("run", "steps=1")
    before, outputs = names(), _onnx._outputs
    monkeypatch.setattr("runs._onnx._outputs", lambda *given: [each + 1 for each in outputs(*given)])
    status, out, err = export("run", "-o", "net.onnx")
    assert (status, out) == (1, "")
    assert re.fullmatch(
        r"the outputs in onnxruntime differ by 1\.0e\+00 from those in torch\n"
        r"  allowed is \d\.\de-04\n  its weights alone: -o FILE\.safetensors\n",
        err,
    )
    assert names() == before


def test_onnx_that_onnxruntime_cannot_run_is_no_file(go, export, monkeypatch):
    go("run", "steps=1")
    before = names()
    monkeypatch.setattr("runs._onnx._graph", lambda *given: b"noise")
    status, out, err = export("run", "-o", "net.onnx")
    assert (status, out) == (1, "")
    assert err.startswith("onnxruntime cannot run the file on 8 examples\n  InvalidProtobuf: ")
    assert err.endswith("\n  its weights alone: -o FILE.safetensors\n")
    assert names() == before


class Sorting(nn.Module):
    """Goes another way for other numbers, which no graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        found = self.layer(images.flatten(1))
        return found if float(found.detach().sum()) > 0 else -found


class Branching(Model):
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        return Sorting()


def test_a_network_that_onnx_cannot_express_is_told_with_the_reason(go, export):
    go("run", of=Default(model=Branching(), data=Digits(), steps=1))
    before = names()
    status, out, err = export("run", "-o", "net.onnx")
    assert (status, out) == (1, "")
    first, why, last = err.removesuffix("\n").split("\n")[-3:]
    assert err.count("\n") == 3, err
    assert first == "the network of Branching cannot be written as ONNX"
    assert "data-dependent expression" in why
    assert last == "  its weights alone: -o FILE.safetensors"
    assert names() == before


@pytest.mark.parametrize(
    ("file", "absent"), [("w.safetensors", "safetensors is"), ("net.onnx", "onnx and onnxscript and onnxruntime are")]
)
def test_what_is_not_installed_is_told_with_the_command(go, export, monkeypatch, file, absent):
    go("run", "steps=1")
    monkeypatch.setattr("cn.lazy.find_spec", lambda name: None)
    told = f"-o {file}: {absent} not installed\n  type: pip install -c constraints.txt -e '.[hub]'\n"
    assert export("run", "-o", file) == (2, "", told)


def test_what_is_no_safetensors_is_refused(go, failed):
    go("first", "steps=1")
    Path("noise.safetensors").write_bytes(b"noise")
    error = failed(lambda: go("run", "steps=1", "init=noise.safetensors"))
    assert str(error).startswith("noise.safetensors cannot be read as a checkpoint\n  SafetensorError: ")


def test_a_language_model_is_no_onnx_since_it_is_called_for_its_loss(go, export, here, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    Path("book.txt").write_text("the cat sat on the mat and the dog sat on the cat\n" * 60)
    model = Tiny(d_model=16, heads=2, layers=1, feed_forward=24, length=16, vocabulary=None)
    data = File(path=Path("book.txt"), length=16, batch_size=8, tokenizer=Bytes())
    go("run", of=compose(Language(model=model, data=data, training=Classical(max_steps=1))))
    status, out, err = export("run", "-o", "net.onnx")
    assert (status, out) == (1, "")
    assert err == (
        "Language calls its network with None and True beside tensors, and ONNX takes tensors alone\n"
        "  its weights alone: -o FILE.safetensors\n"
    )
