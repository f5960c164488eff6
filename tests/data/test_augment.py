"""Augmentation: what each kind does to every pixel, and that it never asks the device for a value."""

from __future__ import annotations

import pytest
import torch

from data._augment import augment, random_crop, random_cutout, random_flip

B, C, H, W = 256, 3, 9, 7


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(B, C, H, W) + 1


def test_a_crop_is_a_window_of_the_reflected_image(images):
    padding = 2
    cropped = random_crop(images, padding)
    rows = [*range(padding, 0, -1), *range(H), *range(H - 2, H - 2 - padding, -1)]
    columns = [*range(padding, 0, -1), *range(W), *range(W - 2, W - 2 - padding, -1)]
    padded = images[:, :, rows][:, :, :, columns]
    places = [(top, left) for top in range(2 * padding + 1) for left in range(2 * padding + 1)]
    seen = []
    for before, after in zip(padded, cropped, strict=True):
        found = [p for p in places if torch.equal(before[:, p[0] : p[0] + H, p[1] : p[1] + W], after)]
        assert len(found) == 1
        seen += found
    assert set(seen) == set(places)


def test_a_flip_mirrors_about_half_of_the_images(images):
    flipped = random_flip(images)
    mirrored = (flipped == images.flip(-1)).all((1, 2, 3))
    assert (mirrored ^ (flipped == images).all((1, 2, 3))).all()
    assert 96 < mirrored.sum() < 160  # 4 deviations around 128


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_cutout_blanks_one_square(images, size):
    cut = random_cutout(images, size)
    blank = cut == 0
    assert (cut == images)[~blank].all()
    for image in blank:
        assert (image == image[0]).all()  # the same in each channel
        rows, columns = image[0].any(1).nonzero().ravel(), image[0].any(0).nonzero().ravel()
        assert image[0].sum() == size**2
        assert len(rows) == len(columns) == rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == size
    tops = {int(image[0].any(1).nonzero()[0]) for image in blank}
    assert tops == set(range(H - size + 1))


def test_nothing_is_changed_in_place(images):
    before = images.clone()
    augment(images, crop=2, flip=True, cutout=3)
    assert torch.equal(images, before)


def test_only_what_is_on_draws_numbers(images):
    state = torch.get_rng_state()
    assert augment(images, crop=0, flip=False, cutout=0) is images
    assert torch.equal(torch.get_rng_state(), state)


def test_the_global_generator_repeats_it(images):
    torch.manual_seed(5)
    first = augment(images, crop=2, flip=True, cutout=3)
    assert not torch.equal(augment(images, crop=2, flip=True, cutout=3), first)
    torch.manual_seed(5)
    assert torch.equal(augment(images, crop=2, flip=True, cutout=3), first)


@pytest.mark.slow
def test_no_value_is_asked_of_the_device():
    """A meta tensor has no values: whatever would wait for one raises."""
    images = torch.empty(B, C, H, W, device="meta")
    assert augment(images, crop=2, flip=True, cutout=3).shape == images.shape
