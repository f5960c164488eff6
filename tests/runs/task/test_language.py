"""Language models: what is hidden, the loss without all logits, the order of blocks, and every value at work."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cn import UserError, compose
from data.text.file import File
from data.tokenizer.bytes import Bytes
from models.attention.grouped_query import GroupedQuery
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.tiny import Tiny
from runs import Run, _train
from runs.callbacks.predictions import Predictions
from runs.language import Language
from runs.optim.adamw import AdamW
from runs.optim.sgd import Sgd
from runs.schedule.constant import Constant
from runs.schedule.cosine import Cosine
from runs.schedule.plateau import Plateau
from runs.task._corrupt import Corruption
from runs.task._head_loss import head_loss
from runs.task.language import Language as Task
from runs.training import Training
from runs.training._flops import classical, depth_time, flops
from runs.training.classical import Classical
from runs.training.depth_time import DepthTime
from runs.training.hybrid import Hybrid

SHAPE: dict[str, Any] = {"d_model": 16, "heads": 2, "layers": 3, "feed_forward": 24, "length": 16, "vocabulary": None}
BERT, GPT = Tiny(**SHAPE, dropout=0.1), Small(**SHAPE, dropout=0.1)
WORDS = "the cat sat on the mat and the dog sat on the cat while a hat was on the mat\n"


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "book.txt"
    path.write_text("".join(WORDS[each % 40 :] + WORDS for each in range(60)))
    return path


def run(book: Path, training: Training | None = None, **more: Any) -> Language:
    data = File(path=book, length=16, batch_size=8, tokenizer=Bytes())
    training = training or Classical(max_steps=12)
    parts = {"model": BERT, "data": data, "training": training, "log_every": 3, "validate_steps": 6}
    return compose(Language(**{**parts, **more}))


def built(book: Path, **how: Any) -> Any:
    return _train.build(run(book, **how), Path("run"), lambda _: None)


# What is hidden


def test_each_window_hides_as_many_tokens_by_the_rule_of_bert():
    vocabulary = Bytes().build([])
    corruption = Corruption(vocabulary, rate=0.15)
    torch.manual_seed(0)
    tokens = torch.randint(5, 261, (4000, 40))
    seen, at = corruption(tokens, torch.rand(3, *tokens.shape))
    assert at.shape == (4000, 6)
    assert all(len(set(row)) == 6 for row in at[:50].tolist())
    hidden, right = seen.gather(1, at), tokens.gather(1, at)
    elsewhere = torch.ones_like(tokens, dtype=torch.bool).scatter(1, at, value=False)
    assert torch.equal(seen[elsewhere], tokens[elsewhere])
    shares = [(hidden == vocabulary.special["[MASK]"]).double().mean(), (hidden == right).double().mean()]
    assert [float(each) for each in shares] == pytest.approx([0.8, 0.1], abs=0.01)
    others = hidden[(hidden != vocabulary.special["[MASK]"]) & (hidden != right)]
    assert len(others.unique()) > 250  # any token
    assert at.double().mean() == pytest.approx(19.5, abs=0.2)  # of any place


def test_special_tokens_are_hidden_after_all_others():
    corruption = Corruption(Bytes().build([]), rate=0.5)
    tokens = torch.randint(5, 261, (200, 10))
    tokens[:, 3:7] = 3
    _, at = corruption(tokens, torch.rand(3, *tokens.shape))
    assert not torch.isin(at, torch.arange(3, 7)).any()


def test_noise_of_a_window_follows_from_it_and_the_seed_alone():
    corruption = Corruption(Bytes().build([]), rate=0.3)
    tokens = torch.randint(5, 261, (30, 20))
    whole = corruption.of(tokens, 7)
    for part in (slice(0, 1), slice(11, 19)):
        assert all(torch.equal(a[part], b) for a, b in zip(whole, corruption.of(tokens[part], 7), strict=True))
    assert not torch.equal(whole[1], corruption.of(tokens, 8)[1])


# The loss


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("at_once", [1, 700, 1 << 24])
def test_the_heads_loss_and_gradients_are_those_of_whole_logits(bias, at_once, monkeypatch):
    monkeypatch.setattr("runs.task._head_loss.AT_ONCE", at_once)
    torch.manual_seed(0)
    hidden, weight, own = (torch.randn(*size, requires_grad=True) for size in ((37, 8), (101, 8), (101,)))
    targets = torch.randint(101, (37,))
    inputs = [hidden, weight, own] if bias else [hidden, weight]
    total, right = head_loss(hidden, weight, own if bias else None, targets, count=True)
    logits = hidden @ weight.T + (own if bias else 0)
    wanted = F.cross_entropy(logits, targets, reduction="sum")
    assert total.item() == pytest.approx(wanted.item(), rel=1e-6)
    assert right == (logits.argmax(1) == targets).sum()
    grads = (torch.autograd.grad(each / 3, inputs) for each in (total, wanted))
    assert all((found - each).abs().max() < 1e-5 for found, each in zip(*grads, strict=True))


def test_a_frozen_head_has_no_gradient_worked_out(monkeypatch):
    monkeypatch.setattr("runs.task._head_loss.AT_ONCE", 1)
    hidden, weight = torch.randn(5, 4, requires_grad=True), torch.randn(9, 4)
    total, _ = head_loss(hidden, weight, None, torch.arange(5))
    assert [each is None for each in total.grad_fn.saved_tensors] == [False, True, True]
    total.backward()
    assert hidden.grad is not None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        head_loss(hidden, weight.requires_grad_(), None, torch.arange(5))
    assert counter.get_total_flops() == 2 * 5 * 4 * 9  # the logits alone


@pytest.mark.parametrize("model", [BERT, GPT], ids=["masked", "causal"])
def test_what_is_measured_is_the_mean_over_all_tokens(book, model, here):
    training = built(book, model=model)
    found = _train.evaluate(training, training.dataset.test)
    split, objective = training.dataset.test, training.objective
    batch = split.batch(torch.arange(len(split)))
    module = training.module.eval()
    with torch.no_grad():
        if model is GPT:
            logits, targets = module(batch[:, :-1]), batch[:, 1:]
        else:
            seen, at = objective.corruption.of(batch[:, :-1])
            logits, targets = module(seen, at), batch[:, :-1].gather(1, at)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
    accuracy = (logits.argmax(-1) == targets).double().mean().item()
    wanted = {"loss": loss, "accuracy": accuracy}
    if model is GPT:  # each token is a byte
        wanted |= {"perplexity": math.exp(loss), "bits_per_byte": loss / math.log(2)}
    assert found == {name: pytest.approx(value, rel=1e-5) for name, value in wanted.items()}


# Block by block


def test_blocks_learn_from_the_last_to_the_first(book, go, monkeypatch):
    seen: list[tuple[int | None, set[str]]] = []
    step = "runs.task._depth_time.DepthTime.step"
    from runs.task._depth_time import DepthTime as Own

    take = Own.step

    def watched(self: Any, batch: Any, minimize: Any) -> Any:
        before = {name: each.clone() for name, each in self.network.named_parameters()}
        loss = take(self, batch, minimize)
        changed = {name for name, each in self.network.named_parameters() if not torch.equal(each, before[name])}
        seen.append((self.taken, {".".join(name.split(".")[1:3]) for name in changed}))
        return loss

    monkeypatch.setattr(step, watched)
    go("run", of=run(book, DepthTime(max_steps=9)))
    blocks = [{each for each in names if each.startswith("blocks")} for _, names in seen]
    assert blocks == [{"blocks.2"}] * 3 + [{"blocks.1"}] * 3 + [{"blocks.0"}] * 3
    others = [{each for each in names if not each.startswith("blocks")} for _, names in seen]
    assert all(others[:3])
    assert not any(others[3:])


def test_a_hybrid_learns_everything_first(book, go, left):
    found = go("run", of=run(book, Hybrid(max_steps=12, classical=0.25)))
    objective = _train.build(run(book, Hybrid(max_steps=12, classical=0.25)), Path("x"), print).objective
    assert [tuple(each) for each in objective.phases] == [(0, 3, None), (3, 6, 2), (6, 9, 1), (9, 12, 0)]
    assert found.summary["step"] == 12


def test_each_phase_goes_through_the_whole_schedule(book):
    training = built(book, training=DepthTime(max_steps=9, warmup=1), schedule=Cosine(warmup=0.1))
    once = list(Cosine(warmup=1).build(steps=3).factors)
    assert list(training.rule.factors) == once * 3


def test_noise_falls_from_the_first_block_to_the_last():
    assert DepthTime().rates(4) == [0.85, 0.65, 0.35, 0.15]
    assert DepthTime().rates(8) == [0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15]
    assert DepthTime(falls="linear").rates(4) == pytest.approx([0.9, 0.65, 0.4, 0.15])
    assert DepthTime(ratios=[0.5, 0.2]).rates(2) == [0.5, 0.2]
    assert DepthTime().rates(1) == [0.15]
    assert len(set(DepthTime().rates(24))) == 8


def test_what_is_measured_is_each_stack_on_its_own_noise(book, here):
    training = built(book, training=DepthTime(max_steps=9))
    found = _train.evaluate(training, training.dataset.test)
    batch = training.dataset.test.batch(torch.arange(len(training.dataset.test)))[:, :-1]
    objective, module = training.objective, training.module.eval()
    losses, rights = [], []
    for first, rate in enumerate([0.85, 0.45, 0.15]):
        seen, at = objective.levels[first].of(batch, objective.streams[first])
        assert at.shape[1] == round(rate * 16)
        assert (seen.gather(1, at) == 4).all()
        hidden = module.body(seen, layers=range(first, 3))
        logits, targets = module.body.logits(hidden).gather(1, at[..., None].expand(-1, -1, 261)), batch.gather(1, at)
        losses.append(F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item())
        rights.append((logits.argmax(-1) == targets).double().mean().item())
    assert found["loss"] == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert [found[f"accuracy_block_{each}"] for each in (1, 2, 3)] == pytest.approx(rights, rel=1e-5)


# To the bit, and over processes

KINDS = {
    "masked": {},
    "causal": {"model": GPT},
    "depth_time": {"training": DepthTime(max_steps=12)},
    "depth_time_decoder": {"model": GPT, "training": DepthTime(max_steps=12)},
    "hybrid": {"training": Hybrid(max_steps=12)},
    "grouped": {"model": Small(**SHAPE, attention=GroupedQuery(groups=1))},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_to_the_same_bits(kind, book, go, after_step, failed, differences):
    whole = go("whole", of=run(book, **KINDS[kind]))
    for step in (1, 4, 6) if kind == "depth_time" else (4,):  # block 2 begins after step 4
        after_step(step, lambda: signal.raise_signal(signal.SIGINT))
        failed(lambda name=f"run{step}": go(name, of=run(book, **KINDS[kind])))
        resumed = go(source=f"run{step}")
        assert differences(whole.state(), resumed.state()) == []
        assert [each for each in resumed.metrics if "validation/loss" in each] == [
            each for each in whole.metrics if "validation/loss" in each
        ]


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        *[("masked", 5), ("causal", 2), ("depth_time", 4), ("hybrid", 11)],
        *(
            pytest.param(kind, step, marks=pytest.mark.slow)
            for kind, step in (("grouped", 7), ("depth_time_decoder", 8))
        ),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bits(kind, step, book, go, after_step, forked, die, differences):
    whole = go("whole", of=run(book, **KINDS[kind], save_every=1))

    def killed() -> None:
        after_step(step, die)
        go("run", of=run(book, **KINDS[kind], save_every=1))

    assert forked(killed) == -9
    assert differences(whole.state(), go(source="run").state()) == []


@pytest.mark.parametrize("kind", ["causal", "depth_time"])
def test_two_processes_come_to_what_one_does(kind, book, go, together):
    still = {"model": (GPT if kind == "causal" else BERT).__class__(**SHAPE, dropout=0.0)}
    how = {**KINDS[kind], **still, "optim": Sgd(lr=0.1)}
    alone = go("alone", of=run(book, **how)).state()["module"]
    both = together(2, "both", of=run(book, **how)).state()["module"]
    assert all((both[name] - each).abs().max() < 2e-6 for name, each in alone.items())


# Every value acts


@pytest.mark.parametrize("training", [Classical, DepthTime, Hybrid])
def test_every_value_of_a_training_changes_what_it_says(training, book):
    node = training(max_steps=24, batch_size=4, learning_rate=0.02, warmup=3, weight_decay=0.3)
    made = compose(Language(model=BERT, data=File(path=book, length=16, tokenizer=Bytes()), training=node))
    found = _train.build(made, Path("run"), print)
    assert (found.steps, found.batch) == (24, 4)
    assert set(found.bases) == {0.02}
    groups = found.optimizer.param_groups
    decays = [(group["weight_decay"], min(each.ndim for each in group["params"])) for group in groups]
    assert decays == [(0.3, 2), (0.0, 1)]
    assert list(found.rule.factors)[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    usual = _train.build(run(book, training(max_steps=24)), Path("run"), print)
    assert (usual.batch, set(usual.bases)) == (8, {5e-4})
    assert [group["weight_decay"] for group in usual.optimizer.param_groups] == [0.1, 0.0]


def test_what_a_schedule_or_an_optimiser_lacks_is_refused(book, here):
    def said(**how: Any) -> str:
        with pytest.raises(UserError) as caught:
            built(book, **how)
        return str(caught.value)

    assert said(training=Classical(warmup=3), schedule=Constant()) == (
        "training.warmup is 3, and schedule: Constant has none\n  nearest: schedule=cosine, schedule=trapezoid"
    )
    assert said(training=DepthTime(max_steps=2)) == (
        "training: 2 steps are too few for 3 blocks, each of which learns by itself\n  nearest: training.max_steps=3"
    )
    assert said(training=DepthTime(ratios=[0.5])) == (
        "training.ratios has 1 numbers, and the model 3 blocks\n"
        "  write: one for each block, or training.ratios=[] for the usual ones"
    )
    assert said(training=DepthTime(max_steps=9), schedule=Plateau()) == (
        "schedule: Plateau follows the loss of a run, and here each block has its own\n  nearest: schedule=cosine"
    )


@pytest.mark.parametrize(
    ("cls", "values", "what"),
    [
        (Classical, {"max_steps": 0}, "Classical.max_steps is int >= 1, not 0"),
        (Classical, {"batch_size": 0}, "Classical.batch_size is int >= 1 | None, not 0"),
        (Classical, {"learning_rate": -1.0}, "Classical.learning_rate is float >= 0 | None, not -1.0"),
        (Classical, {"warmup": 1.5}, "Classical.warmup is int >= 0 | 0 <= float < 1 | None, not 1.5"),
        (DepthTime, {"ratios": [0.5, 0.7]}, "ratios is [0.5, 0.7], and none may be above the one before it"),
        (DepthTime, {"ratios": [1.5]}, "DepthTime.ratios is list[0 < float <= 1], not [1.5]"),
        (DepthTime, {"classical": 1.0}, "DepthTime.classical is 0 <= float < 1, not 1.0"),
        (Task, {"rate": 0.0}, "Language.rate is 0 < float <= 1, not 0.0"),
    ],
)
def test_a_value_out_of_range_is_refused(cls, values, what):
    with pytest.raises((ValueError, UserError)) as error:
        cls(**values).check()
    assert str(error.value).split("\n")[0] == what


LACKS = "task: Language needs text, and Digits holds images, classes\n  nearest: task=classify, task=distil, task=gan, "


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run=language", "data=digits"], LACKS),
        (["task=language"], LACKS),
        (
            ["run=language", "task=classify"],
            "task: Classify needs classes, and Python holds tokens, text\n  nearest: task=language",
        ),
        (
            ["run=language", "model=vit"],
            "model: ViT needs images, and Python holds tokens, text\n"
            "  nearest: model=decoder/gpt2_family/medium, model=decoder/gpt2_family/small, model=encoder/",
        ),
        (
            ["run=language", "model=mlp"],
            "model: Mlp reads no tokens, and Python holds tokens, text\n  nearest: model=decoder/",
        ),
        (["model=encoder/bert_family/tiny"], "model: Tiny needs tokens, and Digits holds images, classes\n  nearest: "),
        (["run=language", "training=depthtime"], "training=depthtime: no training is called 'depthtime'\n"),
        (
            ["run=language", "model=encoder/bert_family/base", "model.d_model=512"],
            "model: d_model=512 does not divide by heads=12: the nearest that do are d_model=504 and d_model=516\n",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_those_that_do(words, said):
    with pytest.raises(UserError) as caught:
        compose(Run, words)
    assert str(caught.value).startswith(said)


# The same operations


def counted(action: Any) -> float:
    """The operations that torch counts while the action runs, for each token of 8 windows of 16."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops() / (8 * 16)


@pytest.mark.parametrize("model", [BERT, GPT, Tiny(**SHAPE, attention=GroupedQuery(groups=1))])
@pytest.mark.parametrize("kind", [Classical, DepthTime])
def test_operations_are_those_that_torch_counts(model, kind, book, here):
    training = built(book, model=model, training=kind(max_steps=9))
    batch = training.dataset.train.batch(torch.arange(8))
    own = flops(model, 16, training.dataset.vocabulary.size)
    objective, parameters = training.objective, list(training.module.parameters())

    def minimize(loss: torch.Tensor, name: str = "") -> None:
        loss.backward(inputs=[each for each in parameters if each.requires_grad])

    if kind is Classical:
        hidden = 1.0 if model is GPT else round(0.15 * 16) / 16
        found = counted(lambda: objective.loss(training.module, batch).backward())
        assert found == pytest.approx(classical(own, 3, hidden), rel=1e-9)
        return
    rates = [round(each * 16) / 16 for each in (0.85, 0.45, 0.15)]
    for first, wanted in enumerate(depth_time(own, rates)):
        objective.taken = 3 * (2 - first)
        assert counted(lambda: objective.step(batch, minimize)) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("kind", [DepthTime, Hybrid])
def test_the_same_operations_are_more_steps_block_by_block(kind):
    own = flops(Tiny(), 128, 30522)
    node = kind(max_steps=1000, counts="flops", seed=1)
    steps = node.steps(Tiny(), length=128, rate=0.15)
    phases = node.phases(Tiny(), length=128, rate=0.15, steps=steps)
    each = depth_time(own, node.rates(4))
    spent = sum(
        (phase.stop - phase.start) * (classical(own, 4, 0.15) if phase.first is None else each[phase.first])
        for phase in phases
    )
    assert spent / (1000 * classical(own, 4, 0.15)) == pytest.approx(1, rel=2e-3)
    assert steps > 1000


@pytest.mark.parametrize("rate", [0.125, 0.5, 1.0])
def test_a_budget_of_operations_counts_the_tasks_rate(rate, book, here):
    model, ratios = Tiny(**SHAPE | {"vocabulary": 261}), [0.75, 0.5, 0.25]
    node, task = DepthTime(max_steps=2000, ratios=ratios), Task(rate=rate)
    wanted = built(book, model=model, task=task)
    batch = wanted.dataset.train.batch(torch.arange(8))
    assert wanted.dataset.vocabulary.size == 261
    whole = counted(lambda: wanted.objective.loss(wanted.module, batch).backward())
    assert whole == pytest.approx(classical(flops(model, 16, 261), 3, rate), rel=1e-9)
    training = built(book, model=model, task=task, training=node, budget="flops")
    objective, parameters = training.objective, list(training.module.parameters())

    def minimize(loss: torch.Tensor, name: str = "") -> None:
        loss.backward(inputs=[each for each in parameters if each.requires_grad])

    spent = 0.0
    for phase in objective.phases:
        objective.taken = phase.start
        spent += (phase.stop - phase.start) * counted(lambda: objective.step(batch, minimize))
    assert spent / (2000 * whole) == pytest.approx(1, rel=1e-3)


def test_the_phases_of_a_hybrid_count_the_tasks_rate_too(book, here):
    model = Tiny(**SHAPE | {"vocabulary": 261})
    parts: dict[str, Any] = {"model": model, "training": Hybrid(max_steps=600), "budget": "flops"}
    light, heavy = (built(book, task=Task(rate=rate), **parts) for rate in (0.15, 0.9))
    assert light.steps < heavy.steps
    assert [each.objective.phases[0].stop for each in (light, heavy)] == [300, 300]
    assert [each.objective.phases[-1].stop for each in (light, heavy)] == [light.steps, heavy.steps]


def test_operations_need_to_know_the_vocabulary():
    with pytest.raises(UserError) as caught:
        DepthTime(counts="flops", seed=1).steps(BERT, length=16, rate=0.15)
    assert str(caught.value) == (
        "training.counts=flops must know how many tokens the model's head predicts\n  write: model.vocabulary=NUMBER"
    )


# To read


def test_a_decoder_goes_on_from_a_beginning(book, here):
    training = built(book, model=GPT)
    training.module.eval()
    with torch.no_grad():
        batch = training.dataset.validation.batch(torch.arange(2))
        text = training.objective.show(training.module, batch)
        assert text == training.objective.show(training.module, batch)
    begun, made = text.split("|", 1)
    assert begun == training.dataset.vocabulary.decode(batch[0, :2].tolist())
    assert len(made) > 50


def test_an_encoder_shows_what_it_puts_in(book, here):
    training = built(book)
    training.module.eval()
    with torch.no_grad():
        batch = training.dataset.validation.batch(torch.arange(2))
        text = training.objective.show(training.module, batch)
    assert text.count("[") == round(0.15 * 16)


def test_a_text_is_made_from_nothing_by_one_stack_after_another(book, here, monkeypatch):
    training = built(book, training=DepthTime(max_steps=9))
    training.module.eval()
    stacks: list[tuple[range, int]] = []

    def network(tokens: Any, at: Any, targets: Any, layers: range) -> Any:
        stacks.append((layers, int((tokens == 4).sum())))
        return training.module(tokens, at, targets, layers)

    with torch.no_grad():
        text = training.objective.show(network, training.dataset.validation.batch(torch.arange(1)))
    assert stacks == [(range(3), 16), (range(1, 3), round(0.45 * 16)), (range(2, 3), round(0.15 * 16))]
    assert len(text.encode("utf-8", "replace")) >= 16


def test_samples_are_in_the_folder_and_the_log(book, go):
    left = go("run", of=run(book, model=GPT, callbacks={"predictions": Predictions()}))
    texts = sorted((left.folder / "predictions").iterdir())
    assert [each.name for each in texts] == ["000006.txt", "000012.txt"]
    assert "|" in texts[0].read_text()


def test_a_model_learns_the_text(book, go):
    more = {"optim": AdamW(lr=3e-3), "model": Small(**SHAPE, dropout=0.0)}
    left = go("run", of=run(book, Classical(max_steps=150), validate_steps=75, **more))
    first, last = (each["validation/loss"] for each in left.metrics if "validation/loss" in each)
    assert last < first < math.log(261)
    assert left.summary["test/loss"] < 2.2


def test_a_run_whose_text_has_other_tokens_now_is_not_resumed_nor_tested(go, failed, here, left):
    """The shapes and the steps of an epoch are the same, and the numbers of the tokens are not."""
    (here / "a.txt").write_text("bcdefgh ijkl\n" * 200)
    data = File(path=here / "a.txt", length=8, batch_size=16)
    model = Tiny(**SHAPE | {"vocabulary": 64})
    go("run", of=compose(Language(model=model, data=data, training=Classical(max_steps=1))))
    before = left(Path("run")).files()
    (here / "a.txt").write_text("bcdefgh ijkl\n" * 100 + "acdefgh ijkl\n" * 100)
    for words, name in (((), "last.pt"), (("mode=eval",), "best.pt")):
        error = failed(lambda words=words: go("run", *words, source="run"))
        assert str(error).splitlines()[:3] == [
            f"run/{name} does not fit the run in run",
            "  its embeddings are those of other tokens than the data have",
            "  it came from another run, or the code or the data of this one have changed",
        ]
        anew = f"python train.py --from run init=run/{name} data/tokenizer=file data.tokenizer.path=run/tokenizer.json"
        assert str(error).splitlines()[3] == f"  to begin a new run from it: {anew}"
    assert left(Path("run")).files()["tokenizer.json"] == before["tokenizer.json"]
    words = ("init=run/last.pt", "data/tokenizer=file", "data.tokenizer.path=run/tokenizer.json", "folder=new")
    go("new", *words, source="run")


def test_weights_for_other_tokens_are_refused(go, failed, here):
    (here / "a.txt").write_text("abcdefgh ijkl\n" * 200)
    (here / "b.txt").write_text("mnopabc defgh\n" * 200)

    def of(path: str, **more: Any) -> Language:
        data = File(path=here / path, length=8, batch_size=16)
        return Language(model=Tiny(**SHAPE | {"vocabulary": 64}), data=data, training=Classical(max_steps=1), **more)

    go("first", of=compose(of("a.txt")))
    error = failed(lambda: go("other", of=compose(of("b.txt", init=Path("first")))))
    assert str(error) == (
        "init=first: its embeddings are those of other tokens than the data have\n"
        "  write: data/tokenizer=file data.tokenizer.path=first/tokenizer.json"
    )
    assert go("again", of=compose(of("a.txt", init=Path("first")))).log.startswith("begins from first/best.pt: ")
