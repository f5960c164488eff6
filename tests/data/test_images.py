"""Splits and data sets: bytes on a device, normalised by the training part, in few calls."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
import torch

from cn import UserError
from data import Dataset
from data._images import ImageSplit, assemble, normalisation


def part(size: int, seed: int):
    random = np.random.RandomState(seed)
    images = random.randint(0, 256, (size, 3, 8, 8)) // np.array([[[1]], [[2]], [[5]]])
    return images.astype(np.uint8), np.arange(size) % 4


def build(**vary) -> Dataset:
    parts = {"train": part(60, 0), "validation": part(20, 1), "test": part(30, 2)}
    return assemble(**parts, classes="abcd", **{"crop": 0, "flip": False, "cutout": 0, **vary})


def everything(split: ImageSplit) -> torch.Tensor:
    return split.batch(torch.arange(len(split)))[0]


def test_the_training_part_has_mean_0_and_deviation_1_in_each_channel():
    images = everything(build().train)
    assert images.mean((0, 2, 3)) == pytest.approx(torch.zeros(3), abs=1e-6)
    assert images.std((0, 2, 3), unbiased=False) == pytest.approx(torch.ones(3), abs=1e-6)


def test_the_other_parts_are_normalised_as_the_training_part_is():
    data, (train, _), (test, _) = build(), part(60, 0), part(30, 2)
    mean, deviation = train.mean((0, 2, 3), keepdims=True), train.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(everything(data.test), (test - mean) / deviation, rtol=0, atol=1e-5)


def test_a_channel_that_does_not_vary_is_only_centred():
    scale, shift = normalisation(torch.full((5, 1, 2, 2), 7, dtype=torch.uint8))
    assert (scale.item(), shift.item()) == (1, -7)


def test_a_batch_is_what_stands_at_its_index():
    data = build()
    images, labels = data.test.batch(torch.tensor([7, 7, 2]))
    assert torch.equal(images, everything(data.test)[[7, 7, 2]])
    assert labels.tolist() == [3, 3, 2]
    assert (images.dtype, labels.dtype, images.shape) == (torch.float32, torch.int64, (3, 3, 8, 8))


def test_only_the_training_part_is_augmented():
    data = build(crop=2, flip=True, cutout=3)
    assert not torch.equal(everything(data.train), everything(data.train))
    assert torch.equal(everything(data.validation), everything(build().validation))
    assert torch.equal(everything(data.test), everything(build().test))


def test_the_facts_that_a_model_needs():
    data = build()
    assert (len(data.train), len(data.validation), len(data.test)) == (60, 20, 30)
    assert (data.inputs, data.classes) == ((3, 8, 8), ("a", "b", "c", "d"))


@pytest.mark.slow
def test_a_data_set_moves_whole():
    data = build(flip=True).to("meta")
    for split in (data.train, data.validation, data.test):
        images, labels = split.batch(torch.arange(4, device="meta"))
        assert (images.device.type, images.shape, labels.shape) == ("meta", (4, 3, 8, 8), (4,))
    assert (data.inputs, data.classes) == (build().inputs, build().classes)


def test_a_data_set_can_be_pickled():
    data = build(crop=2)
    copy = pickle.loads(pickle.dumps(data))
    torch.manual_seed(0)
    first = everything(data.train)
    torch.manual_seed(0)
    assert torch.equal(everything(copy.train), first)


def test_a_batch_takes_six_calls():
    data, index = build(), torch.arange(4)
    calls: list[str] = []

    def note(frame, event, argument):
        if event in ("call", "c_call"):
            calls.append(frame.f_code.co_name if event == "call" else argument.__name__)

    data.train.batch(index)
    sys.setprofile(note)
    data.train.batch(index)
    sys.setprofile(None)
    assert calls == ["batch", "index_select", "float", "mul_", "add_", "index_select", "setprofile"]


def test_images_of_another_size_and_labels_of_no_class_are_refused():
    images, labels = part(60, 0)
    parts: dict[str, Any] = {"train": (images, labels), "validation": part(20, 1), "test": part(30, 2)}
    off: dict[str, Any] = {"crop": 0, "flip": False, "cutout": 0}
    with pytest.raises(UserError) as caught:
        assemble(**{**parts, "test": (images[:, :, 1:], labels)}, classes="abcd", **off)
    assert str(caught.value) == (
        "data: images of (3, 7, 8) stand beside training images of (3, 8, 8): channels, height, width"
    )
    for wrong in (4, -1):
        with pytest.raises(UserError) as caught:
            assemble(**{**parts, "validation": (images, np.where(labels == 3, wrong, labels))}, classes="abcd", **off)
        assert str(caught.value) == f"data: the label {wrong} is that of no class; 4 classes have 0 to 3"
