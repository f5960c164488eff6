"""MNIST from a folder, a mirror or nowhere; every part where it belongs; every bad file refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from cn import UserError
from data._idx import read_idx, read_pair
from data.mnist import MD5, TEST, TRAIN, Mnist, TenThousand

REAL = Path(__file__).parents[3] / "shared" / "data" / "mnist"


def rows(split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


def test_a_folder_becomes_three_disjoint_parts(mnist_root):
    data = Mnist(root=mnist_root).build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (180, 20, 100)
    assert (data.inputs, data.classes) == ((1, 28, 28), tuple("0123456789"))
    assert len(rows(data.train) | rows(data.validation) | rows(data.test)) == 300
    published, labels = read_pair(*(mnist_root / name for name in TEST))
    assert torch.equal(data.test.images, torch.from_numpy(published))
    assert torch.equal(data.test.labels, torch.from_numpy(labels).long())


def test_the_seed_holds_out_and_never_touches_the_test(mnist_root):
    one, again, other = (Mnist(root=mnist_root).build(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.validation.images, again.validation.images)
    assert rows(one.validation) != rows(other.validation)
    assert torch.equal(one.test.images, other.test.images)


def test_a_mirror_is_asked_once(server, mnist, cache):
    server.files |= mnist
    for _ in range(2):
        assert len(Mnist(mirror=server.address).build(seed=0).train) == 180
    assert server.requests == [(name, 0) for name in (*TRAIN, *TEST)]
    assert {path.name for path in (cache / "mnist").iterdir() if path.suffix != ".lock"} == set(mnist)


def test_the_test_files_alone_are_enough_for_trials(mnist_root):
    for name in TRAIN:
        (mnist_root / name).unlink()
    data = TenThousand(root=mnist_root).build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (72, 8, 20)
    assert len(rows(data.train) | rows(data.validation) | rows(data.test)) == 100
    assert rows(data.test) != rows(TenThousand(root=mnist_root).build(seed=1).test)


@pytest.mark.usefixtures("offline")
def test_offline_it_says_what_to_do(cache):
    with pytest.raises(UserError) as error:
        Mnist().build(seed=0)
    assert str(error.value) == (
        "train-images-idx3-ubyte.gz could not be fetched from "
        "https://ossci-datasets.s3.amazonaws.com/mnist/: no connection\n"
        "  put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
        "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"
        f" into '{cache}/mnist', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=digits, which needs no download"
    )


@pytest.mark.usefixtures("offline", "mnist")
def test_files_put_into_the_cache_are_used(mnist_root, cache):
    cache.mkdir(parents=True)
    mnist_root.rename(cache / "mnist")
    assert len(Mnist().build(seed=0).test) == 100


def test_a_damaged_file_in_a_folder_is_refused(mnist_root):
    path = mnist_root / TRAIN[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"^'{path}' is not the published file: its md5 is "):
        Mnist(root=mnist_root).build(seed=0)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real test files are not on this machine")
def test_the_real_test_files(tmp_path):
    data = TenThousand(root=REAL).build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (7200, 800, 2000)
    labels = torch.cat([data.train.labels, data.validation.labels, data.test.labels])
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    for name in TEST:
        (tmp_path / name.removesuffix(".gz")).write_bytes(gzip.decompress((REAL / name).read_bytes()))
    assert torch.equal(TenThousand(root=tmp_path).build(seed=0).train.images, data.train.images)


def test_every_file_has_its_md5():
    assert set(MD5) == {name.removesuffix(end) for name in (*TRAIN, *TEST) for end in ("", ".gz")}


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_packed_and_plain(tmp_path, idx, shape, pack):
    array = np.arange(np.prod(shape, dtype=int)).astype(np.uint8).reshape(shape)
    (tmp_path / "f").write_bytes(pack(idx(array)))
    assert np.array_equal(read_idx(tmp_path / "f"), array)


def test_bad_idx_files(tmp_path, idx):
    path, good = tmp_path / "f", idx(np.zeros((2, 3), np.uint8))
    packed = gzip.compress(good, mtime=0)
    for content, text in {
        packed[:-9]: "is damaged or cut short: Compressed file ended before the end-of-stream marker was reached",
        b"": "is not an idx file of bytes: it begins with nothing",
        b"<html>": "is not an idx file of bytes: it begins with 3c 68 74 6d",
        good[:7]: "is not an idx file of bytes: it begins with 00 00 08 02",
        good[:-1]: "is damaged: it states a shape of (2, 3) and holds 5 bytes",
        good + b"x": "is damaged: it states a shape of (2, 3) and holds 7 bytes",
    }.items():
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            read_idx(path)
        assert str(error.value) == f"'{path}' {text}"


@pytest.mark.parametrize("place", [-8, 12])  # in the checksum, and in what is packed
def test_a_changed_byte(tmp_path, idx, place):
    packed = bytearray(gzip.compress(idx(np.zeros((2, 3), np.uint8)), mtime=0))
    packed[place] ^= 0xFF
    (tmp_path / "f").write_bytes(packed)
    with pytest.raises(UserError, match=rf"^'{tmp_path}/f' is damaged or cut short: "):
        read_idx(tmp_path / "f")


def test_images_without_their_labels(tmp_path, idx):
    (tmp_path / "x").write_bytes(idx(np.zeros((2, 3, 3), np.uint8)))
    (tmp_path / "y").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(UserError) as error:
        read_pair(tmp_path / "x", tmp_path / "y")
    assert str(error.value) == f"'{tmp_path}/x' (2, 3, 3) and '{tmp_path}/y' (3,) are not images and their labels"
