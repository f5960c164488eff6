"""Whole commands, as they are typed, on small files in the formats that the data sets are published in.

The door of these tests differs from train.py in one thing: it expects the small files' hashes.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests import warm

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DOOR = """\
import hashlib, os, sys
from pathlib import Path
from data.cifar import Cifar
from data.mnist import MD5
from data.svhn import Svhn

cache = Path(os.environ["XDG_CACHE_HOME"]) / "cn"
for folder, known in (("mnist", MD5), ("svhn", Svhn._md5), ("cifar", Cifar._md5)):
    known.update({path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (cache / folder).iterdir()})
import train as real
from cn import Job, main
from runs import Run
from runs._launch import launch


def train(run: Run, job: Job) -> float:
    return real.train(run, job)


if __name__ == "__main__":
    sys.argv[0] = "train.py"
    main(train, folder=False, launcher=launch)
"""


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from scipy.io import savemat

    cache = tmp_path_factory.mktemp("cache")
    random = np.random.default_rng(0)
    for name in ("mnist", "svhn", "cifar"):
        (cache / "cn" / name).mkdir(parents=True)
    for part, size in (("train", 120), ("t10k", 40)):
        labels = (np.arange(size) % 10).astype(np.uint8)
        images = random.integers(0, 255, (size, 28, 28), dtype=np.uint8)
        (cache / "cn/mnist" / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (cache / "cn/mnist" / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    for part, size in (("train", 120), ("test", 40)):
        colours = random.integers(0, 255, (32, 32, 3, size), dtype=np.uint8)
        savemat(cache / "cn/svhn" / f"{part}_32x32.mat", {"X": colours, "y": 1 + np.arange(size)[:, None] % 10})
    names = [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(cache / "cn/cifar/cifar-10-binary.tar.gz", "w:gz") as archive:
        members = {
            n: np.insert(random.integers(0, 255, (20, 3072), dtype=np.uint8), 0, np.arange(20) % 10, 1) for n in names
        }
        meta = "\n".join(f"name{n}" for n in range(10)).encode() + b"\n"
        for name, content in [*((n, a.tobytes()) for n, a in members.items()), ("batches.meta.txt", meta)]:
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return cache


def type_in(words: str, cache: Path, outputs: Path) -> subprocess.CompletedProcess[str]:
    """What `python train.py WORDS` prints and leaves; its outputs/ is in a folder of the test's own."""
    folder = outputs / "repository"
    if not folder.exists():
        for name in ("cn", "models", "data", "runs", "sweeps"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("outputs", "*.pyc.*"))
        shutil.copy(ROOT / "train.py", folder)
        (folder / "door.py").write_text(DOOR)
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    return warm.torch().run(["door.py", *words.split()], cwd=folder, env=environment)


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        ("model=linear data=mnist", 7_850),
        ("model=mlp data=mnist", 118_282),
        ("model=dense data=mnist optim.lr=0.001 data.batch_size=64", 67_978),
        ("run=mnist_experience", 67_978),
        ("run=mnist_experience model.lin1_size=256 data.batch_size=32", 243_658),
        ("model=vit data=cifar model.depth=1 model/head=cls_token", 469_066),
        ("run=cifar_vit model.depth=1", 468_874),
        ("run=cmnist/cnn", 25_746),
        ("model=single_linear_layer data=svhn", 30_730),
    ],
)
def test_a_command_trains_the_network_that_it_names(words: str, parameters: int, cache: Path, tmp_path: Path) -> None:
    done = type_in(f"{words} epochs=1", cache, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{parameters} parameters" in done.stdout
    assert "test accuracy" in done.stdout


def test_eight_runs_end_in_one_table(cache: Path, tmp_path: Path) -> None:
    done = type_in("-m model=linear,mlp,fcnn,vit data=mnist,svhn optim=adamw epochs=1", cache, tmp_path)
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("\n\n")[-1].splitlines()
    assert table[0].split() == ["no.", "model", "data", "result"]
    rows = [line.split() for line in table[2:]]
    assert [row[1:3] for row in rows] == [
        [model, data] for model in ("linear", "mlp", "fcnn", "vit") for data in ("mnist", "svhn")
    ]
    assert all(re.fullmatch(r"\d\.\d{4}", row[3]) for row in rows)


def test_six_runs_over_seeds_and_depths_of_the_default_model(cache: Path, tmp_path: Path) -> None:
    done = type_in("-m seed=42,43 model.hidden_dim=10 model.num_hidden=1,2,3 epochs=1", cache, tmp_path)
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("\n\n")[-1].splitlines()
    assert [line.split()[1:3] for line in table[2:]] == [[seed, depth] for seed in ("42", "43") for depth in "123"]
    assert len(list((tmp_path / "repository/outputs").glob("*/*/summary.json"))) == 6
