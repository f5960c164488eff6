"""What the framework is measured against does the same: the script's losses and weights are the run's, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.recipe import Size, take


@pytest.mark.parametrize(
    "words",
    [
        ("model.width=4",),
        ("model=vit", "model.dim=12", "model.depth=2"),
        ("model=resnet18", "model.width=4", "precision=bf16"),
    ],
    ids=["as it comes", "vit", "resnet18 in bf16"],
)
def test_the_run_and_the_script_come_to_the_same_losses_weights_and_averages(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    turn = take(tmp_path / "run", Size(images=400, batch=32, steps=30, block=5, words=("gpu=-1", *words)))
    assert turn.losses == turn.logged
    assert len(turn.losses) == len(set(turn.losses)) == 3
    assert turn.apart == 0
    assert len(turn.ours["wall"]) == len(turn.bare["wall"]) == 6  # 360 images: nearly three epochs of 11 steps
