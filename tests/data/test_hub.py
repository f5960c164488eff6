"""Data sets of the library `datasets`: what they become, and what is said where something is amiss."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch

import cn
from cn import UserError
from data import BadExample
from data.folder import Folder
from data.hub import Hub, Numbers, Table
from tests.data.pictures import write
from tests.data.tables import images, keep_in, numbers, write_configured, write_parts

ROOT = Path(__file__).parents[2]
PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with a cache of its own."""
    keep_in(tmp_path / "cache", monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(cls: Any, path: str, **how: Any) -> Any:
    more = {"size": 8, "workers": 0} if cls is Hub else {}
    return cls(path=Path(path), **more, **how).build(seed=how.pop("seed", 1))


def sizes(data: Any) -> list[int]:
    return [len(getattr(data, part)) for part in PARTS]


def whole(split: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return split.batch(torch.arange(len(split)))


def names(split: Any) -> list[str]:
    return [split.examples.name(each) for each in range(len(split))]


def same(one: Any, other: Any) -> bool:
    pairs = [(whole(getattr(one, part)), whole(getattr(other, part))) for part in PARTS]
    return all(torch.equal(a, b) for first, second in pairs for a, b in zip(first, second, strict=True))


# --- images


def test_a_folder_of_images_is_what_data_folder_makes_of_it():
    write(Path("root"), train=20, val=6)
    data = build(Hub, "root")
    assert (sizes(data), data.inputs, data.classes, data.noun) == ([18, 6, 2], (3, 8, 8), ("cat", "dog"), "images")
    assert same(data, Folder(root=Path("root"), size=8, workers=0).build(seed=1))
    assert names(data.validation)[0] == str(Path("root/val/cat/000.jpg").absolute())


def test_a_folder_of_classes_alone_is_divided_by_the_seed():
    write(Path("root"), **{".": 40})
    data, other = build(Hub, "root"), Hub(path=Path("root"), workers=0).build(seed=2)
    assert sizes(data) == [32, 4, 4]
    assert [whole(each)[1].sum().item() for each in (data.train, data.validation, data.test)] == [16, 2, 2]
    assert len({each for part in PARTS for each in names(getattr(data, part))}) == 40
    assert names(data.test) != names(other.test)


def test_images_in_a_table_stay_in_a_mapped_file():
    write_parts(Path("rows"), images, train=20, test=4)
    data = build(Hub, "rows")
    assert (sizes(data), data.classes) == ([18, 2, 4], ("cat", "dog"))
    assert whole(data.test)[1].tolist() == [0, 1, 0, 1]
    found = data.pixels(whole(data.test)[0]).float().mean((2, 3))
    assert found[0, 0] > 150 > 100 > found[1, 0]  # a cat is red, and a dog is blue
    assert data.train.examples.stored.rows.cache_files


def test_a_column_of_bytes_is_read_when_it_is_named():
    rows = images(12).cast_column("image", datasets.Image(decode=False))
    content = [each["bytes"] for each in rows["image"]]
    datasets.Dataset.from_dict({"raw": content, "label": rows["label"]}).to_parquet("raw.parquet")
    write_parts(Path("rows"), images, train=12)
    assert same(build(Hub, "raw.parquet", image="raw"), build(Hub, "rows"))


def test_no_image_and_one_that_is_none_end_the_run_or_are_left_out():
    rows = images(20).cast_column("image", datasets.Image(decode=False)).to_list()
    rows[4]["image"], rows[7]["image"] = None, {"bytes": b"nothing", "path": None}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    datasets.Dataset.from_list(rows, features=features).to_parquet("train.parquet")
    place = "split train of data.path=train.parquet"
    leave = "\n  to leave out what cannot be read: data.on_damaged=skip"
    told = {f"row 5 of {place}": "it has no image", f"row 8 of {place}": "it holds no image of a kind that is known"}
    data = build(Hub, "train.parquet")
    for name, why in told.items():
        index = [names(data.train).index(name)]
        with pytest.raises(BadExample) as caught:
            data.train.batch(torch.tensor(index))
        assert str(caught.value) == f"{name}: {why}{leave}"
    left = build(Hub, "train.parquet", on_damaged="skip").train
    assert len(whole(left)[1]) == len(left) - 2
    assert left.damaged == told


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.float32([[0, 90], [200, 255]]), None),
        (np.int32([[0, 90], [200, 255]]), None),
        (np.float32([[0.0, 0.25], [0.5, 1.0]]), "0 to 1"),
        (np.float32([[-1.0, 0.25], [0.5, 1.0]]), "-1 to 1"),
        (np.int32([[0, 90], [200, 65535]]), "0 to 65535"),
    ],
)
def test_pixels_of_32_bits_are_levels_or_refused(pixels, told):
    """As the library stores arrays of them; clipped to 0 and 255 they would be empty images."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": [pixels] * 20, "label": [0, 1] * 10}
    datasets.Dataset.from_dict(rows, features=features).to_parquet("train.parquet")
    data = Hub(path=Path("train.parquet"), size=2, workers=0).build(seed=1)
    if told is None:
        assert data.pixels(whole(data.validation)[0])[0, 0].tolist() == pixels.tolist()
        return
    with pytest.raises(BadExample) as caught:
        whole(data.validation)
    why = f"its levels are {told}, and those of a picture are 0 to 255"
    assert str(caught.value).split("\n")[0].endswith(f": {why}")


# --- rows of numbers


WRITERS: dict[str, Callable[[Any], Any]] = {
    "rows.csv": lambda rows: rows.to_csv("rows.csv"),
    "rows.tsv": lambda rows: rows.to_csv("rows.tsv", sep="\t"),
    "rows.json": lambda rows: Path("rows.json").write_text(json.dumps(rows.to_list())),
    "rows.JSONL": lambda rows: rows.to_json("rows.JSONL"),
    "rows.parquet": lambda rows: rows.to_parquet("rows.parquet"),
    "rows.arrow": lambda rows: Path("saved/data-00000-of-00001.arrow").rename("rows.arrow"),
}


@pytest.mark.parametrize("file", WRITERS)
def test_every_kind_of_file_gives_the_same_rows(file):
    rows = numbers(60)
    rows.save_to_disk("saved")
    WRITERS[file](rows)
    data = build(Table, file, features=["a", "b"])
    assert (sizes(data), data.inputs, data.classes, data.noun) == ([48, 6, 6], (2,), ("above", "below"), "rows")
    write_parts(Path("same"), numbers, train=60)
    assert same(data, build(Table, "same", features=["a", "b"]))


@pytest.mark.parametrize("several", [True, False])
def test_a_folder_that_the_library_has_saved_is_read(several):
    write_parts(Path("rows"), numbers, train=40, **({"test": 10} if several else {}))
    parts = {part: numbers(count, seed) for seed, (part, count) in enumerate((("train", 40), ("test", 10)))}
    (datasets.DatasetDict(parts) if several else parts["train"]).save_to_disk("saved")
    assert same(build(Table, "saved"), build(Table, "rows"))
    assert refused(lambda: build(Table, "saved", config="one")) == (
        "data.config=one: data.path=saved has no configurations\n  leave out data.config"
    )


def test_rows_are_scaled_by_the_training_part_and_classes_are_in_proportion():
    datasets.Dataset.from_dict({"x": list(range(100)), "label": [each % 4 == 0 for each in range(100)]}).to_csv("x.csv")
    data = build(Table, "x.csv", validation=0.2, test=0.2)
    assert (sizes(data), data.classes) == ([60, 20, 20], ("False", "True"))
    features, labels = whole(data.train)
    assert features.mean().abs() < 1e-6
    assert features.std(correction=0) == pytest.approx(1)
    assert [whole(getattr(data, part))[1].sum().item() for part in PARTS] == [15, 5, 5]
    assert labels.dtype == torch.int64
    rows = torch.cat([whole(getattr(data, part))[0] for part in PARTS])
    assert len(rows.unique()) == 100


def test_all_columns_of_numbers_are_features_but_no_text_and_not_the_target():
    write_parts(Path("rows"), numbers, train=40)
    assert build(Table, "rows").inputs == (3,)
    assert build(Numbers, "rows", target="sum").inputs == (2,)
    assert build(Table, "rows", features=["b"]).inputs == (1,)


def test_several_numbers_are_predicted_in_their_own_unit():
    write_parts(Path("rows"), numbers, train=40, validation=10, test=10)
    data = build(Numbers, "rows", target=["sum", "b"])
    assert (sizes(data), data.inputs, data.targets) == ([40, 10, 10], (1,), ("sum", "b"))
    values = torch.tensor(numbers(40)["sum"], dtype=torch.float64)
    assert data.unit[0] == pytest.approx(values.std(correction=0))
    given = whole(data.test)[1][:, 0] * data.unit[0] + values.mean()
    torch.testing.assert_close(given, torch.tensor(numbers(10, 2)["sum"]), check_dtype=False)


CLASSES: list[tuple[Any, Any, tuple[str, ...]]] = [
    ([10, 9, 2, 10], datasets.Value("int64"), ("2", "9", "10")),
    (["b", "a", "b", "a"], datasets.Value("string"), ("a", "b")),
    ([True, False, True, False], datasets.Value("bool"), ("False", "True")),
    ([2, 0, 2, 0], datasets.ClassLabel(names=["z", "unused", "a"]), ("z", "a")),
]


@pytest.mark.parametrize(("labels", "feature", "classes"), CLASSES, ids=["numbers", "text", "bools", "ClassLabel"])
def test_classes_are_those_that_occur_in_order(labels, feature, classes):
    features = datasets.Features({"x": datasets.Value("int64"), "label": feature})
    rows = {"x": [1, 2, 3, 4] * 5, "label": labels * 5}
    datasets.Dataset.from_dict(rows, features=features).to_parquet("rows.parquet")
    data = build(Table, "rows.parquet")
    assert data.classes == classes
    wanted = sorted(sorted(set(labels)).index(each) for each in labels * 5)
    assert sorted(each for part in PARTS for each in whole(getattr(data, part))[1].tolist()) == wanted


def test_a_part_without_a_split_is_held_out_and_null_asks_for_it():
    write_parts(Path("rows"), numbers, train=40, dev=10, test=10)
    assert sizes(build(Table, "rows")) == [40, 10, 10]  # the library calls dev validation
    assert sizes(build(Table, "rows", test_split=None)) == [36, 10, 4]
    assert sizes(build(Table, "rows", validation_split=None, test_split=None)) == [32, 4, 4]


def test_a_configuration_and_splits_of_any_name_are_chosen():
    write_configured(Path("rows"), numbers)
    data = build(Table, "rows", config="two", train_split="part0", validation_split="part2", test_split=None)
    assert sizes(data) == [36, 20, 4]


def test_nothing_is_printed_and_the_library_is_left_as_it_was(capfd):
    write_parts(Path("rows"), numbers, train=40)
    Path("bad.parquet").write_bytes(b"PAR1")
    capfd.readouterr()
    levels = [logging.getLogger(each).level for each in ("datasets", "huggingface_hub")]
    build(Table, "rows")
    with pytest.raises(UserError):
        build(Table, "bad.parquet")
    assert capfd.readouterr() == ("", "")
    assert levels == [logging.getLogger(each).level for each in ("datasets", "huggingface_hub")]
    assert not datasets.are_progress_bars_disabled()


# --- what is said where something is amiss


def refused(action: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        action()
    told = str(caught.value)
    assert len(told.splitlines()) <= 6
    return told


def csv(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


WHERE = (
    "\n  for files on this machine: data.path=FILE or data.path=DIR\n  for a data set on the Hub: data.name=OWNER/NAME"
)
FILES = "\n  for files on this machine: data.path=FILE or data.path=DIR"
VALUES: list[tuple[dict[str, Any], str]] = [
    ({}, f"path and name are both missing, and one of them says where{WHERE}"),
    ({"path": "x", "name": "y"}, f"path and name are both given, and one of them says where{WHERE}"),
    ({"name": "a b"}, f"name is a b, and must be NAME or OWNER/NAME of a data set on the Hub{FILES}"),
    ({"name": "/tmp/rows"}, f"name is /tmp/rows, and must be NAME or OWNER/NAME of a data set on the Hub{FILES}"),
    (
        {"path": "x", "revision": "main"},
        "revision belongs to name, and files have none\n  leave out data.revision",
    ),
    (
        {"path": "x", "train_split": "test"},
        "train_split and test_split are both test, and no example may be in two parts"
        "\n  to hold one out of train: data.test_split=null",
    ),
    (
        {"path": "x", "validation": 0.9},
        "validation is 0.9 and test is 0.1: both together must be below 1",
    ),
]


@pytest.mark.parametrize(("values", "text"), VALUES, ids=lambda each: " ".join(each) if isinstance(each, dict) else "")
def test_values_that_do_not_go_together_are_refused_at_once(values, text):
    words = [f"{name}='{value}'" if isinstance(value, str) else f"{name}={value}" for name, value in values.items()]
    told, _, place = refused(lambda: cn.compose(Table, words)).rpartition("\n  ")
    assert (told, place.startswith("Table is defined in data/hub.py:")) == (text, True)


READ = "\n  write: data.path=FILE or data.path=DIR"
KNOWN = "csv, tsv, json, jsonl, parquet, arrow"
UNREADABLE: dict[str, tuple[bytes | None, str]] = {
    "no.csv": (None, f"data.path=no.csv: there is no such file or folder{READ}"),
    "rows.xlsx": (
        b"",
        f"data.path=rows.xlsx is a file of an unknown kind\n  known: {KNOWN}"
        "\n  images are read from their folder: data.path=DIR, with DIR/train/CLASS/*",
    ),
    "empty.csv": (b"", "data.path=empty.csv cannot be read\n  it holds no rows"),
    "head.csv": (b"a,label\n", "data.path=head.csv cannot be read\n  it holds no rows"),
    "ragged.csv": (
        b"a,label\n1,2\n1,2,3\n",
        "data.path=ragged.csv cannot be read"
        "\n  ParserError: Error tokenizing data. C error: Expected 2 fields in line 3, saw 3",
    ),
    "latin.csv": (
        "a,label\n1,\xe9\n".encode("latin1"),
        "data.path=latin.csv cannot be read\n  it is no text in UTF-8"
        "\n  to convert it: iconv -f ENCODING -t UTF-8 FILE > NEW",
    ),
    "broken.jsonl": (
        b'{"a": 1}\n{"a":\n',
        "data.path=broken.jsonl cannot be read\n  ArrowInvalid: JSON parse error: Invalid value. in row 1",
    ),
    "broken.parquet": (
        b"PAR1 and so on",
        "data.path=broken.parquet cannot be read\n  ArrowInvalid: Parquet magic bytes not found in footer. "
        "Either the file is corrupted or this is not a parquet file.",
    ),
}


@pytest.mark.parametrize("file", UNREADABLE)
def test_a_file_that_cannot_be_read(file):
    content, text = UNREADABLE[file]
    if content is not None:
        Path(file).write_bytes(content)
    assert refused(lambda: build(Table, file)) == text


def test_a_parquet_file_without_rows():
    write_parts(Path("rows"), lambda count, seed: numbers(1).select([]), train=0)
    assert refused(lambda: build(Table, "rows")) == "data.path=rows cannot be read\n  it holds no rows"


def test_a_folder_without_data_and_one_with_other_columns():
    Path("empty").mkdir()
    kinds = f"it holds no file of these kinds: {KNOWN}, or images"
    assert refused(lambda: build(Hub, "empty")) == f"data.path=empty cannot be read\n  {kinds}"
    csv("other/train.csv", "a,label\n1,2\n")
    csv("other/test.csv", "a,labels\n1,2\n")
    assert refused(lambda: build(Table, "other")) == (
        "data.path=other cannot be read\n  its files do not all have the same columns"
        "\n  to read one of them: data.path=FILE"
    )


def test_configurations_that_are_missing_unknown_or_of_one_file():
    write_configured(Path("rows"), numbers)
    assert refused(lambda: build(Table, "rows")) == (
        "data.path=rows has several configurations, and data.config is not given\n  choose from: one, two"
    )
    assert refused(lambda: build(Table, "rows", config="tow")) == (
        "data.config=tow: data.path=rows has no such configuration\n  nearest: two"
    )
    assert refused(lambda: build(Table, "rows/a.parquet", config="one")) == (
        "data.config=one: data.path=rows/a.parquet has no configurations\n  leave out data.config"
    )


def test_a_split_that_does_not_exist():
    write_parts(Path("rows"), numbers, train=20, test=4)
    splits = "\n  its splits: train, test\n  write: data."
    assert refused(lambda: build(Table, "rows", test_split="tests")) == (
        f"data.test_split=tests: data.path=rows has no such split{splits}test_split=test"
    )
    assert refused(lambda: build(Table, "rows", train_split="all")) == (
        f"data.train_split=all: data.path=rows has no such split{splits}train_split=train"
    )


TABLES: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "a column that is missing": (
        Table,
        {"target": "lable"},
        "a,b,label\n1,2,x\n",
        "data.target=lable: data.path=t.csv has no such column\n  nearest: label\n  its columns: a, b, label",
    ),
    "a feature that is missing": (
        Table,
        {"features": ["zzz"]},
        "a,b,label\n1,2,x\n3,4,y\n",
        "data.features=zzz: data.path=t.csv has no such column\n  its columns: a, b, label",
    ),
    "no class": (
        Table,
        {},
        "a,label\n1,x\n2,\n3,\n",
        "column label has no class in 2 of 3 rows of split train of data.path=t.csv"
        "\n  the first of them is row 2, counted from 1",
    ),
    "fractions as classes": (
        Table,
        {},
        "a,label\n1,0.5\n2,0.25\n",
        "data.target=label: data.path=t.csv holds numbers with fractions there, and a class is text or a whole number"
        "\n  to predict numbers: task=regress data=hub/numbers",
    ),
    "one class": (
        Table,
        {},
        "a,label\n1,x\n2,x\n",
        "data.target=label: data.path=t.csv has 1 class there, 'x'\n  a classifier needs two or more",
    ),
    "text as a feature": (
        Table,
        {"features": ["a", "b"]},
        "a,b,label\n1,m,x\n2,n,y\n",
        "data.features: data.path=t.csv holds text in column b, and numbers are needed\n  its columns of numbers: a",
    ),
    "text to predict": (
        Numbers,
        {"target": "a"},
        "a\nx\ny\n",
        "data.target: data.path=t.csv holds text in column a, and numbers are needed\n  it has no column of numbers",
    ),
    "nothing to predict it from": (
        Table,
        {},
        "label\n1\n2\n",
        "data.path=t.csv has no column of numbers besides the target label\n  its columns: label",
    ),
    "a number that is missing": (
        Numbers,
        {"target": "y"},
        "a,y\n1,1\n2,2\n,3\n",
        "column a has no finite number in 1 of 3 rows of split train of data.path=t.csv"
        "\n  the first of them is row 3, counted from 1",
    ),
    "a number that is infinite": (
        Numbers,
        {"target": "y"},
        "a,y\n1,inf\n2,2\n3,3\n",
        "column y has no finite number in 1 of 3 rows of split train of data.path=t.csv"
        "\n  the first of them is row 1, counted from 1",
    ),
    "the answer among the features": (
        Numbers,
        {"target": "y", "features": ["y"]},
        "a,y\n1,1\n2,2\n",
        "data.features: column y is the target too, and would give the answer away",
    ),
    "too few rows": (
        Table,
        {},
        "a,label\n1,x\n2,y\n3,x\n",
        "3 rows are too few to hold out 0.1, 0.1 of them: the parts would have 0, 0, 3",
    ),
    "no images": (
        Hub,
        {},
        "a,label\n1,x\n2,y\n",
        "data.path=t.csv has no column of images; its columns: a, label"
        "\n  rows of numbers are read by data=hub/table (a class each) and task=regress data=hub/numbers",
    ),
    "text as images": (
        Hub,
        {"image": "label"},
        "a,label\n1,x\n2,y\n",
        "data.image=label: data.path=t.csv holds text there, and no images"
        "\n  rows of numbers are read by data=hub/table (a class each) and task=regress data=hub/numbers",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_does_not_fit(case):
    cls, how, content, text = TABLES[case]
    csv("t.csv", content)
    assert refused(lambda: build(cls, "t.csv", **how)) == text


def test_values_of_several_types():
    csv("t.jsonl", '{"a": 1, "label": "x"}\n{"a": 2, "label": 3}\n')
    assert refused(lambda: build(Table, "t.jsonl")) == (
        "data.target=label: data.path=t.jsonl holds values of several types there, "
        "and a class is text or a whole number"
    )


def test_a_class_that_the_training_part_has_not():
    csv("rows/train.csv", "a,label\n" + "1,cat\n2,dog\n" * 5)
    csv("rows/validation.csv", "a,label\n1,cat\n2,eel\n")
    assert refused(lambda: build(Table, "rows")) == (
        "split validation of data.path=rows has a class 'eel', which split train has not\n  its classes: cat, dog"
    )


def test_a_test_split_without_labels_may_be_held_out_instead():
    features: Any = datasets.Features({"a": datasets.Value("int64"), "label": datasets.ClassLabel(names=["x", "y"])})
    for part, labels in (("train", [0, 1] * 10), ("test", [-1] * 4)):
        rows = {"a": list(range(len(labels))), "label": labels}
        Path("rows").mkdir(exist_ok=True)
        datasets.Dataset.from_dict(rows, features=features).to_parquet(f"rows/{part}.parquet")
    assert refused(lambda: build(Table, "rows")) == (
        "column label has no class in 4 of 4 rows of split test of data.path=rows"
        "\n  the first of them is row 1, counted from 1"
        "\n  to hold test out of train instead: data.test_split=null"
    )
    assert sizes(build(Table, "rows", test_split=None)) == [16, 2, 2]


def test_images_of_a_class_that_no_training_image_has():
    write(Path("root"), train=8)
    write(Path("root"), classes=["cat", "eel"], val=4)
    assert refused(lambda: build(Hub, "root")) == (
        "split validation of data.path=root has a class 'eel', which split train has not\n  its classes: cat, dog"
    )


def test_several_columns_of_images_and_one_of_bytes():
    both = datasets.concatenate_datasets(
        [images(8), images(8).rename_columns({"image": "other", "label": "kind"})], axis=1
    )
    both.to_parquet("two.parquet")
    assert refused(lambda: build(Hub, "two.parquet")) == (
        "data.path=two.parquet has 2 columns of images: image, other\n  write: data.image=image"
    )
    datasets.Dataset.from_dict({"raw": [b"x"] * 8, "label": [0, 1] * 4}).to_parquet("raw.parquet")
    assert refused(lambda: build(Hub, "raw.parquet")) == (
        "data.path=raw.parquet has no column of images; its columns: raw, label\n  nearest: data.image=raw"
    )


def test_a_name_that_is_a_kind_of_file_or_a_folder_here():
    Path("rows").mkdir()
    assert refused(lambda: Table(name="csv").build(seed=1)) == (
        f"data.name=csv is a kind of file, and no data set on the Hub{READ}"
    )
    assert refused(lambda: Table(name="rows").build(seed=1)) == (
        f"data.name=rows is a file or folder here, and no data set on the Hub{READ}"
    )


HAVE = "\n  without a network: data.path=FILE or data.path=DIR reads files that you have; data=digits needs none"


def test_a_name_that_cannot_be_fetched(offline, monkeypatch, capfd):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between attempts, 23 s in all
    assert refused(lambda: Hub(name="mnist").build(seed=1)) == (
        f"data.name=mnist cannot be fetched\n  Couldn't reach 'mnist' on the Hub (LocalEntryNotFoundError){HAVE}"
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_the_library_is_told_to_stay_offline(here):
    command = [sys.executable, str(ROOT / "train.py"), "data=hub", "data.name=mnist", "folder=run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(here / "hub")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    reason = "Couldn't reach 'mnist' on the Hub (OfflineModeIsEnabled)"
    assert done.stderr == f"data.name=mnist cannot be fetched\n  {reason}{HAVE}\n"
    assert (done.returncode, done.stdout) == (2, "")
