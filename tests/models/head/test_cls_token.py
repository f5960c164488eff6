from __future__ import annotations

import inspect

import torch

from models.head import Head
from models.head.cls_token import ClsToken


def test_its_token_goes_before_the_others_and_is_the_one_that_is_read():
    pool = ClsToken().build(dim=4)
    tokens = torch.randn(2, 3, 4)
    extended = pool.extend(tokens)
    assert extended.shape == (2, 4, 4)
    assert extended[:, 1:].equal(tokens)
    assert pool(extended).equal(pool.token.expand(2, 4))


def test_it_learns_one_token():
    assert [tuple(value.shape) for value in ClsToken().build(dim=4).parameters()] == [(4,)]


def test_the_contract_is_abstract():
    assert inspect.isabstract(Head)
