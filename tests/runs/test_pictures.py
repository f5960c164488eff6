"""What callbacks leave in the run folder besides numbers: predictions as pictures, and a trace of some steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from data.digits import Digits
from models.mlp import Mlp
from runs.callbacks.ema import Ema
from runs.callbacks.predictions import Predictions
from runs.default import Default
from runs.logger import Logger
from runs.logger._writer import Writer
from runs.optim.adamw import AdamW
from runs.task import _answers
from runs.task._answers import RIGHT, WRONG
from runs.task._grid import GAP, MIDDLE, draw

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
        assert (shown.dtype, shown.shape) == (np.uint8, (32 + 4 * (2 * 18 + 128 + 14), 14 + 4 * (128 + 14), 3))
        assert np.array_equal(picture(file), shown)
    assert torch.equal(run.weights(), go("plain", of=Default(**SMALL, epochs=2)).weights())


def test_it_says_label_and_prediction_of_what_is_evaluated(go, monkeypatch):
    told: list[Any] = []
    monkeypatch.setattr(
        "runs.task._classify.draw",
        lambda images, labels, given: told.append((images, labels, given)) or _answers.draw(images, labels, given),
    )
    callbacks = {"p": Predictions(), "ema": Ema(decay=0.999)}
    run = go("run", of=Default(**SMALL, callbacks=callbacks, optim=AdamW(lr=0.05), epochs=1))
    images, labels, given = told[1]  # the first is tried out
    validation = Digits().build(seed=1).validation
    assert len(validation) == 180  # all of them are looked at, where there are no more than 256
    assert np.array_equal(images, validation.images.numpy())
    network = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10).eval()

    def choices(weights: str) -> list[int]:
        network.load_state_dict(run.state()[weights])
        return network(validation.batch(torch.arange(180))[0]).argmax(1).tolist()

    chosen = choices("average")
    assert chosen != choices("module")
    assert labels == [str(each) for each in validation.labels.tolist()]
    assert given == [str(each) for each in chosen]


def test_a_picture_of_two_halves_has_each_image_beside_the_other():
    images, others = np.random.default_rng(0).integers(0, 256, (2, 5, 3, 48, 48), dtype=np.uint8)
    page = draw(images, others)
    wide = 96 + GAP
    for half, start in ((images, GAP), (others, GAP + 4 * wide + MIDDLE)):
        large = half.transpose(0, 2, 3, 1).repeat(2, 1).repeat(2, 2)
        for number, (row, column) in enumerate([(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]):
            top, left = GAP + row * wide, start + column * wide
            assert np.array_equal(page[top : top + 96, left : left + 96], large[number])


@pytest.mark.parametrize("shape", [(1, 1, 200, 300), (2, 2, 8, 8), (3, 5, 1, 1), (16, 3, 64, 64)], ids=str)
def test_images_of_any_size_and_channels_can_be_drawn(shape):
    page = draw(*[np.zeros(shape, np.uint8)] * 2)
    assert (page.dtype, page.ndim, page.shape[2]) == (np.uint8, 3, 3)


NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # of CIFAR-10


def drawn(monkeypatch, images: Any, labels: list[str], given: list[str]) -> tuple[Any, list[tuple[Any, str, Any]]]:
    """The picture, and each text in it with its place and its colour."""
    texts: list[tuple[Any, str, Any]] = []
    write = ImageDraw.ImageDraw.text

    def note(pen: Any, place: Any, text: str, *, fill: Any, font: Any) -> None:
        texts.append((place, text, fill))
        write(pen, place, text, fill=fill, font=font)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    return _answers.draw(images, labels, given), texts


def test_of_classes_the_wrong_come_first_and_each_image_once(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    labels = ["cat"] * 20
    given = ["dog" if number in (3, 7, 19) else "cat" for number in range(20)]
    page, texts = drawn(monkeypatch, images, labels, given)
    order = [3, 7, 19, 0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    large = images.transpose(0, 2, 3, 1).repeat(4, 1).repeat(4, 2)
    for place, number in enumerate(order):
        top, left = 32 + place // 4 * 178 + 36, 14 + place % 4 * 142
        assert np.array_equal(page[top : top + 128, left : left + 128], large[number])
    assert page.shape == (32 + 4 * 178, 14 + 4 * 142, 3)
    assert texts[0][1] == "3 of 20 are wrong, and come first"
    answers = [(text, colour) for _, text, colour in texts[4::4]]
    assert answers == [("dog", WRONG)] * 3 + [("cat", RIGHT)] * 13
    assert {text for _, text, _ in texts[1:]} == {"label", "given", "cat", "dog"}


def test_no_name_of_a_class_of_cifar_is_cut(monkeypatch):
    images = np.zeros((10, 3, 32, 32), np.uint8)
    _, texts = drawn(monkeypatch, images, list(NAMES), [*NAMES[1:], NAMES[0]])
    assert sorted(text for _, text, _ in texts if text not in ("label", "given")) == sorted(
        [*NAMES, *NAMES, "10 of 10 are wrong"]
    )
    font = ImageFont.load_default(size=13)
    for (left, _), text, _ in texts[1:]:
        assert (left - 14) % 142 + font.getlength(text) <= 128  # within its column


def test_a_name_that_does_not_fit_ends_with_an_ellipsis(monkeypatch):
    long = "a name that is longer than any picture is wide"
    _, texts = drawn(monkeypatch, np.zeros((1, 1, 8, 8), np.uint8), [long], ["b"])
    assert texts[2][1] == "a name that is ..."
    assert texts[2][0][0] - 14 + ImageFont.load_default(size=13).getlength(texts[2][1]) <= 128


@pytest.mark.parametrize("shape", [(1, 1, 200, 300), (2, 2, 8, 8), (3, 5, 1, 1), (16, 3, 64, 64)], ids=str)
def test_classes_of_images_of_any_size_and_channels_can_be_drawn(shape):
    page = _answers.draw(np.zeros(shape, np.uint8), ["a"] * shape[0], ["b"] * shape[0])
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
