"""What the framework is measured against does the same: the script's losses and weights are the run's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import language
from tests.bench.recipe import Size, take

pytestmark = pytest.mark.slow


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


def test_a_run_of_text_and_its_script_come_to_the_same_losses_and_weights(tmp_path: Path) -> None:
    turn = language.take(tmp_path / "run", steps=20)
    assert turn.losses == pytest.approx(turn.logged, abs=1e-5)  # sums are added in another order
    assert len(turn.losses) == len(set(turn.losses)) == 2
    assert turn.apart < 1e-4
    assert len(turn.ours["processor"]) == len(turn.bare["processor"]) == 10
