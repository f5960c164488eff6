"""Small language models, and the tokens that the tests of them read. b sequences, n tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models import Language
from models._transformer import LanguageModel
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.base import Base

FAMILIES: list[type[Language]] = [Base, Small]
SIZES: dict[str, Any] = {"d_model": 24, "heads": 4, "layers": 3, "feed_forward": 40, "length": 12, "vocabulary": 50}
LENGTHS = (9, 5, 1)  # of the sequences of a padded batch


def small(family: type[Language], **other: Any) -> LanguageModel:
    """A network in evaluation whose every weight is drawn, biases and norms too, so that none of them can be missed."""
    node = family(**SIZES | other)
    node.check()
    network = node.build(inputs=(9,), classes=50).eval()
    with torch.no_grad():
        for each in network.parameters():
            each += 0.2 * torch.randn_like(each)
    return network


def padded() -> tuple[Tensor, Tensor]:
    """Random tokens `b n`, and whether each is one of its sequence `b n`."""
    visible = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randint(50, visible.shape), visible
