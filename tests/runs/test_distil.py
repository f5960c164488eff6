"""Two networks that learn at once, the student also from the teacher."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

from data.digits import Digits
from models.mlp import Mlp
from runs.default import Default
from runs.distil import Distil
from runs.optim.sgd import Sgd
from runs.task import distil as tasks
from runs.task._distil import Distillation, Taught

IMAGES = Digits().build(seed=1)


@pytest.fixture
def distil(go):
    """A small run of it."""

    def distil(name: str = "run", **values: object):
        small = {"model": Mlp(hidden_sizes=(8,)), "teacher": Mlp(hidden_sizes=(32,)), "data": Digits(batch_size=32)}
        task = tasks.Distil(**{field: values.pop(field) for field in ("weight", "temperature") if field in values})
        return go(name, of=Distil(**{**small, "task": task, "epochs": 4, **values}))

    return distil


def accuracy(state: dict[str, torch.Tensor], part: str, width: int) -> float:
    module = Mlp(hidden_sizes=(width,)).build(inputs=(1, 8, 8), classes=10)
    module.load_state_dict({k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")})
    images, labels = IMAGES.test.batch(torch.arange(359))
    return (module(images).argmax(1) == labels).double().mean().item()


def test_both_learn_a_checkpoint_holds_both_and_the_student_is_the_one_that_is_scored(distil):
    run = distil()
    state = run.state("best.pt")["module"]
    assert {name.split(".")[0] for name in state} == {"student", "teacher"}
    student, teacher = accuracy(state, "student", 8), accuracy(state, "teacher", 32)
    assert student > 0.5
    assert teacher > 0.8
    assert run.summary["test/accuracy"] == student
    assert run.summary["parameters"] == (64 * 8 + 8 + 8 * 10 + 10) + (64 * 32 + 32 + 32 * 10 + 10)


def test_the_student_starts_as_it_would_alone(distil, go):
    taught = distil("taught", steps=1, optim=_still()).state()["module"]
    alone = go("alone", of=Default(model=Mlp(hidden_sizes=(8,)), steps=1, optim=_still())).state()["module"]
    assert all(torch.allclose(taught[f"student.{name}"], alone[name], atol=1e-6) for name in alone)


def _still() -> Sgd:
    return Sgd(lr=1e-9, momentum=0.0, nesterov=False)


def test_the_student_learns_nothing_from_a_weight_of_0(distil):
    """Then it is the run without a teacher, but for the teacher's part of the generator: none here, without dropout."""
    first = distil("first", weight=0.0, temperature=1.0).state()["module"]
    second = distil("second", weight=0.0, temperature=5.0).state()["module"]
    third = distil("third", weight=0.7, temperature=5.0).state()["module"]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], third[name]) for name in first if name.startswith("student"))
    assert all(torch.equal(first[name], third[name]) for name in first if name.startswith("teacher"))


def objective(*, weight: float, label_smoothing: float) -> Distillation:
    network = Taught(torch.nn.Identity(), torch.nn.Identity())
    more = {"classes": "abc", "pixels": None, "label_smoothing": label_smoothing}
    return Distillation(network, weight=weight, temperature=2.0, **more)


def test_each_part_of_the_loss_is_logged(distil):
    metrics = distil(steps=10, log_every=5).metrics[0]
    parts = [metrics[f"train/{name}"] for name in ("loss", "teacher_loss", "student_loss", "distance")]
    assert parts[0] == pytest.approx(parts[1] + 0.5 * parts[2] + 0.5 * parts[3], rel=1e-5)


def test_the_loss_is_that_of_the_paper():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 5, 3, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1])
    found = objective(weight=0.3, label_smoothing=0.1).loss(lambda _: (student, teacher), (None, labels))
    p, q = softmax(teacher / 2, 1), softmax(student / 2, 1)
    divergence = (p * (p / q).log()).sum(1).mean()
    hard, taught = (cross_entropy(each, labels, label_smoothing=0.1) for each in (student, teacher))
    torch.testing.assert_close(found["loss"], taught + 0.7 * hard + 0.3 * 4 * divergence)
    parts = [found[name] for name in ("student_loss", "teacher_loss", "distance")]
    torch.testing.assert_close(parts, [hard, taught, 4 * divergence])


def test_the_teacher_gets_no_gradient_from_the_student():
    student, teacher = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0])
    found = objective(weight=1.0, label_smoothing=0.0).loss(lambda _: (student, teacher), (None, labels))
    found["loss"].backward()
    (alone,) = torch.autograd.grad(cross_entropy(teacher, labels), teacher)
    torch.testing.assert_close(teacher.grad, alone)


def test_evaluation_asks_the_student_only():
    class Never(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            pytest.fail("the teacher was asked")

    taught = Taught(torch.nn.Flatten(), Never()).eval()
    assert taught(torch.zeros(2, 3, 4)).shape == (2, 12)


def test_a_resume_brings_back_both(distil, go, after_step, failed, differences):
    whole = distil("whole")
    after_step(50, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: distil("run"))
    assert differences(whole.state(), go(source="run").state()) == []


def test_two_nodes_of_one_group_on_the_command_line(here, shell):
    words = ("run=distil", "teacher=vit/small", "teacher.depth=1", "model=mlp", "steps=3", "folder=run")
    said = shell(*words)
    assert (said.status, said.err) == (0, "")
    config = json.loads(Path("run/config.json").read_text())
    assert config["teacher"]["_class_"] == "models.vit:Small"
    assert config["teacher"]["depth"] == 1
    assert config["model"]["_class_"] == "models.mlp:Mlp"
    state = torch.load("run/last.pt", weights_only=True)["module"]
    assert {name.split(".")[0] for name in state} == {"student", "teacher"}


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("task.weight=1.5", "task.weight is 0 <= float <= 1, not 1.5"),
        ("task.temperature=0", "task.temperature is float > 0, not 0"),
        ("epochs=0", "epochs is int >= 1, not 0"),
    ],
)
def test_a_value_out_of_range_is_refused(word, told, go, failed):
    error = failed(lambda: go("run", word, of=Distil))
    assert told in str(error)
    assert error.status == 2
