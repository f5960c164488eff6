"""The default data set: nothing to fetch, three disjoint parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cn import UserError
from data import _digits
from data.digits import Digits

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("file", [_digits.FILE, "moved.csv.gz"])
def test_every_image_is_in_one_part(file, monkeypatch):
    monkeypatch.setattr(_digits, "FILE", file)
    data = Digits().build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (1258, 180, 359)
    assert (data.inputs, data.classes) == ((1, 8, 8), tuple("0123456789"))
    images = torch.cat([data.train.images, data.validation.images, data.test.images])
    labels = torch.cat([data.train.labels, data.validation.labels, data.test.labels])
    from sklearn.datasets import load_digits  # takes a second

    digits, known = load_digits(return_X_y=True)
    ours = sorted((label.item(), *image.ravel().tolist()) for image, label in zip(images, labels, strict=True))
    spread = np.round(digits * 255 / 16).astype(int)
    theirs = sorted((label, *image) for image, label in zip(spread, known, strict=True))
    assert ours == theirs


def test_the_classes_are_in_proportion():
    data = Digits().build(seed=7)
    counts = torch.stack([split.labels.bincount() for split in (data.train, data.validation, data.test)])
    shares = counts / counts.sum(1, keepdim=True)
    assert (shares - shares[0]).abs().max() < 0.01


def test_the_seed_splits():
    one, again, other = (Digits().build(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.test.images, again.test.images)
    assert torch.equal(one.train.labels, again.train.labels)
    assert not torch.equal(one.test.images, other.test.images)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"validation": 0.0}, "Digits.validation is 0 < float < 1, not 0.0"),
        ({"test": 0.0}, "Digits.test is 0 < float < 1, not 0.0"),
        ({"validation": 0.5, "test": 0.5}, "validation is 0.5 and test is 0.5: both together must be below 1"),
    ],
)
def test_fractions_that_leave_a_part_empty_are_refused(values, text):
    with pytest.raises((ValueError, UserError)) as error:
        Digits(**values).check()
    assert str(error.value).split("\n")[0] == text


@pytest.mark.slow
def test_they_are_read_without_importing_scikit_learn():
    code = "import sys; from data.digits import Digits; Digits().build(seed=1); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
