"""What callbacks leave in the run folder besides numbers: predictions as pictures, and a trace of some steps."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from data.digits import Digits
from models.mlp import Mlp
from runs.callbacks.ema import Ema
from runs.callbacks.predictions import Predictions
from runs.default import Default
from runs.logger import Logger
from runs.logger._writer import Writer
from runs.optim.adamw import AdamW
from runs.task import _answers
from runs.task._grid import draw
from runs.task._page import FAINT, RIGHT, TEXT, WRONG
from runs.task._segment import COLORS, Segmentation

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
        assert (shown.dtype, shown.shape) == (np.uint8, (48 + 4 * (56 + 192 + 20), 20 + 4 * (192 + 20), 3))
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


def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str, Any, Any]]:
    """Each text that is drawn from now on: its place, itself, its colour and its font."""
    texts: list[tuple[Any, str, Any, Any]] = []
    write = ImageDraw.ImageDraw.text

    def note(pen: Any, place: Any, text: str, *, fill: Any, font: Any) -> None:
        texts.append((place, text, fill, font))
        write(pen, place, text, fill=fill, font=font)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    return texts


def boxes(texts: list[tuple[Any, str, Any, Any]]) -> list[tuple[float, float, float, float]]:
    """The box of each text: left, top, right, bottom."""
    return [
        (left + box[0], top + box[1], left + box[2], top + box[3])
        for (left, top), text, _, font in texts
        for box in [font.getbbox(text)]
    ]


def assert_legible(page: Any, texts: list[tuple[Any, str, Any, Any]]) -> None:
    """Every text lies in the picture, none lies over another or over an image, and letters are of 15 pixels or more."""
    high, wide, _ = page.shape
    found = boxes(texts)
    for number, (left, top, right, bottom) in enumerate(found):
        assert left >= 0
        assert right <= wide, texts[number]
        assert top >= 0
        assert bottom <= high
        for other in found[:number]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1], texts[number]
    assert min(font.size for *_, font in texts) >= 15


def tone(number: int, *, of: int = 16) -> Any:
    """An image of two pixels by two, of one bright colour that no other number has."""
    return np.full((3, 2, 2), 0, np.uint8) + np.array([255, number * 255 // of, 7], np.uint8)[:, None, None]


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("count", "names"), [(16, "a b"), (16, "a b c d"), (5, "a b"), (1, "a b c d")])
def test_each_image_stands_below_the_name_of_its_part(monkeypatch, paired, count, names):
    texts = written(monkeypatch)
    parts = {
        name: np.stack([tone(8 * place + number % 8, of=32) for number in range(count)])
        for place, name in enumerate(names.split())
    }
    page = draw(parts, title="a title", paired=paired, key={"one": (1, 2, 3), "another": (4, 5, 6)})
    assert_legible(page, texts)
    assert [text for _, text, *_ in texts[:3]] == ["a title", "one", "another"]
    headings = texts[3:]
    for place, part in enumerate(names.split()):
        here = [left for (left, _), text, *_ in headings if text == part]
        assert here
        colours = {tuple(tone(8 * place + number, of=32)[:, 0, 0].tolist()) for number in range(min(count, 8))}
        for left in here:
            below = page[headings[0][0][1] + 24 :, left : left + 112].reshape(-1, 3)
            assert {tuple(each) for each in below.tolist()} - {(255, 255, 255)} <= colours
    pixels = (page[..., 2] == 7).sum()
    assert pixels == count * len(parts) * 112 * 112  # enlarged without blur, and each once


def test_the_name_of_a_class_stands_beside_its_colour(monkeypatch):
    texts = written(monkeypatch)
    key = {f"class of a long name {number}": (number, 0, 0) for number in range(9)}
    page = draw({"image": np.zeros((4, 1, 8, 8), np.uint8)}, key=key)
    assert_legible(page, texts)
    for (left, top), name, *_ in texts[:9]:
        assert tuple(page[top + 10, left - 10]) == key[name]


@pytest.mark.parametrize("shape", [(1, 1, 200, 300), (2, 2, 8, 8), (3, 5, 1, 1), (16, 3, 64, 64)], ids=str)
def test_images_of_any_size_and_channels_can_be_drawn(monkeypatch, shape):
    texts = written(monkeypatch)
    page = draw({"image": np.zeros(shape, np.uint8), "reconstructed": np.zeros(shape, np.uint8)})
    assert (page.dtype, page.ndim, page.shape[2]) == (np.uint8, 3, 3)
    assert_legible(page, texts)
    assert {text for _, text, *_ in texts} == {"image", "reconstructed"}


def test_a_segmentation_shows_truth_prediction_and_wrong_pixels(monkeypatch):
    texts = written(monkeypatch)
    masks = torch.zeros(2, 4, 5, dtype=torch.int64)
    masks[0, 1, 2] = masks[1, 0, 0] = 1
    logits = torch.nn.functional.one_hot(masks, 3).movedim(-1, 1).float()
    logits[0, :, 3, 4] = torch.tensor([0.0, 0.0, 9.0])
    names = ("background", "ship", "cloud")
    objective = Segmentation(nn.Identity(), classes=names, size=(4, 5), pixels=lambda images: images.byte())
    page = objective.show(lambda _: logits, (torch.zeros(2, 1, 4, 5), masks))
    assert_legible(page, texts)
    told = [text for _, text, *_ in texts]
    parts = ["image", "true", "predicted", "wrong in white"]
    assert told == ["2.5% of the pixels are wrong", *names, *parts, *parts]
    top = texts[4][0][1] + 24
    lefts = [left for (left, _), *_ in texts[4:]]

    def colours(column: int) -> Any:
        return page[top + 11 : top + 4 * 22 : 22, lefts[column] + 11 : lefts[column] + 5 * 22 : 22]

    assert np.array_equal(colours(1), COLORS[masks[0]])
    assert np.array_equal(colours(2), COLORS[logits.argmax(1)[0]])
    assert np.argwhere(colours(3).sum(-1)).tolist() == [[3, 4]]
    assert colours(7).sum() == 0
    for (left, height), name, *_ in texts[1:4]:
        assert np.array_equal(page[height + 10, left - 10], COLORS[names.index(name)])


def contrast(one: Any, other: Any) -> float:
    """By the formula of WCAG 2: from 1 for equal colours to 21 for black on white."""
    linear = [
        np.where((c := np.array(rgb) / 255) <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for rgb in (one, other)
    ]
    bright, dark = sorted((float(rgb @ [0.2126, 0.7152, 0.0722]) for rgb in linear), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_texts_stand_out_from_white():
    assert min(contrast(colour, (255, 255, 255)) for colour in (TEXT, FAINT, RIGHT)) >= 4.5
    assert contrast(WRONG, (255, 255, 255)) >= 3  # enough for a mark and a frame


NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")  # of CIFAR-10


def test_of_classes_the_wrong_come_first_and_each_image_once(monkeypatch):
    texts = written(monkeypatch)
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    given = ["dog" if number in (3, 7, 19) else "cat" for number in range(20)]
    page = _answers.draw(images, ["cat"] * 20, given)
    order = [3, 7, 19, 0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    large = images.transpose(0, 2, 3, 1).repeat(6, 1).repeat(6, 2)
    for place, number in enumerate(order):
        top, left = 48 + place // 4 * 268 + 56, 20 + place % 4 * 212
        assert np.array_equal(page[top : top + 192, left : left + 192], large[number])
        wrong = place < 3
        for row, column in ((-3, 96), (194, 96), (96, -3), (96, 194)):  # the frame
            assert (tuple(page[top + row, left + column]) == WRONG) is wrong
        mark = page[top - 26 : top - 8, left + 176 : left + 192].reshape(-1, 3)  # a cross, or a tick
        assert (mark == WRONG).all(1).any() == wrong
        assert (mark == RIGHT).all(1).any() != wrong
    assert page.shape == (48 + 4 * 268, 20 + 4 * 212, 3)
    assert texts[0][1] == "3 of 20 predictions are wrong; 16 are shown, wrong ones first"
    answers = [(text, colour) for _, text, colour, _ in texts[4::4]]
    assert answers == [("dog", WRONG)] * 3 + [("cat", RIGHT)] * 13
    assert {text for _, text, *_ in texts[1:]} == {"true", "predicted", "cat", "dog"}
    assert_legible(page, texts)


def test_no_name_of_a_class_of_cifar_is_cut(monkeypatch):
    texts = written(monkeypatch)
    page = _answers.draw(np.zeros((10, 3, 32, 32), np.uint8), list(NAMES), [*NAMES[1:], NAMES[0]])
    told = sorted(text for _, text, *_ in texts if text not in ("true", "predicted"))
    assert told == sorted([*NAMES, *NAMES, "10 of 10 predictions are wrong"])
    assert_legible(page, texts)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_a_name_that_does_not_fit_ends_with_an_ellipsis(monkeypatch, count):
    texts = written(monkeypatch)
    long = "a name that is longer than any picture is wide"
    page = _answers.draw(np.zeros((count, 1, 8, 8), np.uint8), [long] * count, ["b"] * count)
    assert texts[2][1] == "a name tha..."
    assert_legible(page, texts)


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


def test_a_run_that_goes_on_within_the_steps_watches_the_rest_of_them(go, failed, after_step):
    words = ("callbacks=profile", "callbacks.profile.start=2", "callbacks.profile.steps=4", "steps=8")
    after_step(3, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", *words))
    run = go(source="run")
    assert "what steps 4 to 6 spent their time on: run/trace.json" in run.log.splitlines()
    trace = json.loads((run.folder / "trace.json").read_text())
    assert sum(each.get("name", "").startswith("Optimizer.step") for each in trace["traceEvents"]) == 3


def test_steps_that_there_are_not_are_refused(go, failed):
    for word, told in (
        ("start=-1", "callbacks.profile.start is int >= 0, not -1"),
        ("steps=0", "callbacks.profile.steps is int >= 1, not 0"),
    ):
        assert told in str(failed(lambda word=word: go("run", "callbacks=profile", f"callbacks.profile.{word}")))
