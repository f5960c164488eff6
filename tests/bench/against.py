"""The same configuration in other systems, in turn with ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import median

from tests.bench.measure import Command, in_turn, processor, ratio, seconds
from tests.bench.rivals import HYDRA, RIVALS, TYRO, WORDS, ZEN
from tests.bench.table import Row, Setting
from tests.bench.trees import grow

SIZES = (10, 1000)
MUST = {
    (HYDRA.name, 10),
    (HYDRA.name, 1000),
    (ZEN.name, 10),
    (ZEN.name, 1000),
    (TYRO.name, 10),
    (TYRO.name, 1000),
}  # ours is no slower


def against(setting: Setting) -> Iterator[Row]:
    """One row a system and size: its time as a multiple of ours."""
    for size in SIZES:
        folder = setting.folder / str(size)
        there = [rival for rival in RIVALS if rival.installed]
        ours = Command(("train.py", *WORDS), grow(folder / "cn", size))
        theirs = [Command(("train.py", *rival.ask), rival.grow(folder / rival.package, size)) for rival in there]
        mine, *costs = in_turn([ours, *theirs], max(5, setting.rounds // 2))
        for cost in (mine[0], *(each[0] for each in costs)):
            assert {"96", "0.5"} <= set(re.findall(r"[\d.]+", cost.output)), cost.output  # the same was composed
        yield Row(f"choose and set, cold, {size} nodes: cn", f"{median(seconds(mine)):.3f} s")
        for rival, cost in zip(there, costs, strict=True):
            figure = ratio(seconds(cost), seconds(mine))
            must = (rival.name, size) in MUST
            note = f"{figure:.2f}x as long ({median(seconds(cost)):.3f} s; "
            note += f"processor {ratio(processor(cost), processor(mine)):.2f}x)"
            yield Row(f"    {rival.name}", note, ">= 1x" if must else "", figure >= 1 if must else None)
        for rival in RIVALS:
            if rival not in there:
                yield Row(f"    {rival.name}", f"not installed: pip install {rival.package.replace('_', '-')}")
