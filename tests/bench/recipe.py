"""run=cifar_fast against the same recipe written by hand: what the framework costs, and images a second of both.

On a GPU the clock on the wall decides; on a CPU, which others use too, the time of the processor, of all threads.

`python -m tests.bench.recipe FOLDER WORD ...` takes both in turn, in a run that is written to FOLDER.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.measure import Command
from tests.bench.table import Row, Setting, at_most


@dataclass(frozen=True)
class Size:
    """How much of the recipe is run."""

    images: int  # of the data set
    batch: int  # images
    steps: int  # of each
    block: int  # steps in turn
    words: tuple[str, ...] = ()  # overrides


@dataclass(frozen=True)
class Turn:
    """What both came to."""

    examples: int  # of a block
    device: str
    ours: dict[str, list[float]]  # by clock: seconds or calls of each block
    bare: dict[str, list[float]]
    losses: list[float]  # of the script, each the mean since the last
    apart: float  # largest difference of a weight, or of its average
    logged: list[float]  # of the run, as the script's losses

    def ratio(self, clock: str) -> float:
        """The median of a block of ours over the mean of its two neighbours; the first two, which warm up, left out."""
        around = zip(self.ours[clock][2:], self.bare[clock][1:], self.bare[clock][2:], strict=False)
        return median(2 * mine / (before + after) for mine, before, after in around)


def take(folder: Path, size: Size) -> Turn:
    """Run both in a process of their own."""
    Command(("-m", "tests.bench.recipe", str(folder), *_words(size))).run()
    return told(folder)


def told(folder: Path) -> Turn:
    """Read what a run with a callback that takes turns has told."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    logged = [record["train/loss"] for record in records if "train/loss" in record]
    return Turn(**json.loads((folder / "turns.json").read_text()), logged=logged)


def on_gpu() -> bool:
    """Whether there is one; asked in another process, so that this one stays small."""
    told = Command(("-c", "import torch; print(torch.cuda.is_available())")).run().output
    return told.split() == ["True"]


def framework(setting: Setting) -> Iterator[Row]:
    """What the framework costs of a step."""
    gpu = on_gpu()
    if gpu:
        size, how = Size(50_000, 512, 600 if setting.quick else 2000, 20), "width 64"
    else:
        narrow = ("model.width=8",)
        size, how = Size(2000, 64, 100 if setting.quick else 600, 5, narrow), "width 8"
    turn = take(setting.folder / "seconds", size)
    note = f"{_rate(turn, turn.ours)}, by hand {_rate(turn, turn.bare)} images/s"
    decides, told = ("wall", "processor") if gpu else ("processor", "wall")
    above = {clock: round(100 * (turn.ratio(clock) - 1), 2) for clock in (decides, told)}
    yield at_most(f"run=cifar_fast above a script, {decides}, {how}", above[decides], 2, unit=" %")
    yield Row(f"    {told} time", f"{above[told]:.3g} % ({note})")
    yield Row("    where", turn.device)
    yield _agree(turn)
    counted = ("model.width=4", "gpu=-1", "callbacks.turns.counted=true")
    calls = take(setting.folder / "calls", Size(2000, 64, 60, 10, counted))
    mine, by_hand = (median(each["calls"][2:]) / 10 for each in (calls.ours, calls.bare))
    yield Row("    calls a step, on the main thread", f"{mine:.1f}, by hand {by_hand:.1f}")


MODELS = {"cifar_fast's resnet9": "resnet9", "resnet18": "resnet18", "vit": "vit"}


def images(setting: Setting) -> Iterator[Row]:
    """Images a second in training, with the models as they come, augmentation and average included."""
    gpu = on_gpu()
    for name, model in MODELS.items():
        if gpu:
            size = Size(50_000, 512, 300 if setting.quick else 1200, 20, (f"model={model}", "compile=true"))
        else:
            size = Size(500, 16, 10 if setting.quick else 20, 1, (f"model={model}",))
        turn = take(setting.folder / model, size)
        times = turn.ratio("wall" if gpu else "processor")
        note = f"{_rate(turn, turn.ours)}, by hand {_rate(turn, turn.bare)}, {times:.3f}x the time"
        yield Row(f"images/s, {name}, batches of {size.batch}, {turn.device.split(' ')[0]}", note)
        yield _agree(turn)


def _agree(turn: Turn) -> Row:
    """Whether both trained the same: to the bit on a CPU; on a GPU sums are added in an order that varies."""
    exact = turn.device.startswith("cpu")
    lost = max(abs(a - b) for a, b in zip(turn.losses, turn.logged, strict=True))
    return Row(
        "    losses and weights apart by",
        f"{lost:.2g}, {turn.apart:.2g}",
        "0" if exact else "",
        lost == turn.apart == 0 if exact else None,
    )


def _rate(turn: Turn, took: dict[str, list[float]]) -> str:
    return f"{turn.examples / median(took['wall'][2:]):.0f}"


def _words(size: Size) -> list[str]:
    return [
        f"data.images={size.images}",
        f"data.batch_size={size.batch}",
        f"steps={size.steps}",
        f"callbacks.turns.block={size.block}",
        *size.words,
    ]


def _main(folder: Path, words: list[str]) -> None:
    import torch

    from cn import Job, compose
    from runs._train import train
    from runs.cifar_fast import CifarFast
    from tests.bench.turns import Coloured, Turns

    torch.set_num_threads(1)
    recipe = CifarFast()
    run = CifarFast(
        data=Coloured(crop=4, flip=True, cutout=8),
        callbacks={**recipe.callbacks, "turns": Turns()},
        validate_every=1_000_000,  # the last step alone
        folder=folder,
    )
    train(compose(run, words), Job())


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2:])
