"""mixup and CutMix: what becomes of a batch and its loss, and that runs with them go on to the bit."""

from __future__ import annotations

import signal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from cn import UserError, compose
from cn.nodes.to_json import plain
from cn.sweeping.planning.plan import identity
from data import Dataset
from data.digits import Digits
from models.linear import Linear
from models.mlp import Mlp
from runs.default import Default
from runs.task import _mix
from runs.task._classify import Classification
from runs.task._distil import Distillation, Taught
from runs.task._mix import mix, outside, share
from runs.task.classify import Classify

CPU = torch.device("cpu")
MIXED = Classify(label_smoothing=0.1, mixup=0.4, cutmix=1.0)
RUN = Default(
    model=Mlp(hidden_sizes=(8,)),
    data=Digits(batch_size=64, crop=1, randaugment=1),
    task=MIXED,
    accumulate=2,
    steps=12,
    log_every=4,
    validate_steps=6,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def images(b: int = 6, side: int = 8) -> Tensor:
    return torch.rand(b, 3, side, side) + torch.arange(b)[:, None, None, None]


def test_mixup_blends_each_example_with_the_one_before(monkeypatch):
    monkeypatch.setattr(_mix, "share", lambda alpha, device: torch.tensor({0.4: 0.75}[alpha]))
    found, own = mix(torch.tensor([[0.0, 4.0], [8.0, 8.0], [4.0, 0.0]]), mixup=0.4, cutmix=0.0)
    assert own == 0.75
    assert found.tolist() == [[1.0, 3.0], [6.0, 7.0], [5.0, 2.0]]


def test_cutmix_takes_a_window_from_the_one_before():
    batch = images()
    for _ in range(20):
        found, own = mix(batch, mixup=0.0, cutmix=1.0)
        kept, taken = found == batch, found == batch.roll(1, 0)
        assert (kept ^ taken).all()
        window = taken[0, 0]
        assert (taken == window).all()
        assert own.item() == pytest.approx(1 - window.float().mean().item())
        assert torch.equal(window, window.any(1)[:, None] & window.any(0))  # all of some rows and columns
        for lines in (window.any(0), window.any(1)):
            assert (lines.int().diff().abs().sum() <= 2).item()


def test_a_window_has_the_rest_of_the_area_or_less_at_the_border():
    areas = torch.stack([1 - outside(torch.tensor(0.75), 40, 40).mean() for _ in range(500)])
    assert areas.max().item() == pytest.approx(0.25, abs=0.02)
    assert areas.min().item() == pytest.approx(0.25 / 4, abs=0.03)  # its middle in a corner
    assert outside(torch.tensor(1.0), 8, 8).mean() == 1
    middle = torch.stack([1 - outside(torch.tensor(0.9), 8, 8) for _ in range(500)]).mean(0)
    assert middle.min() > 0.02  # every pixel is in some


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_the_share_is_from_the_beta_distribution(alpha):
    """The mean 1/2 and the variance 1 / (4 (2 alpha + 1)), within 5 deviations of 4000 draws."""
    shares = torch.stack([share(alpha, CPU) for _ in range(4000)])
    assert ((shares >= 0) & (shares <= 1)).all()
    variance = 1 / (4 * (2 * alpha + 1))
    assert shares.mean().item() == pytest.approx(0.5, abs=5 * (variance / 4000) ** 0.5)
    assert shares.var().item() == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize("alpha", [1e-8, 1e4])
def test_an_extreme_alpha_gives_numbers(alpha):
    shares = torch.stack([share(alpha, CPU) for _ in range(200)])
    assert ((shares >= 0) & (shares <= 1)).all()


def test_with_both_a_fair_coin_chooses_for_each_batch():
    batch, cut = images(), 0
    for _ in range(400):
        found, own = mix(batch, mixup=1.0, cutmix=1.0)
        blended = torch.allclose(found, own * batch + (1 - own) * batch.roll(1, 0), atol=1e-5)
        windowed = ((found == batch) | (found == batch.roll(1, 0))).all().item()
        assert blended or windowed
        cut += windowed
    assert 160 < cut < 240  # 4 deviations around 200


def test_no_value_is_asked_of_the_device(monkeypatch):
    """A meta tensor has no values: whatever would wait for one raises. The share is looked at in test_device.py."""
    monkeypatch.setattr(_mix, "share", lambda alpha, device: torch.rand((), device=device))  # none for meta in torch
    batch = torch.empty(5, 3, 8, 8, device="meta")
    assert [each.shape for each in mix(batch, mixup=0.4, cutmix=1.0)] == [batch.shape, ()]


def objective(**more: float) -> Classification:
    return Classification(nn.Identity(), classes="abc", pixels=None, **{"label_smoothing": 0.0, **more})


def test_the_loss_is_that_of_both_labels_by_their_shares(monkeypatch):
    """By hand, of logits that are the examples."""
    monkeypatch.setattr(_mix, "share", lambda alpha, device: torch.tensor(0.75))
    examples, labels = torch.tensor([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), torch.tensor([0, 1])
    found = objective(mixup=0.2).loss(lambda x: x, (examples, labels))
    logits = torch.tensor([[1.5, 1.0, 0.0], [0.5, 3.0, 0.0]])
    p = -log_softmax(logits, 1)
    by_hand = (0.75 * p[0, 0] + 0.25 * p[0, 1] + 0.75 * p[1, 1] + 0.25 * p[1, 0]) / 2
    torch.testing.assert_close(found, by_hand)


def test_it_goes_with_label_smoothing(monkeypatch):
    monkeypatch.setattr(_mix, "share", lambda alpha, device: torch.tensor(0.75))
    examples, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 0])
    found = objective(mixup=0.2, label_smoothing=0.1).loss(lambda x: x, (examples, labels))
    logits = 0.75 * examples + 0.25 * examples.roll(1, 0)
    one, other = (cross_entropy(logits, each, label_smoothing=0.1) for each in (labels, labels.roll(1, 0)))
    torch.testing.assert_close(found, 0.75 * one + 0.25 * other)


def test_what_is_measured_is_not_mixed():
    batch = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 0])
    mixed, plain = (each.measure(lambda x: x, batch) for each in (objective(mixup=1.0), objective()))
    assert mixed == plain


def test_off_it_draws_nothing():
    state = torch.get_rng_state()
    objective().loss(lambda x: x, (torch.randn(2, 3, generator=torch.Generator()), torch.tensor([0, 1])))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_teacher_and_its_student_see_the_same_mixed_batch(monkeypatch):
    monkeypatch.setattr(_mix, "share", lambda alpha, device: torch.tensor(0.75))
    network = Taught(nn.Identity(), nn.Identity())
    task = Distillation(
        network, weight=0.0, temperature=1.0, classes="abc", pixels=None, label_smoothing=0.0, mixup=0.2
    )
    batch = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 0])
    found = task.loss(network, batch)
    alone = objective(mixup=0.2).loss(lambda x: x, batch)
    torch.testing.assert_close([found["student_loss"], found["teacher_loss"]], [alone, alone])


def test_cutmix_of_what_is_no_image_is_refused():
    data = Dataset(*[None] * 3, inputs=(5,), classes=("a", "b"))  # type: ignore[arg-type]
    with pytest.raises(UserError) as caught:
        Classify(cutmix=1.0).build(model=Linear(), data=data)
    assert str(caught.value) == (
        "task.cutmix is 1.0, and takes images (three sizes), where an example here is 5\n"
        "  nearest: task.cutmix=0 task.mixup=1.0"
    )
    assert Classify(mixup=1.0).build(model=Linear(), data=data).mixup == 1.0


def test_a_stopped_run_goes_on_to_the_same_bits(go, after_step, failed, differences):
    whole = go("whole", of=RUN)
    after_step(5, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", of=RUN))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics
    assert not torch.equal(whole.weights(), go("plain", *["task.mixup=0", "task.cutmix=0"], of=RUN).weights())


def test_two_processes_mix_and_go_on_to_the_same_bits(together, stopped, ranks, go, left, differences, monkeypatch):
    monkeypatch.setattr("runs._processes.stop.OFTEN", 1)
    whole = together(2, "whole", of=RUN)
    assert stopped(2, 5, of=RUN) == [143, 143]
    assert ranks(2, lambda: go(source="parts")) == [0, 0]
    assert differences(whole.state(), left(whole.folder.parent / "parts").state()) == []


def test_a_trial_without_them_is_the_same_as_before_there_were_any():
    run = compose(Default, ["seed=3"])
    assert identity(run, plain(run)) == "36c1e44f08"
    for word in ("task.mixup=0.2", "task.cutmix=1", "data.randaugment=1", "data.magnitude=10"):
        other = compose(Default, ["seed=3", word])
        assert identity(other, plain(other)) != "36c1e44f08"
