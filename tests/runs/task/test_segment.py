"""The mean IoU beside scikit-learn's, and how well shapes on noise are found."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import jaccard_score
from torch import nn

from data.shapes import Shapes
from models.unet import UNet
from runs.default import Default
from runs.optim.adamw import AdamW
from runs.task._segment import Segmentation
from runs.task.segment import Segment


def objective(classes: int) -> Segmentation:
    return Segmentation(nn.Identity(), classes=[f"class {each}" for each in range(classes)], size=(4, 5), pixels=None)


def test_the_mean_iou_is_over_all_pixels_at_once():
    logits, masks = torch.randn(6, 3, 4, 5), torch.randint(0, 3, (6, 4, 5))
    own = objective(3)
    parts = [own.measure(lambda x: x, (logits[a:b], masks[a:b])) for a, b in ((0, 1), (1, 6))]
    found = own.metrics({name: sum(part[name].double() for part in parts) for name in parts[0]}, 6)
    chosen = logits.argmax(1).flatten()
    assert found["mean_iou"] == pytest.approx(jaccard_score(masks.flatten(), chosen, average="macro"))
    assert found["accuracy"] == (chosen == masks.flatten()).double().mean().item()
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(logits, masks).item(), rel=1e-6)


def test_a_class_that_is_nowhere_is_left_out_of_the_mean():
    masks = torch.zeros(1, 4, 5, dtype=torch.int64)
    logits = nn.functional.one_hot(masks, 3).movedim(-1, 1).float()
    own = objective(3)
    sums = {name: each.double() for name, each in own.measure(lambda x: x, (logits, masks)).items()}
    assert own.metrics(sums, 1)["mean_iou"] == 1.0


def test_shapes_on_noise_are_found(go):
    parts = {"task": Segment(), "data": Shapes(count=200, noise=0.2, batch_size=16), "model": UNet(widths=(8, 16))}
    assert go("run", of=Default(**parts, optim=AdamW(lr=0.02), epochs=8)).summary["test/mean_iou"] > 0.5
