"""RandAugment: each operation is PIL's, drawn for each image alone, and no value is asked of the device."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from cn import UserError
from data._images import ImageSplit, assemble
from data._randaugment import OPERATIONS, apply, randaugment

SIDE = 32  # pixels
SHAPES = {"noise": 0, "smooth": 1, "dark": 2, "flat": 3, "two levels": 4, "steep": 5}


def images(c: int, side: int = SIDE) -> torch.Tensor:
    """Noise, a gradient, a dark one with a narrow range, one level, two levels, and one that is mostly black."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / (side - 1)
    shapes = [
        random.integers(0, 256, (c, side, side)),
        np.stack([255 * (x * (k + 1) + y) / (k + 2) for k in range(c)]),
        random.integers(20, 61, (c, side, side)),
        np.full((c, side, side), 77),
        np.where(random.random((c, side, side)) < 0.3, 40, 200),
        255 * random.random((c, side, side)) ** 6,
    ]
    assert len(shapes) == len(SHAPES)
    return torch.from_numpy(np.stack(shapes).astype(np.uint8)).float()


def by_pil(image: torch.Tensor, name: str, magnitude: int) -> torch.Tensor:
    """One image `c h w` as PIL makes it."""
    levels = image.numpy().astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0))
    w, h = picture.size
    part = magnitude / 30
    affine = {
        "shear_x": (1, 0.3 * part, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, 0.3 * part, 1, 0),
        "translate_x": (1, 0, 150 / 331 * w * part, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, 150 / 331 * h * part),
    }
    enhanced = {
        "brightness": ImageEnhance.Brightness,
        "colour": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "sharpness": ImageEnhance.Sharpness,
    }
    if name == "identity":
        made = picture
    elif name in affine:
        made = picture.transform((w, h), Image.Transform.AFFINE, affine[name])
    elif name == "rotate":
        made = picture.rotate(30 * part)
    elif name in enhanced:
        made = enhanced[name](picture).enhance(1 + 0.9 * part)
    elif name == "posterize":
        made = ImageOps.posterize(picture, 8 - round(4 * abs(part)))
    elif name == "solarize":
        made = ImageOps.solarize(picture, 255 * (30 - abs(magnitude)) / 30)
    else:
        made = {"autocontrast": ImageOps.autocontrast, "equalize": ImageOps.equalize}[name](picture)
    return torch.from_numpy(np.atleast_3d(np.asarray(made)).transpose(2, 0, 1).copy()).float()


def one_kind(batch: torch.Tensor, name: str, magnitude: int) -> torch.Tensor:
    b = len(batch)
    return apply(batch, torch.full((b,), OPERATIONS.index(name)), torch.full((b,), float(magnitude)))


@pytest.mark.parametrize("c", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_that_of_pil(name, c):
    """Levels differ by 1 at the most, where fp32 rounds otherwise; of pixels that move, 1 in 100 is its neighbour.

    At each of these magnitudes: at 20, a shear asks for places on the edge between two pixels, where each is as near.
    """
    batch = images(c)
    for magnitude in (-30, -17, -9, -1, 0, 1, 5, 9, 10, 21, 30):
        found = one_kind(batch, name, magnitude)
        for image, after, shape in zip(batch, found, SHAPES, strict=True):
            wanted = by_pil(image, name, magnitude)
            apart = (after - wanted).abs()
            if name in ("shear_x", "shear_y", "translate_x", "translate_y", "rotate"):
                assert (apart > 0).any(0).float().mean() <= 0.01, (magnitude, shape)
            else:
                assert apart.max() <= 1, (magnitude, shape)
                assert (apart > 0).float().mean() <= 0.05, (magnitude, shape)
    if name not in ("identity", "colour") or (name, c) == ("colour", 3):
        assert not torch.equal(one_kind(batch, name, 20), batch)


@pytest.mark.parametrize("side", [2, 7, 8])
def test_images_of_few_pixels_are_as_pil_makes_them(side):
    batch = images(3, side)
    for name in OPERATIONS:
        for image, after in zip(batch, one_kind(batch, name, 9), strict=True):
            apart = (after - by_pil(image, name, 9)).abs()
            assert apart.max() <= 1 or (name == "rotate" and (apart > 1).any(0).sum() <= 1), name


def test_each_image_has_the_operation_that_is_its_own():
    batch = images(3)[:1].repeat(2 * len(OPERATIONS), 1, 1, 1)
    kinds = torch.arange(len(OPERATIONS)).repeat(2)
    magnitudes = torch.tensor([9.0, -9.0]).repeat_interleave(len(OPERATIONS))
    found = apply(batch, kinds, magnitudes)
    for image, kind, magnitude, after in zip(batch, kinds, magnitudes, found, strict=True):
        assert torch.equal(after, one_kind(image[None], OPERATIONS[kind], int(magnitude))[0])


@pytest.mark.slow
def test_operations_and_signs_are_drawn_with_equal_chances():
    """Of 7000 images, the shares of what two draws each come to are within 4 deviations."""
    torch.manual_seed(0)
    batch = images(3, 8)[:1].repeat(7000, 1, 1, 1)
    found = randaugment(batch, operations=1, magnitude=30)
    outcomes = {(name, sign): one_kind(batch[:1], name, 30 * sign)[0] for name in OPERATIONS for sign in (-1, 1)}
    for name in OPERATIONS:
        kinds = [outcomes[name, sign] for sign in (-1, 1)]
        if name in ("identity", "posterize", "solarize", "autocontrast", "equalize"):
            continue  # the sign is nothing to them, and one may do what another does
        for outcome in kinds:
            count = (found == outcome).all(3).all(2).all(1).sum().item()
            assert abs(count - 250) < 4 * math.sqrt(250), name


def test_operations_follow_one_another():
    torch.manual_seed(0)
    once = randaugment(images(3), operations=1, magnitude=9)
    twice = randaugment(once, operations=1, magnitude=9)
    torch.manual_seed(0)
    assert torch.equal(randaugment(images(3), operations=2, magnitude=9), twice)
    assert not torch.equal(once, twice)


def test_results_are_levels_and_nothing_is_changed_in_place():
    batch = images(3)
    found = randaugment(batch, operations=5, magnitude=30)
    assert torch.equal(found, found.round().clamp(0, 255))
    assert torch.equal(batch, images(3))


def test_no_value_is_asked_of_the_device():
    """A meta tensor has no values: whatever would wait for one raises."""
    batch = torch.empty(5, 3, 8, 8, device="meta")
    assert randaugment(batch, operations=2, magnitude=9).shape == batch.shape


def data(c: int = 3, **vary: int):
    def part() -> tuple[np.ndarray, np.ndarray]:
        return images(c).numpy().astype(np.uint8), np.zeros(len(SHAPES))

    off = {"crop": 0, "flip": False, "cutout": 0}
    return assemble(train=part(), validation=part(), test=part(), classes="a", **{**off, **vary})


def everything(split: ImageSplit) -> torch.Tensor:
    return split.batch(torch.arange(len(split)))[0]


def test_the_training_part_alone_is_varied_before_it_is_normalised():
    plain, varied = data(), data(randaugment=2, magnitude=9)
    assert torch.equal(everything(varied.validation), everything(plain.validation))
    assert torch.equal(everything(varied.test), everything(plain.test))
    torch.manual_seed(3)
    found = everything(varied.train)
    torch.manual_seed(3)
    levels = randaugment(images(3), operations=2, magnitude=9)
    assert torch.equal(found, levels * varied.train.scale + varied.train.shift)
    assert torch.equal(everything(plain.train), images(3) * plain.train.scale + plain.train.shift)


def test_it_goes_with_the_data_to_another_device():
    moved = data(randaugment=1).to("meta").train
    assert moved.distort is not None
    assert moved.batch(torch.arange(4, device="meta"))[0].shape == (4, 3, SIDE, SIDE)


def test_images_with_other_channels_are_refused():
    with pytest.raises(UserError) as caught:
        data(2, randaugment=1)
    assert str(caught.value) == (
        "data: randaugment takes images of 1 or 3 channels, and these have 2\n  leave it out: data.randaugment=0"
    )
    data(2)
