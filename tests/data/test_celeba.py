"""CelebA in its published layout, its two or four classes, and its presets."""

from __future__ import annotations

import os
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from cn import UserError
from data.celeba import Attribute, Celeba, MaleSmiling, MaleSmilingSmall

COUNTS = {"0": 24, "1": 8, "2": 12}
SIGNS = np.random.RandomState(1).choice([-1, 1], (sum(COUNTS.values()), 40))
MALE, SMILING = get_args(Attribute).index("male"), get_args(Attribute).index("smiling")


@pytest.fixture
def root(tmp_path):
    """44 pictures of 178x218 pixels, each of one grey, with a red frame outside the middle square."""
    root = tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    names = [f"{number:06}.jpg" for number in range(1, len(SIGNS) + 1)]
    for number, name in enumerate(names):
        picture = Image.new("RGB", (178, 218), (255, 0, 0))
        picture.paste((number * 5,) * 3, (0, 16, 178, 208))  # whole JPEG blocks, so that no red seeps in
        picture.save(root / "img_align_celeba" / name, quality=95)
    header = " ".join(name.title() for name in get_args(Attribute))
    lines = [f"{name}  {' '.join(f'{sign:2d}' for sign in signs)}" for name, signs in zip(names, SIGNS, strict=True)]
    (root / "list_attr_celeba.txt").write_text("\n".join([str(len(names)), header, *lines, ""]))
    parts = "".join(part * count for part, count in COUNTS.items())
    (root / "list_eval_partition.txt").write_text("".join(f"{n} {p}\n" for n, p in zip(names, parts, strict=True)))
    return root


def test_the_published_parts_whatever_the_seed(root):
    one, other = (Celeba(root=root).build(seed=seed) for seed in (1, 2))
    assert (len(one.train), len(one.validation), len(one.test)) == (24, 8, 12)
    for a, b in zip((one.train, one.validation, one.test), (other.train, other.validation, other.test), strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)


def test_pictures_are_their_middle_square(root):
    data = Celeba(root=root, size=16).build(seed=0)
    assert data.inputs == (3, 16, 16)
    images = torch.cat([data.train.images, data.validation.images, data.test.images]).int()
    greys = (torch.arange(44) * 5)[:, None, None, None]
    assert (images - greys).abs().max() <= 2  # JPEG


def test_two_classes_without_a_subclass(root):
    data = Celeba(root=root, superclass="male").build(seed=0)
    assert data.classes == ("not_male", "male")
    assert data.train.labels.tolist() == (SIGNS[:24, MALE] == 1).astype(int).tolist()


def test_four_classes_with_a_subclass(root):
    data = Celeba(root=root, superclass="smiling", subclass="male").build(seed=0)
    assert data.classes == ("not_smiling_not_male", "not_smiling_male", "smiling_not_male", "smiling_male")
    smiling, male = SIGNS[32:, SMILING] == 1, SIGNS[32:, MALE] == 1
    assert data.test.labels.tolist() == (2 * smiling + male).tolist()


def test_the_presets_inherit(root):
    node = MaleSmiling(root=root)
    assert (node.superclass, node.subclass, node.size, node.fraction) == ("smiling", "male", 64, 1.0)
    data = MaleSmilingSmall(root=root, fraction=0.5).build(seed=0)
    assert (data.inputs, len(data.classes)) == ((3, 32, 32), 4)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 6)
    assert MaleSmilingSmall().fraction == 0.1


def test_pictures_are_decoded_once(root, cache, monkeypatch):
    first = Celeba(root=root).build(seed=0)
    assert [path.suffix for path in sorted((cache / "celeba").iterdir()) if path.suffix != ".lock"] == [".npy"]
    monkeypatch.delattr("data._celeba._decode")
    assert torch.equal(Celeba(root=root, superclass="bald").build(seed=1).train.images, first.train.images)


def test_a_damaged_cache(root, cache):
    Celeba(root=root).build(seed=0)
    [kept] = (cache / "celeba").glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:500])
    with pytest.raises(UserError) as error:
        Celeba(root=root).build(seed=0)
    assert str(error.value) == f"'{kept}' cannot be read\n  delete it, and it is made again"


def test_a_cache_that_cannot_be_made(root, cache):
    cache.parent.mkdir()
    cache.write_text("a file where a folder should be")
    what = rf"^'{cache}/celeba/decoded_64_\w+\.npy' cannot be written: Not a directory\n"
    with pytest.raises(UserError, match=what + r"  XDG_CACHE_HOME chooses another place$"):
        Celeba(root=root).build(seed=0)


def test_a_changed_folder_is_decoded_again(root):
    Celeba(root=root).build(seed=0)
    folder = root / "img_align_celeba"
    Image.new("RGB", (178, 218), (250, 250, 250)).save(folder / "new.jpg")
    (folder / "new.jpg").rename(folder / "000001.jpg")
    os.utime(folder, ns=(1, 1))
    assert Celeba(root=root).build(seed=0).train.images[0].min() >= 248


def test_a_grey_picture_is_a_picture(root):
    Image.new("L", (178, 218), 9).save(root / "img_align_celeba" / "000001.jpg")
    assert Celeba(root=root).build(seed=0).train.images[0].shape == (3, 64, 64)


def test_without_files_it_says_what_to_do(cache):
    with pytest.raises(UserError) as error:
        Celeba().build(seed=0)
    assert str(error.value) == (
        f"CelebA is not in '{cache}/celeba', which lacks "
        "img_align_celeba, list_attr_celeba.txt, list_eval_partition.txt\n"
        "  its authors give it out by hand: put img_align_celeba/ unpacked, list_attr_celeba.txt and"
        " list_eval_partition.txt there\n"
        "  or name their folder with data.root=FOLDER, or use data=digits, which needs no download"
    )


def test_a_missing_picture(root):
    for name in ("000007.jpg", "000009.jpg"):
        (root / "img_align_celeba" / name).unlink()
    with pytest.raises(UserError) as error:
        Celeba(root=root).build(seed=0)
    assert str(error.value) == f"'{root}/img_align_celeba' lacks 2 of 44 pictures, the first of them 000007.jpg"


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_a_damaged_picture(root, cache, content):
    path = root / "img_align_celeba" / "000007.jpg"
    path.write_bytes(path.read_bytes()[:900] if content is None else content)
    with pytest.raises(UserError, match=rf"^'{path}' is damaged or no picture: "):
        Celeba(root=root).build(seed=0)
    assert not list((cache / "celeba").glob("*.npy"))


@pytest.mark.parametrize(
    ("file", "before", "after", "text"),
    [
        ("list_eval_partition.txt", "000003.jpg 0", "000003.jpg 3", "line 3 is not the name of a file and 0, 1 or 2"),
        ("list_eval_partition.txt", " 1\n", " 0\n", "train, validation and test would have 32, 0, 12 images"),
        ("list_attr_celeba.txt", "Smiling", "Grinning", "its second line does not name smiling"),
        ("list_attr_celeba.txt", "000003.jpg  ", "000003.jpg 1 ", "line 5 is not a name and 40 times 1 or -1"),
        ("list_attr_celeba.txt", "Young", "Young\nx", "line 3 is not a name and 40 times 1 or -1"),
    ],
)
def test_damaged_tables(root, file, before, after, text):
    path = root / file
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(UserError) as error:
        Celeba(root=root).build(seed=0)
    assert str(error.value) == f"'{path}' is damaged: {text}"


def test_a_table_that_is_no_text(root):
    path = root / "list_eval_partition.txt"
    path.write_bytes(b"\xff\xd8")
    with pytest.raises(UserError) as error:
        Celeba(root=root).build(seed=0)
    assert str(error.value) == (
        f"'{path}' cannot be read: 'ascii' codec can't decode byte 0xff in position 0: ordinal not in range(128)"
    )


def test_a_picture_without_attributes(root):
    path = root / "list_attr_celeba.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("000003.jpg")))
    with pytest.raises(UserError) as error:
        Celeba(root=root).build(seed=0)
    assert str(error.value) == f"'{path}' has no line for '000003.jpg', which '{root}/list_eval_partition.txt' names"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 7}, "Celeba.size is 8 <= int <= 178, not 7"),
        ({"fraction": 0.0}, "Celeba.fraction is 0 < float <= 1, not 0.0"),
        ({"subclass": "smiling"}, "superclass and subclass are both 'smiling': change one, or give subclass=null"),
        ({"size": 16, "crop": 16}, "crop is 16, and must be 0 to 15 for images of 16x16 pixels"),
    ],
)
def test_values_out_of_range(values, text):
    with pytest.raises((ValueError, UserError)) as error:
        Celeba(**values).check()
    assert str(error.value).split("\n")[0] == text
