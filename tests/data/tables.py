"""Rows that can be learnt from, in the formats that data=hub reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from tests.data.pictures import COLOURS, picture


def keep_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library `datasets` keeps what it reads there, and not in this user's cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder)


def numbers(count: int, seed: int = 0) -> datasets.Dataset:
    """Columns a and b, `sum` of both, and `label`, which says whether that is above 0."""
    a, b = np.random.default_rng(seed).normal(size=(2, count)).round(3)
    label = ["above" if each else "below" for each in a + b > 0]
    return datasets.Dataset.from_dict({"a": a, "b": b, "sum": a + b, "label": label})


def images(count: int, seed: int = 0, names: tuple[str, ...] = ("cat", "dog")) -> datasets.Dataset:
    """Columns `image` of encoded images and `label`, with the classes in turn."""
    features: Any = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    found = [picture(COLOURS[names[number % len(names)]], 1000 * seed + number) for number in range(count)]
    rows = {"image": found, "label": [number % len(names) for number in range(count)]}
    return datasets.Dataset.from_dict(rows, features=features)


def write_parts(folder: Path, rows: Any, **parts: int) -> Path:
    """`write_parts(folder, numbers, train=40, test=8)`: a parquet file for each part."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (part, count) in enumerate(parts.items()):
        rows(count, seed).to_parquet(folder / f"{part}.parquet")
    return folder


def write_configured(folder: Path, rows: Any) -> Path:
    """A folder with the configurations one and two, each with the splits part0, part1 and part2."""
    write_parts(folder, rows, a=40, b=20, c=20)
    files = "".join(f"  - split: part{place}\n    path: {name}.parquet\n" for place, name in enumerate("abc"))
    configurations = "".join(f"- config_name: {name}\n  data_files:\n{files}" for name in ("one", "two"))
    (folder / "README.md").write_text(f"---\nconfigs:\n{configurations}---\n")
    return folder
