"""Labels and scores of sentences: the metrics beside other libraries', and runs that are stopped, killed and shared."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as theirs

import cn
from cn import UserError
from data.glue import Cola, Glue, Mnli, Rte, Stsb
from data.text.python import Python
from data.tokenizer.bytes import Bytes
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.tiny import Tiny
from models.fcn import Fcn
from runs import Run, _train
from runs.default import Default
from runs.glue import Glue as Tuning
from runs.optim.adamw import AdamW
from runs.task import _sentence as ours
from runs.task.classify import Classify
from runs.task.sentence import Sentence
from tests.data.sentences import write

SIZES = {"d_model": 16, "heads": 2, "layers": 2, "feed_forward": 24, "vocabulary": None, "dropout": 0.1}
BERT, GPT = Tiny(**SIZES), Small(**SIZES)


def run(root: Path, node: type[Glue] = Cola, **more: Any) -> Run:
    data = node(root=root, tokenizer=Bytes(), batch_size=8, length=48, validation=0.2)
    parts = {"model": BERT, "data": data, "optim": AdamW(lr=3e-3), "epochs": 3, "log_every": 2}
    return cn.compose(Tuning(**{**parts, **more}))


def calm(root: Path, node: type[Glue] = Cola, **more: Any) -> Run:
    """The same without random numbers, which differ between processes."""
    still = type(BERT)(**{**SIZES, "dropout": 0.0})
    return run(root, node, model=still, task=Sentence(dropout=0.0), **more)


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("glue")
    for node in (Cola, Rte, Stsb, Mnli):
        write(root, node)
    return root


def confused(labels: np.ndarray, chosen: np.ndarray, classes: int) -> torch.Tensor:
    return torch.from_numpy(theirs.confusion_matrix(labels, chosen, labels=range(classes))).double()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("chosen", ["random", "right", "one"])
def test_metrics_of_classes_are_scikit_learns(classes: int, chosen: str) -> None:
    draw = np.random.default_rng(classes)
    labels = draw.integers(0, classes, 101)
    found = {"random": draw.integers(0, classes, 101), "right": labels, "one": np.zeros(101, int)}[chosen]
    counts = confused(labels, found, classes)
    assert float(ours.accuracy(counts)) == pytest.approx(theirs.accuracy_score(labels, found), abs=1e-12)
    assert float(ours.matthews(counts)) == pytest.approx(theirs.matthews_corrcoef(labels, found), abs=1e-12)
    if classes == 2:
        wanted = theirs.f1_score(labels, found, zero_division=0)
        assert float(ours.f1(counts)) == pytest.approx(wanted, abs=1e-12)


def test_metrics_of_numbers_are_scipys_with_equal_numbers_too() -> None:
    draw = np.random.default_rng(1)
    for a, b in (
        (draw.normal(size=97), draw.normal(size=97)),
        (draw.integers(0, 6, 97) / 2, draw.integers(0, 6, 97) * 1e3 + 1e7),
    ):
        given, wanted = torch.from_numpy(a), torch.from_numpy(b)
        assert float(ours.pearson(given, wanted)) == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-10)
        assert float(ours.spearman(given, wanted)) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-10)
    constant = torch.full((5,), 0.1, dtype=torch.float64)
    assert (float(ours.pearson(constant, constant)), float(ours.spearman(constant, given[:5]))) == (0.0, 0.0)


def judged(training: Any) -> tuple[np.ndarray, np.ndarray]:
    """What the network gives for each row of the test part, row by row and so without padding, and what is right."""
    split = training.dataset.test
    training.module.eval()
    rows = [split.batch(torch.tensor([each])) for each in range(len(split))]
    with torch.no_grad():
        found = [training.module(each["tokens"], each["kinds"], each["visible"]) for each in rows]
    return torch.cat(found).numpy(), split.labels.numpy()


@pytest.mark.parametrize("node", [Cola, Rte, Stsb])
@pytest.mark.parametrize("model", [BERT, GPT], ids=["encoder", "decoder"])
def test_a_test_measures_each_row_once_in_uneven_batches(node: Any, model: Any, files: Path, here: Path) -> None:
    training = _train.build(run(files, node, model=model, validate_batch=8), Path("run"), print)
    with torch.no_grad():  # so that the choices are mixed
        training.module.head.weight.mul_(200)
    found = _train.evaluate(training, training.dataset.test)
    given, labels = judged(training)
    if node is Stsb:
        wanted = {
            "loss": np.square(given[:, 0].astype(float) - labels).mean(),
            "pearson": stats.pearsonr(given[:, 0], labels).statistic,
            "spearman": stats.spearmanr(given[:, 0], labels).statistic,
        }
    else:
        chosen = given.argmax(axis=1)
        wanted = {"loss": torch.nn.functional.cross_entropy(*map(torch.from_numpy, (given, labels))).item()}
        wanted |= {"matthews": theirs.matthews_corrcoef(labels, chosen)} if node is Cola else {}
        wanted |= {"accuracy": theirs.accuracy_score(labels, chosen)}
    assert found == {name: pytest.approx(value, rel=1e-4, abs=1e-4) for name, value in wanted.items()}
    assert list(found) == list(wanted)


def test_what_is_beside_a_row_in_its_batch_does_not_change_it(files: Path, here: Path) -> None:
    for model in (BERT, GPT):
        training = _train.build(run(files, model=model), Path("run"), print)
        split = training.dataset.test
        batch = split.batch(torch.arange(len(split)))
        with torch.no_grad():
            training.module.eval()
            together = training.module(batch["tokens"], batch["kinds"], batch["visible"])
        assert together.numpy() == pytest.approx(judged(training)[0], abs=1e-6)


def test_two_processes_measure_what_one_does(here: Path, files: Path, ranks: Any) -> None:
    def measured(own: Any = None) -> dict[str, float]:
        found: dict[str, float] = {}
        for node in (Cola, Stsb):
            how = run(files, node, validate_batch=5)
            training = _train.build(how, Path("run"), print, *([] if own is None else [own]))
            training.module.double()  # untrained, it gives each row nearly one number
            found |= _train.evaluate(training, training.dataset.test)
        return found

    def measure() -> None:
        from runs._processes.rendezvous import joined

        with joined(cuda=False) as own:
            Path(f"rank{own.rank}.json").write_text(json.dumps(measured(own)))

    assert ranks(2, measure) == [0, 0]
    both = [json.loads(Path(f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert both[0] == both[1] == {name: pytest.approx(value, abs=2e-6) for name, value in measured().items()}


@pytest.mark.parametrize("node", [Rte, Stsb])
def test_two_processes_train_what_one_does(node: Any, files: Path, go: Any, together: Any) -> None:
    alone = go("alone", of=calm(files, node, epochs=1))
    both = together(2, "both", of=calm(files, node, epochs=1))
    assert (alone.weights() - both.weights()).abs().max() < 2e-6
    assert both.summary["test/loss"] == pytest.approx(alone.summary["test/loss"], abs=2e-6)


def test_it_learns_what_is_in_a_sentence(files: Path, go: Any) -> None:
    write(files, Rte, train=400, test=99)
    left = go("run", of=calm(files, Rte, epochs=4))
    assert left.summary["test/accuracy"] > 0.8  # 0.6 is the larger class
    assert left.summary["goal"] == "maximize validation/accuracy"


@pytest.mark.parametrize("step", [1, 7, 12])
def test_a_stopped_run_goes_on_to_the_same_bits(
    step: int, files: Path, go: Any, after_step: Any, failed: Any, differences: Any
) -> None:
    whole = go("whole", of=run(files))
    after_step(step, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", of=run(files)))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics


def test_a_killed_run_goes_on_to_the_same_bits(
    files: Path, go: Any, after_step: Any, forked: Any, die: Any, differences: Any
) -> None:
    whole = go("whole", of=run(files, Stsb, save_every=1))

    def killed() -> None:
        after_step(9, die)
        go("run", of=run(files, Stsb, save_every=1))

    assert forked(killed) == -signal.SIGKILL
    assert differences(whole.state(), go(source="run").state()) == []


def test_a_test_measures_further_files_by_their_name(files: Path, go: Any) -> None:
    left = go("run", of=run(files, Mnli, epochs=1))
    tested = [name for name in left.summary if name.startswith("test/")]
    assert tested == ["test/loss", "test/accuracy", "test/mismatched_loss", "test/mismatched_accuracy"]
    training = _train.build(run(files, Mnli, epochs=1), Path("again"), print)
    training.module.load_state_dict(left.state("best.pt")["module"])
    found = _train.evaluate(training, training.dataset.others["mismatched"])
    assert left.summary["test/mismatched_accuracy"] == found["accuracy"]


def test_the_body_begins_from_that_of_another_run(files: Path, go: Any) -> None:
    first = go("first", of=run(files, epochs=1))
    training = _train.build(run(files, Stsb, init=Path("first")), Path("run"), print, begins=True)
    body = {name: each for name, each in training.module.state_dict().items() if name.startswith("body.")}
    before = first.state("best.pt")["module"]
    assert all(torch.equal(each, before[name]) for name, each in body.items())


def test_what_only_the_language_models_own_head_reads_is_not_trained(files: Path, here: Path) -> None:
    for model, still in ((BERT, {"transform.0", "transform.2", "head_bias"}), (GPT, set[str]())):
        body = _train.build(run(files, model=model), Path("run"), print).module.body
        frozen = {name for name, each in body.named_parameters() if not each.requires_grad}
        assert {name.removesuffix(".weight").removesuffix(".bias") for name in frozen} == still


@pytest.mark.parametrize(
    ("node", "metrics"),
    [(Cola, ["matthews", "accuracy"]), (Rte, ["accuracy"]), (Stsb, ["pearson", "spearman"])],
)
def test_the_goal_is_the_data_sets_metric_unless_another_is_asked_for(
    node: Any, metrics: list[str], files: Path
) -> None:
    composed = run(files, node)
    assert composed.task.metrics == metrics
    assert [each.name for each in composed.task.goal()] == [f"validation/{each}" for each in (*metrics, "loss")]
    asked = cn.compose(run(files, node), ["task.metrics=[f1]"])
    assert str(asked.task.goal()[0].name) == "validation/f1"


def refused(how: Run) -> str:
    with pytest.raises(UserError) as caught:
        _train.build(how, Path("run"), print)
    return str(caught.value)


def test_a_metric_that_the_data_do_not_have_is_refused(files: Path) -> None:
    assert refused(run(files, Cola, task=Sentence(metrics=["accuracy", "pearson"]))) == (
        "task.metrics has pearson, which is no metric of 2 classes\n  nearest: task.metrics=[accuracy]"
    )
    assert refused(run(files, Stsb, task=Sentence(metrics=["f1", "accuracy"]))) == (
        "task.metrics has f1, accuracy, which is no metric of numbers\n  nearest: task.metrics=[pearson]"
    )
    assert refused(run(files, Mnli, task=Sentence(metrics=["f1"]))) == (
        "task.metrics has f1, which is no metric of 3 classes\n  nearest: task.metrics=[accuracy]"
    )


@pytest.mark.parametrize(("field", "value"), [("dropout", 1.0), ("metrics", [])])
def test_a_field_out_of_range_is_refused(field: str, value: Any) -> None:
    messages = {
        "dropout": "Sentence.dropout is 0 <= float < 1, not 1.0",
        "metrics": "Sentence.metrics is list[one of 'accuracy', 'f1', 'matthews', 'pearson', 'spearman'] "
        "with length >= 1, not []",
    }
    with pytest.raises(UserError) as caught:
        Sentence(**{field: value})
    assert str(caught.value).split("\n")[0] == messages[field]


def test_a_vocabulary_without_special_tokens_is_for_decoders(
    files: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Bytes().build([])
    bare.special = {"[UNK]": 1}
    monkeypatch.setattr(Bytes, "build", lambda *_: bare)
    assert refused(run(files)) == (
        "data.tokenizer: its 261 tokens lack [CLS], which this task needs\n"
        "  nearest: data/tokenizer=wordpiece, whose vocabulary is learnt from the text"
    )
    training = _train.build(run(files, Rte, model=GPT), Path("run"), print)
    assert _train.evaluate(training, training.dataset.test)["loss"] < 2


def test_parts_that_do_not_fit_are_refused_before_anything_is_read(files: Path) -> None:
    models = "nearest: model=decoder/gpt2_family/medium, model=decoder/gpt2_family/small, "
    models += "model=encoder/bert_family/base, model=encoder/bert_family/large"
    for how, what in (
        (Tuning(data=Python()), ["task: Sentence needs classes or targets, and Python holds tokens, text"]),
        (Tuning(model=Fcn()), ["model: Fcn reads no tokens, and Cola holds tokens, classes", models]),
        (
            Default(data=Cola(root=files)),
            ["model: Fcn reads no tokens, and Cola holds tokens, classes", "task=sentence"],
        ),
        (Tuning(task=Classify()), ["model: Tiny gives tokens, and Classify takes numbers", "task=sentence"]),
        (Default(model=BERT), ["model: Tiny needs tokens, and Digits holds images, classes"]),
    ):
        with pytest.raises(UserError) as caught:
            cn.compose(how)
        found = [each.strip().removeprefix("nearest: ") for each in str(caught.value).split("\n")]
        assert found[: len(what)] == [each.removeprefix("nearest: ") for each in what]
