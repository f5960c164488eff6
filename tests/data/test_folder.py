"""Images in folders: which there are, what becomes of each kind, and what is said where there is something amiss."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from cn import UserError, compose
from data import _crop
from data.folder import Folder
from runs import Run
from tests.data.pictures import COLOURS, picture, write


def build(root: Path, **how: Any) -> Any:
    return Folder(**{"root": root, "size": 8, "workers": 0, **how}).build(seed=1)


def names(split: Any) -> list[str]:
    return sorted(split.examples.name(each) for each in range(len(split)))


def colour(root: Path, path: Path) -> list[float]:
    """The mean of each channel as `data=folder` gives this file, in levels."""
    data = build(root)
    images = data.pixels(data.train.batch(torch.arange(len(data.train)))[0])
    place = [data.train.examples.name(each) for each in range(len(data.train))].index(str(path))
    return images[place].float().mean((1, 2)).tolist()


# --- which images there are


def test_each_part_has_the_files_of_its_folder(tmp_path):
    data = build(write(tmp_path, train=10, validation=4, test=6))
    assert [len(each) for each in (data.train, data.validation, data.test)] == [10, 4, 6]
    assert (data.classes, data.inputs) == (("cat", "dog"), (3, 8, 8))
    assert names(data.test)[0] == f"{tmp_path}/test/cat/000.jpg"
    assert data.test.batch(torch.arange(6))[1].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_the_validation_part_has_three_names(name, tmp_path):
    data = build(write(tmp_path, **{"train": 20, name: 6}))
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 6, 2)
    assert not set(names(data.train)) & set(names(data.test))


def test_a_single_folder_is_divided_by_the_seed(tmp_path):
    write(tmp_path, **{".": 40})
    first, again = build(tmp_path), build(tmp_path)
    other = Folder(root=tmp_path, workers=0).build(seed=2)
    parts = [names(each) for each in (first.train, first.validation, first.test)]
    assert [len(each) for each in parts] == [32, 4, 4]
    assert len({each for part in parts for each in part}) == 40
    assert parts == [names(each) for each in (again.train, again.validation, again.test)]
    assert parts[1] != names(other.validation)
    assert [name.count("cat") for name in (" ".join(each) for each in parts)] == [16, 2, 2]


def test_folders_in_a_class_and_upper_case_endings_are_of_it_and_other_files_are_not(tmp_path):
    write(tmp_path, train=8, validation=2, test=2)
    deep = tmp_path / "train" / "dog" / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "train" / "dog" / ".hidden").mkdir()
    for path in (deep / "X.JPEG", deep / "y.Png", deep / "z.WEBP", deep.parents[1] / ".hidden" / "no.jpg"):
        kind = "jpeg" if path.suffix == ".JPEG" else None
        picture(COLOURS["dog"], 1).save(path, format=kind)
    (deep / "notes.txt").write_text("no image")
    train = build(tmp_path).train
    assert len(train) == 11
    assert [name.rpartition("/dog/")[2] for name in names(train)[-3:]] == ["a/b/X.JPEG", "a/b/y.Png", "a/b/z.WEBP"]
    assert train.batch(torch.arange(11))[1].tolist() == [0] * 4 + [1] * 7


def test_a_name_that_is_no_utf8_is_read(tmp_path):
    write(tmp_path, train=8, validation=2, test=2)
    path = tmp_path / "train" / "cat" / "000.jpg"
    path.rename(path.with_name("\udcff\u00e9.jpg"))
    data = build(tmp_path)
    assert len(data.train.batch(torch.arange(8))[1]) == 8


# --- what becomes of each kind


KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("RGB", "jpg", {"quality": 95}),
    "png": ("RGB", "png", {}),
    "webp": ("RGB", "webp", {"lossless": True}),
    "palette": ("P", "png", {}),
    "transparent palette": ("P", "png", {"transparency": bytes([0, 128] + [255] * 200)}),
    "alpha": ("RGBA", "png", {}),
    "webp with alpha": ("RGBA", "webp", {"lossless": True}),
    "cmyk": ("CMYK", "jpg", {"quality": 95}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_has_its_colour(kind, tmp_path):
    mode, ending, how = KINDS[kind]
    write(tmp_path, train=4, validation=2, test=2)
    path = tmp_path / "train" / "cat" / f"kind.{ending}"
    picture(COLOURS["cat"], 1).convert(mode).save(path, **how)
    assert colour(tmp_path, path) == pytest.approx(COLOURS["cat"], abs=8)


@pytest.mark.parametrize(
    ("mode", "value"),
    [("L", 90), ("LA", (90, 255)), ("I;16", 90 * 257), ("1", 255)],
    ids=["grey", "LA", "16 bits", "1"],
)
def test_grey_is_grey(mode, value, tmp_path):
    write(tmp_path, train=4, validation=2, test=2)
    path = tmp_path / "train" / "cat" / "grey.png"
    Image.new(mode, (9, 9), value).save(path)
    level = 255 if mode == "1" else 90
    assert colour(tmp_path, path) == pytest.approx([level] * 3, abs=1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_an_image_is_turned_as_its_camera_was(orientation, ending, tmp_path):
    path = tmp_path / f"turned.{ending}"
    sides = np.zeros((24, 40, 3), np.uint8)
    sides[:, :20, 0] = 255
    sides[:12, :, 1] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(sides).save(path, exif=exif)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    w, h = upright.size
    box = ((w - 24) / 2, (h - 24) / 2, (w + 24) / 2, (h + 24) / 2)
    wanted = np.asarray(upright.resize((8, 8), Image.Resampling.BILINEAR, box=box)).transpose(2, 0, 1)
    found = _crop.fitted(path, size=8)
    assert np.abs(found.astype(int) - wanted).max() <= (
        16 if ending == "jpg" else 1
    )  # at an edge, of which a JPEG in part decoded knows less


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (3, 2)])
def test_the_smallest_images_can_be_cut(size, tmp_path):
    path = tmp_path / "small.png"
    Image.new("RGB", size, (10, 20, 30)).save(path)
    for seed in range(50):
        random.seed(seed)
        for found in (_crop.cut(path, random, size=8, least=0.1, flip=True), _crop.fitted(path, size=8)):
            assert found.shape == (3, 8, 8)
            assert found.mean((1, 2)).tolist() == [10, 20, 30]


@pytest.mark.slow
@pytest.mark.parametrize("side", [(12, 20), (300, 200), (1600, 1200)], ids=["small", "middle", "large"])
def test_a_window_is_what_a_plain_decoding_gives(side, tmp_path):
    """Of a large JPEG less is decoded; a smooth picture differs by a few levels."""
    path, (w, h) = tmp_path / "smooth.jpg", side
    x, y = np.meshgrid(np.linspace(0, 1, w), np.linspace(0, 1, h))
    levels = 128 + 120 * np.stack([np.sin(7 * x), np.cos(5 * y), np.sin(4 * x * y)], axis=-1)
    Image.fromarray(levels.astype(np.uint8)).save(path, quality=97)
    for seed in range(10):
        random.seed(seed)
        found = _crop.cut(path, random, size=16, least=0.2, flip=True)
        random.seed(seed)
        box = _crop._drawn(random, w, h, 0.2)
        flipped = random.random() < 0.5
        with Image.open(path) as image:
            plain = image.convert("RGB").resize((16, 16), Image.Resampling.BILINEAR, box=box)
        wanted = np.asarray(plain).transpose(2, 0, 1).astype(int)
        wanted = wanted[:, :, ::-1] if flipped else wanted
        assert np.abs(found.astype(int) - wanted).mean() < 1
        assert np.abs(found.astype(int) - wanted).max() <= 4


def test_an_image_draws_from_its_seed_alone(tmp_path):
    """Which spares the seeding of three global generators an image."""
    pictures = build(write(tmp_path, train=20), least=0.3).train.examples
    random.seed(7)
    wanted = pictures[3][0]
    before = random.getstate()
    assert not all(torch.equal(pictures.seeded(3, seed)[0], wanted) for seed in range(4))
    assert torch.equal(pictures.seeded(3, 7)[0], wanted)
    assert random.getstate() == before


def test_windows_differ_in_place_and_size_and_half_are_mirrored(tmp_path):
    path = tmp_path / "slope.png"
    slope = np.broadcast_to(np.linspace(0, 255, 64)[None, :, None], (64, 64, 3))
    Image.fromarray(slope.astype(np.uint8)).save(path)
    found = [_crop.cut(path, random, size=8, least=0.35, flip=True).astype(int) for _ in range(100)]
    mirrored = sum(each[0, 0, 0] > each[0, 0, -1] for each in found)
    assert 30 < mirrored < 70
    widths = [abs(each[0, 0, 0] - each[0, 0, -1]) for each in found]
    assert max(widths) - min(widths) > 50


# --- what is said where something is amiss


def refused(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        build(root)
    return str(caught.value)


def test_a_root_that_is_missing_or_a_file(tmp_path):
    path = tmp_path / "no"
    write_it = "\n  write: data.root=DIR, with DIR/train/CLASS/*"
    assert refused(path) == f"data.root={path}: there is no such folder{write_it}"
    path.write_text("")
    assert refused(path) == f"data.root={path}: it is no folder{write_it}"


def test_a_root_that_is_not_given():
    with pytest.raises(UserError) as caught:
        compose(Run, ["data=folder"])
    what, where, write_it = str(caught.value).split("\n  ")
    assert what == "data.root is required and was not given"
    assert re.fullmatch(r"defined in data/folder.py:\d+", where)
    assert write_it == "write: data.root=... (Path)"


def test_parts_without_a_training_part(tmp_path):
    write(tmp_path, classes=["cat", "dog"], val=1)
    must = f"it must be: {tmp_path}/train/CLASS/*.jpg"
    assert refused(tmp_path) == f"{tmp_path}/val is there, and {tmp_path}/train is not\n  {must}"


def test_no_class_and_one_class(tmp_path):
    must = f"\n  it must be: {tmp_path}/CLASS/*.jpg, of two classes or more"
    assert refused(tmp_path) == f"{tmp_path} has no folders, and a class is a folder of images{must}"
    write(tmp_path, classes=["cat"], **{".": 2})
    assert refused(tmp_path) == f"{tmp_path} has 1 folder, and a class is a folder of images{must}"


def test_a_class_without_images(tmp_path):
    write(tmp_path, train=4)
    (tmp_path / "train" / "eel").mkdir()
    kinds = "a file of these kinds is one: jpg, jpeg, png, webp"
    assert refused(tmp_path) == f"{tmp_path}/train/eel holds no image\n  {kinds}"


def test_a_class_that_the_training_part_has_not(tmp_path):
    write(tmp_path, train=4)
    write(tmp_path, classes=["cat", "eel"], val=4)
    what = f"{tmp_path}/val has a class 'eel', which {tmp_path}/train has not"
    assert refused(tmp_path) == f"{what}\n  its classes: cat, dog"


def test_a_part_may_lack_a_class(tmp_path):
    write(tmp_path, classes=["cat", "dog", "eel"], train=9)
    write(tmp_path, classes=["cat", "eel"], val=4)
    data = build(tmp_path)
    assert data.validation.batch(torch.arange(4))[1].tolist() == [0, 0, 2, 2]


# --- memory


@pytest.mark.slow
def test_a_hundred_thousand_files_need_little_more_memory_than_a_thousand(tmp_path):
    """In bytes that a process and its two workers hold together, each page counted once."""
    source = [picture(COLOURS[name], 1) for name in ("cat", "dog")]
    held: list[int] = []
    for count in (1_000, 100_000):
        root = tmp_path / str(count)
        write(root, validation=2, test=2)
        for name, image in zip(("cat", "dog"), source, strict=True):
            folder = root / "train" / name
            folder.mkdir(parents=True)
            image.save(folder / "one.jpg")
            for number in range(count // 2):
                if number % 30_000 == 0:  # a file system may allow no more links to one file
                    first = folder / f"{number}_{'long_name' * 3}.jpg"
                    first.write_bytes((folder / "one.jpg").read_bytes())
                else:
                    os.link(first, folder / f"{number}_{'long_name' * 3}.jpg")
        told = subprocess.run(
            [sys.executable, "-c", HOLDS, str(root)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        held.append(int(told.stdout))
    assert held[1] - held[0] < 200e6


ROOT = Path(__file__).parents[2]
HOLDS = """
import multiprocessing, os, sys
from itertools import islice
from pathlib import Path
import torch
from data.folder import Folder
from runs import Run

train = Folder(root=Path(sys.argv[1]), size=8, workers=2).build(seed=1).train
found = train.batches((epoch, torch.randperm(len(train)).split(16)) for epoch in range(8))
for _ in islice(found, 300):
    pass
held = 0
for number in (os.getpid(), *(each.pid for each in multiprocessing.active_children())):
    lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    held += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
found.close()
print(held * 1024)
"""
