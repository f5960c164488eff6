from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cn import UserError, compose
from models._attention import SelfAttention, may_see
from models.attention import Attention
from models.attention.grouped_query import GroupedQuery
from models.attention.plain import Plain
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.base import Base
from tests.models.languages import FAMILIES, SIZES, padded, small


def by_hand(attention: SelfAttention, x: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Attention written out, one head after the other: x `b n (h d)`, allowed `b n n`."""
    heads, groups, _ = attention.split
    parts = attention.qkv(x).chunk(heads + 2 * groups, dim=-1)
    mixed = []
    for head in range(heads):
        group = heads + head * groups // heads
        q, k, v = parts[head], parts[group], parts[group + groups]
        scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~allowed, -torch.inf)
        mixed.append(F.softmax(scores, dim=-1) @ v)
    return attention.out(torch.cat(mixed, dim=-1))


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("causal", [False, True], ids=["encoder", "decoder"])
@pytest.mark.parametrize("node", [Plain(), GroupedQuery(groups=2), GroupedQuery(groups=1)], ids=["plain", "two", "one"])
def test_attention_is_a_softmax_over_what_a_token_may_see(node, causal, masked):
    attention = node.build(width=24, heads=4, causal=causal, dropout=0.5).eval().double()
    x = torch.randn(3, 9, 24, dtype=torch.double)
    visible = padded()[1] if masked else torch.ones(3, 9, dtype=torch.bool)
    mask = may_see(visible, causal=causal) if masked else None
    allowed = visible[:, None].expand(3, 9, 9) | torch.eye(9, dtype=torch.bool)
    if causal:
        allowed = allowed & torch.ones(9, 9, dtype=torch.bool).tril()
    torch.testing.assert_close(attention(x, mask), by_hand(attention, x, allowed))


def test_padding_is_seen_by_itself_alone():
    visible = torch.tensor([[True, True, False], [False, False, False]])
    assert may_see(visible, causal=False).int().tolist() == [
        [[[1, 1, 0], [1, 1, 0], [1, 1, 1]]],
        [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]],
    ]
    assert may_see(visible, causal=True).int().tolist() == [
        [[[1, 0, 0], [1, 1, 0], [1, 1, 1]]],
        [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]],
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_as_many_groups_as_heads_are_plain_attention(family):
    plain, grouped = small(family), small(family, attention=GroupedQuery(groups=4))
    grouped.load_state_dict(plain.state_dict())
    tokens, visible = padded()
    assert torch.equal(grouped(tokens), plain(tokens))
    assert torch.equal(grouped(tokens, visible=visible), plain(tokens, visible=visible))


def test_heads_that_share_keys_and_values_are_as_plain_ones_that_have_the_same():
    plain, grouped = Plain(), GroupedQuery(groups=2)
    four, two = (each.build(width=24, heads=4, causal=True, dropout=0.0).double() for each in (plain, grouped))
    q, k, v = two.qkv.weight.split([24, 12, 12])
    doubled = [each.unflatten(0, (2, 6)).repeat_interleave(2, dim=0).flatten(0, 1) for each in (k, v)]
    four.qkv.weight.data, four.qkv.bias.data = torch.cat([q, *doubled]), torch.zeros(72, dtype=torch.double)
    two.qkv.bias.data.zero_()
    four.out.load_state_dict(two.out.state_dict())
    x = torch.randn(2, 5, 24, dtype=torch.double)
    torch.testing.assert_close(four(x), two(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_shared_keys_and_values_have_fewer_weights(family):
    """Of 4 heads of 6 channels, 2 groups save 2 x 12 channels of 24 weights and a bias in each of 3 blocks."""
    plain, grouped = (small(family, attention=each) for each in (Plain(), GroupedQuery(groups=2)))
    counts = [sum(each.numel() for each in network.parameters()) for network in (plain, grouped)]
    assert counts[0] - counts[1] == 3 * 24 * 25


def test_dropout_is_that_of_training():
    attention = Plain().build(width=24, heads=4, causal=False, dropout=0.5)
    x = torch.randn(2, 5, 24)
    assert not torch.equal(attention(x), attention(x))
    assert torch.equal(attention.eval()(x), attention(x))
    assert torch.equal(Plain().build(width=24, heads=4, causal=False, dropout=0.0)(x).isfinite(), x.isfinite())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["attention=grouped_query", "attention.groups=5"],
            "attention.groups=5 does not divide heads=12: the nearest that do are attention.groups=4 and "
            "attention.groups=6",
        ),
        (
            ["attention=grouped_query", "attention.groups=24"],
            "attention.groups=24 does not divide heads=12: the nearest that does is attention.groups=12",
        ),
        (["attention=grouped_query", "attention.groups=0"], "attention.groups=0: attention.groups is int >= 1, not 0"),
    ],
)
def test_groups_that_do_not_divide_the_heads_are_refused(words, message):
    with pytest.raises(UserError) as refused:
        compose(Small, words)
    assert str(refused.value).split("\n")[0] == message


def test_it_is_chosen_by_its_name_and_keeps_its_values():
    node = compose(Base, ["attention=grouped_query"])
    assert node.attention == GroupedQuery(groups=4)
    assert isinstance(node.attention, Attention)
    assert compose(Base, [f"{name}={value}" for name, value in SIZES.items()]).attention == Plain()
