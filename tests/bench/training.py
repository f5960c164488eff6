"""Runs that train on real images to the end: how long, and how well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.measure import Command, Cost
from tests.bench.table import Row, Setting, at_least, at_most
from tests.bench.trees import ROOT

IMAGES = ROOT.parent / "shared" / "data" / "mnist"  # the published test images
MNIST = {"linear": (92.0, 10), "mlp": (95.5, 10), "cnn": (98.0, 5)}  # at least so many per cent, after so many epochs
WORDS = ("optim.lr=3e-3", "data.batch_size=32", "data.crop=1")  # AdamW and one cycle, as they come


def default(setting: Setting) -> Iterator[Row]:
    """`python train.py`, as it stands and with two other seeds; the worst counts."""
    runs = [train(setting.folder / str(seed), f"seed={seed}") for seed in ((1,) if setting.quick else (1, 2, 3))]
    times = [cost.seconds for cost, _ in runs]
    scores = [score for _, score in runs]
    yield at_most("python train.py, imports included", median(times), 60, unit=" s", note=_all(times, "s"))
    yield at_least("python train.py, test accuracy", min(scores), 97, note=_all(scores, "%"))


def mnist(setting: Setting) -> Iterator[Row]:
    """Trained on 7200 real images, tested on 2000, with three seeds; the worst counts.

    With one thread, so that sums are added in one order on every machine.
    """
    if not IMAGES.is_dir():
        yield Row("10 000 MNIST images", f"skipped: there is no {IMAGES}")
        return
    for model, (least, epochs) in MNIST.items():
        words = (f"model={model}", f"epochs={epochs}", "data=mnist/ten_thousand", f"data.root={IMAGES}", *WORDS)
        scores: list[float] = []
        for seed in (0,) if setting.quick else (0, 1, 2):
            folder = setting.folder / f"{model}_{seed}"
            scores.append(train(folder, *words, f"seed={seed}", OMP_NUM_THREADS="1")[1])
        yield at_least(f"10 000 MNIST images, {epochs} epochs: {model}", min(scores), least, note=_all(scores, "%"))


def train(folder: Path, *words: str, **environment: str) -> tuple[Cost, float]:
    """What a run cost, and its test accuracy in per cent."""
    cost = Command(("train.py", *words, f"folder={folder}"), environment=environment).run()
    return cost, 100 * json.loads((folder / "summary.json").read_text())["test/accuracy"]


def _all(figures: list[float], unit: str) -> str:
    return f"{', '.join(f'{figure:.2f}' for figure in figures)} {unit}"
