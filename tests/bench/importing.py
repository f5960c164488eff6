"""`python -m cn import` on trees of many YAML files, without the proof, and how fast what it writes composes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from cn.importing import project
from cn.importing.conversion import Conversion
from cn.importing.convert import Converter
from cn.importing.proof.proof import Proof
from tests.bench.table import Row, Setting, at_least, at_most

FIGURES = {300: 10, 1800: 60}  # files -> seconds


def grow(root: Path, files: int) -> Path:
    """Write a tree of groups of 30 options with 14 values each, two thirds of which extend another."""
    groups = max(3, files // 30)
    for group in range(groups):
        folder = root / f"group{group}"
        folder.mkdir(parents=True)
        for option in range(files // groups):
            rows = ["defaults:", "  - option0", "  - _self_", ""] if option % 3 else []
            rows += [f"# option {option}", f"_target_: lib.group{group}.Class{option}"]
            rows += [f"value{place}: {place * option}  # unit {place}" for place in range(8)]
            rows += [f"rate: {option + 0.5}", "name: ${seed}_x", "lr: ${group0.rate}"]
            rows += ["nested:", "  depth: 3", "  inner:", f"    width: {option}", "    list: [1, 2, 3]"]
            (folder / f"option{option}.yaml").write_text("\n".join(rows))
    rows = ["defaults:", *(f"  - group{group}: option0" for group in range(groups)), "  - _self_", "", "seed: 1"]
    (root / "train.yaml").write_text("\n".join(rows))
    return root


def converted(root: Path, new: Path) -> Conversion:
    conversion = Converter(root, ["train"], exact=False).convert()
    project.write(project.texts(conversion, new.name), new)
    return conversion


def importing(setting: Setting) -> Iterator[Row]:
    """Import trees of 300 and 1800 files, and compose the first with Hydra and with CN."""
    for files, seconds in FIGURES.items():
        root = grow(setting.folder / f"conf{files}", files)
        began = time.perf_counter()
        conversion = converted(root, setting.folder / f"new{files}")
        yield at_most(f"import of {files} YAML files", time.perf_counter() - began, seconds, " s")
        if files == min(FIGURES):
            results = Proof(conversion).run(setting.folder / f"new{files}", 40, 0, lambda _: None)
            pairs = [each.seconds for each in results if each.verdict == "equal"]
            ratio = median(hydra / ours for hydra, ours in pairs)
            yield at_least("compose of YAML with Hydra / of the classes", ratio, 20, "x")
            yield at_least("of override sets, equal", 100 * len(pairs) / len(results), 100)
