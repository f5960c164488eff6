from __future__ import annotations

import torch

from models.head.mean_pool import MeanPool


def test_it_is_the_mean_over_tokens_and_learns_nothing():
    pool = MeanPool().build(dim=4)
    tokens = torch.randn(2, 3, 4)
    assert pool.extend(tokens) is tokens
    torch.testing.assert_close(pool(tokens), tokens.mean(dim=1))
    assert list(pool.parameters()) == []
