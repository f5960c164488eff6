"""Training never sees the test images, and testing afterwards gives what the end of training gave."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from data._images import ImageSplit
from data.digits import Digits
from models.mlp import Mlp
from runs import _train
from runs._training import loop
from runs.default import Default


def test_the_three_splits_are_never_mixed(go, after_step, monkeypatch):
    """Which images are asked for, in order: training ones in steps, validation ones between epochs, test ones last."""
    sizes = {1258: "train", 180: "validation", 359: "test"}
    asked: list[tuple[str, bool]] = []
    batch = ImageSplit.batch

    def spy(self: ImageSplit, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        part = sizes[len(self)]
        if not asked or asked[-1] != (part, torch.is_grad_enabled()):
            asked.append((part, torch.is_grad_enabled()))
        return batch(self, index)

    monkeypatch.setattr(ImageSplit, "batch", spy)
    go("run", "epochs=3", "validate_every=2")
    first, *rest = asked
    assert first == ("validation", False)  # a few are tried out
    assert rest == [("train", True), ("validation", False), ("train", True), ("validation", False), ("test", False)]


def test_each_validation_sees_each_image_once(go, monkeypatch):
    seen: list[int] = []
    batch = ImageSplit.batch

    def spy(self: ImageSplit, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(self) == 180:
            seen.extend(index.tolist())
        return batch(self, index)

    monkeypatch.setattr(ImageSplit, "batch", spy)
    go("run", "epochs=1", "data.batch_size=7")
    assert seen == [*range(8), *range(180)]  # a few are tried out first


def test_an_evaluation_in_parts_is_that_of_the_whole(go, monkeypatch):
    """Larger than one batch of it: 719 images of 500."""
    run = go("run", "epochs=2", "data.validation=0.4", "model.hidden_sizes=[8]")
    dataset = Digits(validation=0.4).build(seed=1)
    module = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10)
    module.load_state_dict(run.state("best.pt")["module"])
    images, labels = dataset.validation.batch(torch.arange(719))
    logits = module(images)
    assert run.summary["validation/loss"] == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-6)
    assert run.summary["validation/accuracy"] == (logits.argmax(1) == labels).double().mean().item()


def test_best_is_the_checkpoint_of_the_best_validation(go, monkeypatch):
    """The last two are taken for bad ones: which of real ones is the best differs from processor to processor."""

    def dimmed(training: Any, split: Any) -> dict[str, float]:
        found = evaluate(training, split)
        return found if training.step <= 4 * 9 else {**found, "accuracy": 0.0}

    evaluate = loop.evaluate
    monkeypatch.setattr(loop, "evaluate", dimmed)
    run = go("run", "epochs=6")
    validations = [each for each in run.metrics if "validation/loss" in each]
    best = max(validations, key=lambda each: (each["validation/accuracy"], -each["validation/loss"]))
    assert best["step"] != validations[-1]["step"]
    assert run.state("best.pt")["step"] == best["step"] == run.summary["best/step"]
    assert run.state("last.pt")["step"] == run.summary["step"] == validations[-1]["step"]
    assert run.summary["validation/accuracy"] == best["validation/accuracy"]
    assert run.summary["validation/loss"] == best["validation/loss"]
    dataset = Digits().build(seed=1)
    module = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10)
    module.load_state_dict(run.state("best.pt")["module"])
    images, labels = dataset.test.batch(torch.arange(359))
    assert run.summary["test/accuracy"] == (module(images).argmax(1) == labels).double().mean().item()


def test_of_two_with_one_accuracy_the_lower_loss_is_best(go, monkeypatch):
    scores = iter([(0.5, 0.8), (0.4, 0.8), (0.6, 0.8), (0.4, 0.8), (0.1, 0.7), (9.0, 9.0)])
    monkeypatch.setattr(
        "runs._training.loop.evaluate",
        lambda training, split: dict(zip(("loss", "accuracy"), next(scores), strict=True)),
    )
    monkeypatch.setattr("runs._train.evaluate", lambda training, split: {"loss": 0.0, "accuracy": 0.0})
    assert go("run", "epochs=5").state("best.pt")["step"] == 18


@pytest.mark.parametrize("words", [(), ("precision=bf16", "model=fcn", "model.dropout=0.5", "data.crop=2")], ids=str)
def test_mode_eval_gives_the_metric_of_the_end_to_the_last_digit(go, words, capsys, monkeypatch):
    run = go("run", "epochs=2", *words)
    end = capsys.readouterr().out.splitlines()[-2]
    scores: list[dict[str, float]] = []
    score = _train._score

    def kept(*args: Any) -> dict[str, float]:
        scores.append(score(*args))
        return scores[-1]

    monkeypatch.setattr(_train, "_score", kept)
    go("", "mode=eval", source="run")
    assert scores == [{name: run.summary[name] for name in ("test/loss", "test/accuracy")}]
    assert capsys.readouterr().out.splitlines() == [end]


def test_mode_eval_in_another_process_says_the_same_and_changes_no_file(go, shell, capsys):
    run = go("run", "epochs=2")
    end = capsys.readouterr().out.splitlines()[-2]
    before = run.files()
    said = shell("--from", "run", "mode=eval")
    assert (said.status, said.out, said.err) == (0, f"{end}\n", "")
    assert run.files() == before


def test_mode_eval_looks_at_a_run_that_is_in_training(go, after_step, capsys):
    scores: list[str] = []

    def look() -> None:
        go("", "mode=eval", source="run")
        scores.append(capsys.readouterr().out.splitlines()[-1])

    after_step(12, look)
    go("run", "epochs=2")
    assert scores[0].endswith("of the best validation, at step 9")


def test_mode_eval_of_a_run_that_was_never_validated(go, failed, after_step):
    after_step(3, lambda: os.kill(os.getpid(), 15))
    failed(lambda: go("run"))
    error = failed(lambda: go("", "mode=eval", source="run"))
    assert str(error) == "run has no checkpoint best.pt\n  what it has: run/last.pt"
    assert error.status == 1


def test_mode_eval_needs_a_run(go, failed):
    error = failed(lambda: go("run", "mode=eval"))
    assert str(error) == (
        "mode=eval tests a run that has been trained, as it is\n  write: python train.py --from FOLDER mode=eval"
    )
    assert error.status == 2


def test_mode_eval_takes_no_changes(go, failed):
    go("run", "epochs=1")
    error = failed(lambda: go("", "mode=eval", "seed=2", source="run"))
    assert str(error) == (
        "mode=eval tests a run that has been trained, as it is\n  write: python train.py --from run mode=eval"
    )
    assert error.status == 2


class Kept(Digits):
    root: Path = Path("here")

    def build(self, *, seed: int) -> Any:
        assert self.root.is_dir()
        return super().build(seed=seed)


def test_mode_eval_may_be_where_the_data_and_the_device_are_others(go, here, capsys):
    Path("here").mkdir()
    run = go("run", of=Default(model=Mlp(hidden_sizes=(8,)), data=Kept(), steps=20))
    Path("here").rename("there")
    capsys.readouterr()
    go("", "mode=eval", "gpu=-1", "data.root=there", source="run")
    assert capsys.readouterr().out.startswith(f"test accuracy {run.summary['test/accuracy']:.4f} ")


def test_going_on_elsewhere_is_a_new_run(go, here):
    go("run", "epochs=1")
    go("", "gpu=-1", source="run")
    assert len(list((here / "outputs").iterdir())) == 1


def test_from_with_changes_is_a_new_run_that_names_its_source(go, here, left):
    first = go("first", "epochs=1")
    before = first.files()
    go("", "seed=2", source="first")
    assert first.files() == before
    (folder,) = (here / "outputs").iterdir()
    second = left(folder)
    assert second.summary["source"] == "first"
    assert json.loads((folder / "config.json").read_text())["seed"] == 2
    assert second.summary["steps"] == first.summary["steps"] == 9
    assert not torch.equal(first.weights(), second.weights())
    go(source=folder)  # goes on, and still knows where it came from
    assert left(folder).summary["source"] == "first"


def test_from_may_name_the_config_itself(go):
    run = go("run", "epochs=1")
    go(source="run/config.json")
    assert run.log.splitlines()[-3] == "has finished, at step 9: nothing is left to train"


@pytest.mark.parametrize("what", ["nothing", "a file", "an empty folder", "another record"])
def test_from_something_else_is_refused(what, go, failed, here, shell):
    place = here / "it"
    if what == "a file":
        place.write_text("hello")
    elif what == "an empty folder":
        place.mkdir()
    elif what == "another record":
        place.mkdir()
        (place / "config.json").write_text('{"_class_": "models.mlp:Mlp", "hidden_sizes": [8], "activation": "relu"}')
    said = shell("--from", "it")
    told = {
        "nothing": "it is not a run folder: it has no config.json\n  see: python -m cn runs\n",
        "a file": "it cannot be read\n  JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n",
        "an empty folder": "it is not a run folder: it has no config.json\n  see: python -m cn runs\n",
        "another record": "it records a Mlp, and train.py runs a Run\n",
    }
    assert (said.status, said.out, said.err) == (2, "", told[what])
    assert sorted(each.name for each in here.iterdir()) == ([] if what == "nothing" else ["it"])
    assert not Path("outputs").exists()
