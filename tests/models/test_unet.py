"""The map of a U-Net: as large as the image, whatever its sides."""

from __future__ import annotations

import pytest
import torch

from models.unet import UNet


@pytest.mark.parametrize("inputs", [(1, 8, 8), (3, 32, 32), (2, 9, 13), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("widths", [(4,), (4, 8), (4, 8, 16)], ids=str)
def test_it_gives_logits_for_each_pixel(inputs, widths):
    network = UNet(widths=widths).build(inputs=inputs, classes=5).eval()
    assert network(torch.randn(2, *inputs)).shape == (2, 5, *inputs[1:])


def test_every_parameter_learns():
    network = UNet(widths=(4, 8)).build(inputs=(1, 8, 8), classes=3)
    network(torch.randn(2, 1, 8, 8)).square().mean().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("widths", [(), (4, 0)], ids=["no level", "no channel"])
def test_widths_that_cannot_be_are_refused(outside, widths):
    assert outside(UNet, widths=widths) == f"UNet.widths is tuple[int >= 1, ...] with length >= 1, not {widths}"
