"""python -m tests.bench [--quick] [NAME ...]      (the figures that this repository promises, as one table)

Ratios are taken between processes started in turn, and medians of them shown; times are shown beside, and promise
nothing. Exits with 1 where a figure is not reached.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import (
    against,
    cold,
    composing,
    importing,
    language,
    loading,
    queueing,
    recipe,
    searching,
    steps,
    sweeping,
    trainers,
    training,
)
from tests.bench.table import Benchmark, Setting, heading, show

BENCHMARKS: dict[str, Benchmark] = {
    "start": cold.start,
    "memory": cold.memory,
    "compose": composing.compose,
    "import": importing.importing,
    "growth": cold.growth,
    "thousand": cold.thousand,
    "against": against.against,
    "steps": steps.steps,
    "trainers": trainers.trainers,
    "folder": loading.folder,
    "language": language.language,
    "framework": recipe.framework,
    "images": recipe.images,
    "planning": sweeping.planning,
    "submit": queueing.submitting,
    "slots": queueing.slots,
    "idle": searching.idle,
    "asks": searching.asks,
    "samplers": searching.samplers,
    "pruned": searching.pruned,
    "shared": searching.shared,
    "default": training.default,
    "mnist": training.mnist,
}


def main() -> int:
    assert __doc__ is not None
    flags = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.split("\n\n")[1])
    flags.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    flags.add_argument("--quick", action="store_true", help="fewer rounds and seeds: an impression, not a figure")
    chosen = flags.parse_args()
    if unknown := [name for name in chosen.names if name not in BENCHMARKS]:
        flags.error(f"no benchmark is called {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    print(heading(), flush=True)
    failed = 0
    for name in chosen.names or BENCHMARKS:
        with tempfile.TemporaryDirectory() as folder:
            setting = Setting(rounds=5 if chosen.quick else 21, quick=chosen.quick, folder=Path(folder))
            for row in BENCHMARKS[name](setting):
                print(show(row), flush=True)
                failed += row.ok is False
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
