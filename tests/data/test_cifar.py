"""CIFAR-10 and CIFAR-100 from archives in their binary form."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
import torch

from cn import UserError
from data.cifar import Cifar, Hundred

TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def records(size: int, seed: int, labels: int) -> bytes:
    """`size` records; the last byte before each image is its class, number modulo 10."""
    random = np.random.RandomState(seed)
    rows = random.randint(0, 256, (size, labels + 3072)).astype(np.uint8)
    rows[:, labels - 1] = np.arange(size) % 10
    return rows.tobytes()


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def ten() -> dict[str, bytes]:
    folder = "cifar-10-batches-bin"
    batches = {f"{folder}/data_batch_{number}.bin": records(40, number, 1) for number in range(1, 6)}
    names = {f"{folder}/batches.meta.txt": "\n".join([*TEN, ""]).encode()}
    return names | batches | {f"{folder}/readme.html": b"<html>", f"{folder}/test_batch.bin": records(30, 6, 1)}


@pytest.fixture
def put(tmp_path, md5, monkeypatch):
    """Writes an archive into a folder under the published name, and takes it for the published one."""

    def put(node: type[Cifar], content: bytes) -> Cifar:
        (tmp_path / node._archive).write_bytes(content)
        monkeypatch.setattr(Cifar, "_md5", {node._archive: md5(content)})
        return node(root=tmp_path)

    return put


def test_cifar_10(put, ten):
    data = put(Cifar, archive(ten)).build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (180, 20, 30)
    assert (data.inputs, data.classes) == ((3, 32, 32), tuple(TEN))
    rows = np.frombuffer(ten["cifar-10-batches-bin/test_batch.bin"], np.uint8).reshape(30, 3073)
    assert (data.test.images.flatten(1).numpy() == rows[:, 1:]).all()
    assert (data.test.labels.numpy() == rows[:, 0]).all()
    images = torch.cat([data.train.images, data.validation.images]).flatten(1)
    assert len({image.numpy().tobytes() for image in images}) == 200


def test_the_seed_holds_out_and_never_touches_the_test(put, ten):
    node = put(Cifar, archive(ten))
    one, again, other = (node.build(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.validation.images, again.validation.images)
    assert not torch.equal(one.validation.images, other.validation.images)
    assert torch.equal(one.test.images, other.test.images)


def test_cifar_100_has_its_fine_labels(put):
    members = {"train.bin": records(50, 0, 2), "test.bin": records(20, 1, 2)}
    members["fine_label_names.txt"] = "".join(f"kind_{number}\n" for number in range(100)).encode()
    members["coarse_label_names.txt"] = b"other\n"
    node = put(Hundred, archive({f"cifar-100-binary/{name}": content for name, content in members.items()}))
    data = node.build(seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (45, 5, 20)
    assert data.classes == tuple(f"kind_{number}" for number in range(100))
    assert data.test.labels.tolist() == [number % 10 for number in range(20)]
    assert (data.test.images[3].flatten().numpy().tobytes()) == members["test.bin"][3 * 3074 + 2 : 4 * 3074]


def test_training_is_augmented_by_default(put, ten):
    train = put(Cifar, archive(ten)).build(seed=0).train
    index = torch.arange(100)
    assert not torch.equal(train.batch(index)[0], train.batch(index)[0])


@pytest.mark.usefixtures("offline")
def test_offline_it_says_what_to_do(cache):
    with pytest.raises(UserError) as error:
        Cifar().build(seed=0)
    assert str(error.value) == (
        "cifar-10-binary.tar.gz could not be fetched from https://www.cs.toronto.edu/~kriz/: no connection\n"
        f"  put cifar-10-binary.tar.gz into '{cache}/cifar', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=digits, which needs no download"
    )


def test_a_cut_archive(put, ten, tmp_path):
    with pytest.raises(UserError, match=rf"^'{tmp_path}/cifar-10-binary\.tar\.gz' is damaged or cut short: "):
        put(Cifar, archive(ten)[:-20_000]).build(seed=0)


def test_no_archive(put, tmp_path):
    with pytest.raises(UserError, match=rf"^'{tmp_path}/cifar-10-binary\.tar\.gz' is damaged or cut short: "):
        put(Cifar, b"<html>").build(seed=0)


def test_another_archive(put, ten, tmp_path):
    for number in (2, 3):
        del ten[f"cifar-10-batches-bin/data_batch_{number}.bin"]
    with pytest.raises(UserError) as error:
        put(Cifar, archive(ten)).build(seed=0)
    assert str(error.value) == (
        f"'{tmp_path}/cifar-10-binary.tar.gz' lacks data_batch_2.bin, data_batch_3.bin: "
        "it is not the binary form of this data set"
    )


def test_half_a_record(put, ten, tmp_path):
    ten["cifar-10-batches-bin/test_batch.bin"] += b"x"
    with pytest.raises(UserError) as error:
        put(Cifar, archive(ten)).build(seed=0)
    assert str(error.value) == (
        f"test_batch.bin in '{tmp_path}/cifar-10-binary.tar.gz' is damaged: "
        "its 92191 bytes are not whole records of 3073 bytes"
    )
