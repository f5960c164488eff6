"""What callbacks leave in the run folder besides numbers: predictions as pictures, and a trace of some steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.digits import Digits
from models.mlp import Mlp
from runs.callbacks.ema import Ema
from runs.callbacks.predictions import Predictions
from runs.default import Default
from runs.logger import Logger
from runs.logger._writer import Writer
from runs.optim.adamw import AdamW
from runs.task._grid import GAP, MIDDLE, RIGHT, TEXT, WRONG, draw

SMALL = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128)}


class _KeptWriter(Writer):
    pictures: list[Any] = []

    def picture(self, name: str, image: Any, step: int) -> None:
        self.pictures.append((name, image, step))


class _Kept(Logger):
    def build(self, folder: Path) -> Writer:
        return _KeptWriter()


def picture(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


def test_each_validation_leaves_a_picture_and_shows_it_to_the_loggers(go, monkeypatch):
    monkeypatch.setattr(_KeptWriter, "pictures", [])
    run = go("run", of=Default(**SMALL, callbacks={"p": Predictions()}, logger={"kept": _Kept()}, epochs=2))
    files = sorted((run.folder / "predictions").iterdir())
    assert [each.name for each in files] == ["000009.png", "000018.png"]
    assert [(name, step) for name, _, step in _KeptWriter.pictures] == [("predictions", 9), ("predictions", 18)]
    for file, (_, shown, _) in zip(files, _KeptWriter.pictures, strict=True):
        assert (shown.dtype, shown.shape) == (np.uint8, (4 * (96 + TEXT + GAP) + GAP, 8 * (96 + GAP) + GAP + MIDDLE, 3))
        assert np.array_equal(picture(file), shown)
    assert torch.equal(run.weights(), go("plain", of=Default(**SMALL, epochs=2)).weights())


def test_it_says_label_and_prediction_of_what_is_evaluated(go, monkeypatch):
    told: list[Any] = []
    monkeypatch.setattr(
        "runs.task._classify.draw",
        lambda images, same, texts, right: told.append((images, texts, right)) or draw(images, same, texts, right),
    )
    callbacks = {"p": Predictions(), "ema": Ema(decay=0.999)}
    run = go("run", of=Default(**SMALL, callbacks=callbacks, optim=AdamW(lr=0.05), epochs=1))
    images, texts, right = told[1]  # the first is tried out
    validation = Digits().build(seed=1).validation
    assert np.array_equal(images, validation.images[:16].numpy())
    network = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10).eval()

    def choices(weights: str) -> list[int]:
        network.load_state_dict(run.state()[weights])
        return network(validation.batch(torch.arange(16))[0]).argmax(1).tolist()

    chosen = choices("average")
    assert chosen != choices("module")
    pairs = list(zip(validation.labels[:16].tolist(), chosen, strict=True))
    assert texts == [f"{label}/{choice}" for label, choice in pairs]
    assert right == [label == choice for label, choice in pairs]


def test_the_picture_has_the_images_raw_and_with_a_green_or_red_line():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 48, 48), dtype=np.uint8)
    page = draw(images, images, ["a/a"] * 4 + ["a/b"], [True] * 4 + [False])
    wide, second = 96 + GAP, GAP + 4 * (96 + GAP) + MIDDLE
    large = images.transpose(0, 2, 3, 1).repeat(2, 1).repeat(2, 2)
    for number, (row, column) in enumerate([(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]):
        top = GAP + row * (96 + TEXT + GAP)
        for left in (GAP + column * wide, second + column * wide):
            assert np.array_equal(page[top : top + 96, left : left + 96], large[number])
        lines = [page[top + 96 : top + 96 + TEXT, left : left + 96] for left in (GAP, second)]
        assert (lines[0] == 255).all()
    for top, colour in ((GAP, RIGHT), (GAP + 96 + TEXT + GAP, WRONG)):
        line = page[top + 96 : top + 96 + TEXT, second : second + 96].reshape(-1, 3)
        assert abs(line[line.sum(axis=1).argmin()].astype(int) - colour).max() < 20  # its darkest pixel


@pytest.mark.parametrize("shape", [(1, 1, 200, 300), (2, 2, 8, 8), (3, 5, 1, 1), (16, 3, 64, 64)], ids=str)
def test_images_of_any_size_and_channels_can_be_drawn(shape):
    page = draw(*[np.zeros(shape, np.uint8)] * 2, ["a long name/another long name"] * shape[0], [True] * shape[0])
    assert (page.dtype, page.ndim, page.shape[2]) == (np.uint8, 3, 3)


# profile


def test_the_trace_holds_the_steps_that_were_asked_for(go):
    run = go("run", "callbacks=profile", "callbacks.profile.start=3", "callbacks.profile.steps=2", "steps=8")
    trace = json.loads((run.folder / "trace.json").read_text())
    steps = [each for each in trace["traceEvents"] if each.get("name", "").startswith("Optimizer.step")]
    assert len(steps) == 2
    assert run.log.splitlines()[1] == "what steps 4 to 5 spent their time on: run/trace.json"


def test_the_trace_of_a_run_that_ends_before_is_shorter(go):
    run = go("run", "callbacks=profile", "callbacks.profile.start=0", "callbacks.profile.steps=20", "steps=4")
    assert run.log.splitlines()[2] == "what steps 1 to 4 spent their time on: run/trace.json"
    assert (run.folder / "trace.json").exists()


def test_steps_that_there_are_not_are_refused(go, failed):
    for word, told in (
        ("start=-1", "start is -1, and must be at least 0 optimiser steps"),
        ("steps=0", "steps is 0, and must be at least 1 optimiser step"),
    ):
        assert told in str(failed(lambda word=word: go("run", "callbacks=profile", f"callbacks.profile.{word}")))
