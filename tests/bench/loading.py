"""Images that worker processes read: how many a second, and how long a loop waits for them.

`python -m tests.bench.loading ROUNDS` prints it as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measure import Command, ratio
from tests.bench.table import Row, Setting, at_least, at_most

FILES, SIDE, SIZE, BATCH, WORKERS = 2048, 96, 64, 64, 2  # pixels: of the files, and of what is given
WARM = 6  # batches before the clock starts: the workers have begun


def folder(setting: Setting) -> Iterator[Row]:
    """data=folder against a DataLoader written by hand, a round each in turn."""
    rounds = 3 if setting.quick else 9
    words = ("-m", "tests.bench.loading", str(setting.folder), str(rounds))
    told = json.loads(Command(words, environment={"OMP_NUM_THREADS": "1"}).run().output.splitlines()[-1])
    note = f"{median(told['ours']):.0f}, by hand {median(told['bare']):.0f}"
    what = "examples a second of data=folder, 2 workers, 96 x 96 JPEG"
    yield at_least(what, ratio(told["ours"], told["bare"]), 0.97, unit="x", note=note)
    note = f"{told['step'] * 1000:.0f} ms a step"
    yield at_most("time a loop waits for data, decoding half a step", 100 * told["waits"], 5, unit=" %", note=note)


def _main(root: Path, rounds: int) -> None:
    import torch

    from data.folder import Folder

    torch.set_num_threads(1)
    _write(root)
    train: Any = Folder(root=root, size=SIZE, workers=WORKERS).build(seed=1).train
    epochs = [(epoch, torch.randperm(len(train)).split(BATCH)) for epoch in range(100)]
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(rounds):
        ours.append(_rate(lambda: train.batches(epochs)))
        bare.append(_rate(lambda: _by_hand(train, [each for _, batches in epochs for each in batches])))
    decoding = BATCH / median(ours) * WORKERS  # s that a worker takes for a batch
    told = {"ours": ours, "bare": bare, "step": 2 * decoding, "waits": _waits(train.batches(epochs), 2 * decoding)}
    print(json.dumps(told))


def _write(root: Path) -> None:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(FILES):
        place = root / "train" / str(number % 2)
        place.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE)).save(place / f"{number}.jpg", quality=90)


def _by_hand(train: Any, batches: list[Any]) -> Iterator[Any]:
    """What one would write for these files alone, with the same decoding."""
    from torch.utils.data import DataLoader

    sampler = [each.tolist() for each in batches]
    loader = DataLoader(train.examples, batch_sampler=sampler, num_workers=WORKERS)
    for images, labels in loader:
        yield images.float().mul_(train.finish.scale).add_(train.finish.shift), labels


def _rate(start: Callable[[], Iterator[Any]]) -> float:
    """Examples a second."""
    found: Any = start()
    for _ in islice(found, WARM):
        pass
    began = time.perf_counter()
    count = sum(len(labels) for _, labels in islice(found, 40))
    took = time.perf_counter() - began
    found.close()
    return count / took


def _waits(found: Any, step: float) -> float:
    """The part of its time that a loop waits, each of whose steps takes so long."""
    waited = whole = 0.0
    for number in range(WARM + 40):
        began = time.perf_counter()
        next(found)
        given = time.perf_counter()
        time.sleep(step)
        if number >= WARM:
            waited += given - began
            whole += time.perf_counter() - began
    found.close()
    return waited / whole


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
