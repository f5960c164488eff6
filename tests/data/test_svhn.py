"""SVHN from MATLAB files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.io import savemat

from cn import UserError
from data._svhn import read_svhn
from data.svhn import Svhn

NAMES = {"train_32x32.mat": 60, "test_32x32.mat": 20}


@pytest.fixture
def root(tmp_path, md5, monkeypatch):
    random = np.random.RandomState(0)
    for name, size in NAMES.items():
        x = random.randint(0, 256, (32, 32, 3, size)).astype(np.uint8)
        savemat(tmp_path / name, {"X": x, "y": np.arange(size, dtype=np.uint8)[:, None] % 10 + 1}, do_compression=True)
    monkeypatch.setattr(Svhn, "_md5", {name: md5((tmp_path / name).read_bytes()) for name in NAMES})
    return tmp_path


def test_a_folder_becomes_three_disjoint_parts(root):
    data = Svhn(root=root).build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 6, 20)
    assert (data.inputs, data.classes) == ((3, 32, 32), tuple("0123456789"))
    images = torch.cat([data.train.images, data.validation.images, data.test.images])
    assert len({image.numpy().tobytes() for image in images}) == 80


def test_label_10_is_the_digit_0(root):
    assert Svhn(root=root).build(seed=0).test.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2


def test_images_stand_upright(tmp_path):
    x = np.zeros((32, 32, 3, 2), np.uint8)
    x[3, 7, 2, 1] = 200  # row 3, column 7, blue, second image
    savemat(tmp_path / "f.mat", {"X": x, "y": np.array([[1], [2]])})
    images, labels = read_svhn(tmp_path / "f.mat")
    assert np.argwhere(images).tolist() == [[1, 2, 3, 7]]
    assert labels.tolist() == [1, 2]


def test_the_seed_holds_out_and_never_touches_the_test(root):
    one, again, other = (Svhn(root=root).build(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.validation.images, again.validation.images)
    assert not torch.equal(one.validation.images, other.validation.images)
    assert torch.equal(one.test.images, other.test.images)


def test_a_mirror(root, server):
    server.files |= {name: (root / name).read_bytes() for name in NAMES}
    assert len(Svhn(mirror=server.address).build(seed=0).train) == 54


@pytest.mark.usefixtures("offline")
def test_offline_it_says_what_to_do(cache):
    with pytest.raises(UserError) as error:
        Svhn().build(seed=0)
    assert str(error.value) == (
        "train_32x32.mat could not be fetched from http://ufldl.stanford.edu/housenumbers/: no connection\n"
        f"  put train_32x32.mat, test_32x32.mat into '{cache}/svhn', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=digits, which needs no download"
    )


@pytest.mark.parametrize("content", [b"", b"<html>" * 99, None])
def test_damaged_files(root, content):
    path = root / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    with pytest.raises(UserError, match=rf"^'{path}' is damaged, cut short, or no MATLAB 5 file: "):
        read_svhn(path)


def test_another_matlab_file(tmp_path):
    path = tmp_path / "f.mat"
    savemat(path, {"X": np.zeros((32, 32, 3, 2), np.uint8)})
    with pytest.raises(UserError) as error:
        read_svhn(path)
    assert str(error.value) == f"'{path}' holds no variable 'y': it is not a file of SVHN's cropped digits"
    savemat(path, {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.zeros((3, 1))})
    with pytest.raises(UserError) as error:
        read_svhn(path)
    assert str(error.value) == f"'{path}' holds X (32, 32, 3, 2) and y (3,), which are not images and their labels"
