"""What a language model is measured on besides its test: a window that slides, and tasks of GLUE."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap

from cn import RunError, UserError, compose, load
from data.glue import Cola, Mnli, Mrpc, Rte, Stsb
from data.text.file import File
from data.tokenizer.bytes import Bytes
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.tiny import Tiny
from runs import _train
from runs.benchmark._resampled import SEED, interval, resampled
from runs.benchmark.nlg._lambada import Passage, _predicted
from runs.benchmark.nlg._lambada import batches as batches_of_passages
from runs.benchmark.nlg._language_modeling import batches
from runs.benchmark.nlg.lambada import Lambada
from runs.benchmark.nlg.language_modeling import LanguageModeling
from runs.benchmark.nlu.glue import Glue
from runs.language import Language
from runs.logger._facts import CODE
from runs.task._sentence import Classes, Numbers
from runs.training.classical import Classical
from tests.data.sentences import write

SHAPE: dict[str, Any] = {"d_model": 16, "heads": 2, "layers": 1, "feed_forward": 24, "vocabulary": None, "dropout": 0.0}
LINE = "the cat sat on the mat and the dog sat on the cat while a hat was on the mat\n"


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "book.txt"
    path.write_text(LINE * 60)
    return path


def run(book: Path, *, length: int = 16, model: Any = None, **more: Any) -> Language:
    data = File(path=book, length=length, batch_size=8, tokenizer=Bytes())
    parts = {"model": model or Small(**SHAPE, length=length), "data": data, "training": Classical(max_steps=4)}
    return compose(Language(**{**parts, "validate_steps": 4, **more}))


@pytest.mark.parametrize(
    ("tokens", "length", "stride"), [(100, 16, 4), (17, 16, 16), (5, 16, 3), (101, 10, 10), (64, 8, 1)]
)
def test_each_token_is_predicted_once_from_as_many_before_it_as_fit(tokens: int, length: int, stride: int) -> None:
    windows = [each for batch in batches(tokens, length, stride) for each in batch]
    assert [place for each in windows for place in range(each.first, each.stop)] == list(range(1, tokens))
    assert all(each.stop - each.start <= length + 1 for each in windows)
    assert all(each.first - each.start >= min(length - stride + 1, each.first) for each in windows)
    assert all(len({each.stop - each.first for each in batch}) == 1 for batch in batches(tokens, length, stride))


def test_a_text_that_fits_one_window_has_its_exact_perplexity(tmp_path: Path, go: Any) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for name, lines in (("train", 20), ("validation", 2), ("test", 2)):
        (parts / f"{name}.txt").write_text(LINE * lines)
    length = 2 * len(LINE) - 1
    left = go("run", of=run(parts, length=length, benchmark=LanguageModeling(stride=7)))
    training = _train.build(run(parts, length=length), Path("x"), print)
    numbers = training.dataset.test.tokens.numbers
    assert len(numbers) == length + 1
    training.module.load_state_dict(left.state("best.pt")["module"])
    tokens = torch.from_numpy(numbers[None].astype("int64"))
    with torch.no_grad():
        loss = training.module.eval()(tokens[:, :-1], None, tokens[:, 1:]) / (len(numbers) - 1)
    assert left.summary["test/sliding_perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)


def test_a_benchmark_leaves_json_and_a_table(book: Path, go: Any) -> None:
    left = go("run", of=run(book, benchmark=LanguageModeling(stride=4)))
    found = json.loads((left.folder / "benchmark/language_modeling.json").read_text())
    table = (left.folder / "benchmark/language_modeling.md").read_text().splitlines()
    assert found["perplexity"] == left.summary["test/sliding_perplexity"]
    assert found["bits_per_byte"] == pytest.approx(math.log2(found["perplexity"]) * found["tokens"] / found["bytes"])
    intervals = found["intervals"]
    low, high = intervals["measures"]["sliding_perplexity"]
    assert low < found["perplexity"] < high
    assert [intervals[key] for key in ("method", "level", "resamples", "of")] == [
        *("percentile bootstrap", 0.95, 1000, "windows"),
    ]
    assert table[2:5] == [
        "| model | perplexity | 95 % | bits per byte |",
        "| --- | --- | --- | --- |",
        "| this run: File, test text, window 16, stride 4 | "
        f"{found['perplexity']:.2f} | {low:.2f} to {high:.2f} | {found['bits_per_byte']:.4f} |",
    ]
    assert table[-1] == "95 %: percentile bootstrap, 1000 resamples of the windows"
    assert "published: GPT-2 117M, WikiText-2, zero-shot" in table[5]
    before = {each: each.stat().st_mtime_ns for each in left.folder.rglob("*")}
    go("other", "mode=eval", source="run")
    assert {each: each.stat().st_mtime_ns for each in left.folder.rglob("*")} == before


def test_two_processes_measure_what_one_does(book: Path, go: Any, together: Any) -> None:
    alone = go("alone", of=run(book, benchmark=LanguageModeling(stride=3))).summary
    both = together(2, "both", of=run(book, benchmark=LanguageModeling(stride=3))).summary
    assert both["test/sliding_perplexity"] == pytest.approx(alone["test/sliding_perplexity"], rel=1e-5)


def test_what_a_benchmark_cannot_measure_is_refused(book: Path, go: Any) -> None:
    with pytest.raises(UserError) as caught:
        run(book, model=Tiny(**SHAPE, length=16), benchmark=LanguageModeling())
    assert str(caught.value).splitlines()[:2] == [
        "benchmark: LanguageModeling measures decoders, and Tiny is none",
        "  nearest: model=decoder/gpt2_family/small",
    ]
    with pytest.raises(UserError) as caught:
        go("run", of=run(book, benchmark=LanguageModeling(stride=17)))
    assert str(caught.value) == (
        "benchmark.stride is 17, longer than a window of 16 tokens\n  nearest: benchmark.stride=16"
    )


GLUE: dict[str, Any] = {"tasks": ["rte", "cola"], "epochs": 1, "batch_size": 8, "length": 16}


def test_each_task_of_glue_is_a_run_in_the_folder_of_the_benchmark(book: Path, go: Any, tmp_path: Path) -> None:
    for task in (Rte, Cola):
        write(tmp_path / "glue", task)
    node = Glue(root=tmp_path / "glue", **GLUE)
    left = go("run", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=node))
    found = json.loads((left.folder / "benchmark/glue.json").read_text())["tasks"]
    assert {task: list(own) for task, own in found.items()} == {"rte": ["accuracy"], "cola": ["matthews", "accuracy"]}
    assert left.summary["test/glue_rte_accuracy"] == found["rte"]["accuracy"]
    log = (left.folder / "benchmark/rte/log.txt").read_text()
    assert "begins from" in log
    assert "new: pooler.weight" in log
    table = (left.folder / "benchmark/glue.md").read_text()
    within = json.loads((left.folder / "benchmark/glue.json").read_text())["intervals"]["measures"]
    for task, name, published in (("rte", "accuracy", 66.4), ("cola", "matthews", 52.1)):
        low, high = within[f"glue_{task}_{name}"]
        assert low <= found[task][name] <= high
        shown = f"{100 * found[task][name]:.1f} | {100 * low:.1f} to {100 * high:.1f} | {published}"
        assert f"| {task} | {name} | {shown} |" in table


def test_tasks_of_glue_are_shared_out_over_processes(book: Path, go: Any, together: Any, tmp_path: Path) -> None:
    for task in (Rte, Cola):
        write(tmp_path / "glue", task)
    node = Glue(root=tmp_path / "glue", **GLUE)
    both = together(2, "both", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=node))
    trained = {task: both.folder / "benchmark" / task for task in ("rte", "cola")}
    assert all("processes" not in json.loads((each / "summary.json").read_text()) for each in trained.values())
    text = (both.folder / "benchmark/glue.json").read_text()
    assert list(json.loads(text)["tasks"]) == ["rte", "cola"]
    told = [both.summary[f"test/glue_{name}"] for name in ("rte_accuracy", "cola_matthews", "cola_accuracy")]
    for each in trained.values():  # one process comes to the same, with the same weights
        shutil.rmtree(each)
    (both.folder / "summary.json").write_text(json.dumps(both.summary | {"state": "failed"}))
    alone = go(source="both").summary
    assert [alone[f"test/glue_{name}"] for name in ("rte_accuracy", "cola_matthews", "cola_accuracy")] == told
    assert json.loads((both.folder / "benchmark/glue.json").read_text())["tasks"] == json.loads(text)["tasks"]


@pytest.mark.slow
@pytest.mark.long
def test_a_run_killed_during_a_task_of_glue_goes_on_to_the_same_bits(
    book: Path, go: Any, left: Any, forked: Any, differences: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in (Rte, Cola):
        write(tmp_path / "glue", task)
    node = Glue(root=tmp_path / "glue", **GLUE)
    whole = go("whole", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=node))

    def killed() -> None:
        def kill() -> None:
            begun = Path("run/benchmark/cola/summary.json")
            while not begun.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()
        go("run", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=node))

    assert forked(killed) == -signal.SIGKILL
    first = Path("run/benchmark/rte/summary.json")
    before = first.stat().st_mtime_ns
    resumed = go(source="run")
    assert first.stat().st_mtime_ns == before  # it had finished, and is not run again
    assert differences(whole.state(), resumed.state()) == []
    for task in ("rte", "cola"):
        mine, theirs = (left(each.folder / "benchmark" / task).state() for each in (whole, resumed))
        assert differences(mine, theirs) == []
    found = [json.loads((each.folder / "benchmark/glue.json").read_text())["tasks"] for each in (whole, resumed)]
    assert found[0] == found[1]


def test_a_task_of_glue_that_fails_is_named(book: Path, go: Any, tmp_path: Path) -> None:
    for task in (Rte, Cola):
        write(tmp_path / "glue", task)
    damaged = tmp_path / "glue/RTE/train.tsv"
    damaged.write_text("no table of RTE\n")
    with pytest.raises(RunError) as caught:
        go("run", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=Glue(root=tmp_path / "glue", **GLUE)))
    assert str(caught.value).startswith("benchmark: the run of rte failed\n  ")
    assert str(damaged) in str(caught.value)


def test_processes_do_not_wait_for_one_whose_task_of_glue_failed(book: Path, go: Any, ranks: Any, tmp_path: Path):
    for task in (Rte, Cola):
        write(tmp_path / "glue", task)
    (tmp_path / "glue/CoLA/train.tsv").write_text("x\n")  # of the second process
    node = Glue(root=tmp_path / "glue", **GLUE)
    assert ranks(2, lambda: go("run", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=node))) == [1, 1]
    assert "benchmark: the run of cola failed" in Path("run/log.txt").read_text()


# Intervals


def test_resamples_and_their_interval_are_those_of_scipy() -> None:
    values = np.random.default_rng(3).normal(size=23)
    found = resampled(23, lambda index: {"mean": float(values[index].mean())}, examples=[b""], resamples=200)["mean"]
    wanted = bootstrap(
        (values,), np.mean, n_resamples=200, confidence_level=0.95, method="percentile", rng=np.random.default_rng(SEED)
    )
    assert found.values == pytest.approx(wanted.bootstrap_distribution, rel=1e-12)
    assert found.interval == pytest.approx(tuple(wanted.confidence_interval), rel=1e-12)


def test_a_difference_is_resampled_in_pairs_as_scipy_does() -> None:
    a, b = np.random.default_rng(4).normal(size=(2, 31))
    b += a  # so that pairs differ much less than the two do
    one, other = (
        resampled(31, lambda index, own=own: {"mean": float(own[index].mean())}, examples=[b""], resamples=150)["mean"]
        for own in (a, b)
    )
    wanted = bootstrap(
        (a, b),
        lambda first, second, axis: second.mean(axis=axis) - first.mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=150,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    found = interval([second - first for first, second in zip(one.values, other.values, strict=True)])
    assert found == pytest.approx(tuple(wanted.confidence_interval), rel=1e-9)


@pytest.mark.parametrize("task", [Rte, Cola, Stsb, Mrpc, Mnli])
def test_scores_of_all_rows_are_those_of_the_sums(task: Any) -> None:
    metrics, classes = task._metrics, len(task().layout().classes)
    torch.manual_seed(0)
    labels = torch.randint(classes, (50,)) if classes else torch.randn(50)
    outputs = torch.randn(50, classes or 1)
    objective: Any = (
        Classes(torch.nn.Identity(), classes=classes, metrics=metrics)
        if classes
        else Numbers(torch.nn.Identity(), metrics=metrics, rows=50)
    )
    batch = {"tokens": outputs, "kinds": labels, "visible": labels, "label": labels, "row": torch.arange(50)}
    network: Any = lambda tokens, kinds, visible: tokens  # noqa: E731
    whole = objective.metrics(objective.measure(network, batch), 50)
    assert objective.scores(objective.answers(network, batch), labels) == {
        name: pytest.approx(whole[name], abs=1e-12) for name in metrics
    }


# LAMBADA


PASSAGES = ["ab ab ab", "ab ab ba", "ab ab ab ab ab ab ab ab ab ab", "ab ab abab", "ab ab ab ab"]


def with_lambada(book: Path, path: Path, **more: Any) -> Language:
    return run(book, length=24, benchmark=Lambada(path=path), **more)


def test_last_words_are_predicted_as_by_hand(book: Path, go: Any, tmp_path: Path) -> None:
    """Bytes are tokens: the space before the last word belongs to it, and the third passage loses its beginning."""
    book.write_text("ab ab ab ab ab ab\n" * 120)
    path = tmp_path / "passages.jsonl"
    path.write_text("".join(json.dumps({"text": each}) + "\n" for each in PASSAGES))
    left = go("run", of=with_lambada(book, path))
    training = _train.build(run(book, length=24), Path("x"), print)
    training.module.load_state_dict(left.state("best.pt")["module"])
    losses, right = [], []
    for text in PASSAGES:
        numbers = torch.tensor([[5 + each for each in text.encode()][-25:]])
        count = len(text.split()[-1]) + 1
        with torch.no_grad():
            shares = training.module.eval()(numbers[:, :-1])[0, -count:].log_softmax(dim=1)  # k v
        own = numbers[0, -count:].tolist()
        losses.append(-sum(float(shares[place, each]) for place, each in enumerate(own)))
        right.append(shares.argmax(dim=1).tolist() == own)
    found = json.loads((left.folder / "benchmark/lambada.json").read_text())
    assert found["perplexity"] == pytest.approx(math.exp(sum(losses) / 5), rel=1e-5)
    assert found["accuracy"] == sum(right) / 5
    assert left.summary["test/lambada_perplexity"] == found["perplexity"]
    assert left.summary["test/lambada_accuracy"] == found["accuracy"]
    table = (left.folder / "benchmark/lambada.md").read_text()
    assert "| published: GPT-2 117M, zero-shot | 45.99 | - | 35.13 | - |" in table
    assert "1000 resamples of the passages" in table


def test_a_last_word_is_right_if_each_of_its_tokens_is_the_most_likely() -> None:
    """After token 1 comes 2, after 2 comes 0, each with logit ln 3 among zeros: 1/2 of 4 tokens, and 1/6 any other."""
    table = torch.zeros(4, 4)
    table[1, 2] = table[2, 0] = math.log(3)

    def predict(tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return table[tokens.gather(1, at)]

    training: Any = SimpleNamespace(device=SimpleNamespace(device=torch.device("cpu")), predict=predict)
    passages = [Passage([3, 3, 1, 2, 0], 2), Passage([1, 2, 1], 2), Passage([3, 1, 3, 0], 2)]
    losses, right = _predicted(training, passages)
    halves, sixths = math.log(2), math.log(6)
    assert losses.tolist() == pytest.approx([2 * halves, halves + sixths, sixths + math.log(4)], rel=1e-6)
    assert right.tolist() == [1, 0, 0]


def test_words_of_as_many_tokens_are_predicted_together() -> None:
    passages = [Passage([1] * each, count) for each, count in ((9, 2), (5, 1), (7, 2), (6, 1), (8, 2))]
    assert batches_of_passages(passages) == [[1, 3], [2, 4, 0]]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "no.txt",
            None,
            "benchmark.path is '{path}', and there is no such file\n  to have the published one: curl -O ",
        ),
        ("empty.txt", "\n \n", "benchmark.path is '{path}', which holds no passage\n  it must hold one a line"),
        ("one.txt", "two words\n\nalone\n", "'{path}', line 3, is 'alone': a passage has two words or more"),
        ("a.jsonl", '{"text": "a b"}\n{"txt": 1}\n', "'{path}', line 2, is '{\"txt\": 1}'\n  it must be: {\"text\": "),
        ("long.txt", "a " + "b" * 24, "'{path}', line 1: its last word '" + "b" * 24 + "' is 25 tokens after 1\n"),
    ],
)
def test_a_file_without_passages_is_refused_before_training(
    name: str, text: str | None, said: str, book: Path, go: Any, tmp_path: Path
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as caught:
        go("run", of=with_lambada(book, path))
    assert str(caught.value).startswith(said.replace("{path}", str(path)))


def test_a_task_whose_files_are_missing_is_refused_before_training(book: Path, go: Any, here: Path) -> None:
    with pytest.raises(UserError) as caught:
        go("run", of=run(book, model=Tiny(**SHAPE), benchmark=Glue(tasks=["mrpc", "cola"])))
    assert str(caught.value).splitlines() == [
        "benchmark: MRPC is not fetched, since no archive of it with a known md5 is published",
        "  put MRPC/train.tsv, MRPC/dev.tsv into a folder, as GLUE has them, and write: benchmark.root=FOLDER",
        "  or leave it out: benchmark.tasks=[cola]",
    ]
    assert not (here / "run/metrics.jsonl").exists()


def test_what_the_tasks_of_glue_cannot_have_is_refused_before_training(
    book: Path, go: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError) as caught:
        go("run", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=Glue(tasks=["cola"], length=17)))
    assert str(caught.value) == (
        "benchmark.length is 17, longer than the 16 tokens that Tiny takes\n  nearest: benchmark.length=16"
    )
    monkeypatch.setattr("cn.lazy.find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        go("other", of=run(book, model=Tiny(**SHAPE, length=16), benchmark=Glue(tasks=["cola"], length=16)))
    assert str(caught.value).startswith("benchmark: tokenizers is not installed\n  type: pip install ")
    assert not (here / "run/metrics.jsonl").exists()


# Several runs


@pytest.mark.slow
def test_runs_of_one_command_end_with_their_differences(book: Path, here: Path) -> None:
    words = ["run=language", "model=decoder/gpt2_family/small", "model.d_model=16", "model.heads=2", "model.layers=1"]
    words += ["model.feed_forward=24", "model.vocabulary=null", "model.length=16", "data=text/file"]
    words += [f"data.path={book}", "data/tokenizer=bytes", "data.length=16", "data.batch_size=8", "gpu=-1"]
    words += ["training.max_steps=4", "benchmark=nlg/language_modeling", "benchmark.stride=8"]
    ended = subprocess.run(
        [sys.executable, str(CODE / "train.py"), *words, "-m", "training.learning_rate=0.001,0.05"],
        capture_output=True,
        text=True,
        check=True,
    )
    scores, compared = ended.stdout.split("\n\n")[-2:]
    assert scores.splitlines()[0].split() == ["no.", "training.learning_rate", "result"]
    header, _, first, second, note = compared.splitlines()
    names = [f"training.learning_rate={rate}" for rate in ("0.001", "0.05")]
    assert all(name in header for name in (*names, "difference", "95 % of it"))
    (group,) = (here / "outputs").iterdir()
    found = {load(path.parent).training.learning_rate: path for path in group.glob("*/summary.json")}
    summaries = [json.loads(found[rate].read_text()) for rate in (0.001, 0.05)]
    for line, name in ((first, "sliding_perplexity"), (second, "sliding_bits_per_byte")):
        a, b = (each[f"test/{name}"] for each in summaries)
        assert line.split()[:4] == [name, f"{a:.6g}", f"{b:.6g}", f"{b - a:+.4g}"]
    low, _, high = first.split()[4:]
    assert (
        float(low) <= summaries[1]["test/sliding_perplexity"] - summaries[0]["test/sliding_perplexity"] <= float(high)
    )
    assert second.split()[4:] == ["-"]
    assert note == "95 %: percentile bootstrap of the difference, paired by example"
