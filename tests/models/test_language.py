"""What holds for every language model, of whatever family."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cn
from cn import UserError, compose
from cn.discovery import discover
from cn.nodes.read_tracking import Reading
from models import Language, Model
from models._bert import Bert
from models._gpt2 import Gpt2
from models.attention.grouped_query import GroupedQuery
from models.decoder.gpt2_family.medium import Medium
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.base import Base
from models.encoder.bert_family.large import Large
from models.encoder.bert_family.tiny import Tiny
from runs import _checkpoint, _safetensors
from tests.models.languages import FAMILIES, LENGTHS, SIZES, padded, small
from tests.on_meta import on_meta

LANGUAGES = {
    name: cls
    for name, cls in discover.options((Model,))[0].items()
    if issubclass(cls, Language) and cls.__module__.startswith("models.")
}
either = pytest.mark.parametrize("family", FAMILIES)


def test_each_size_is_an_option_by_its_path():
    named = {
        "decoder/gpt2_family/medium": Medium,
        "decoder/gpt2_family/small": Small,
        "encoder/bert_family/base": Base,
        "encoder/bert_family/large": Large,
        "encoder/bert_family/tiny": Tiny,
    }
    assert named.items() <= LANGUAGES.items()


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        (Tiny, 14_381_394),
        (Base, 109_514_298),
        (Large, 335_174_458),
        (Small, 124_439_808),
        (Medium, 354_823_168),
    ],
)
def test_the_sizes_have_the_published_parameters(size, parameters):
    """Tied weights are counted once, with BERT's head and without its pooler, and without GPT-2's unused rows."""
    model = size()
    model.check()
    with on_meta():
        network = model.build(inputs=(128,), classes=1000)
    unused = network.tokens.weight[network.vocabulary :].numel()
    assert sum(each.numel() for each in network.parameters()) - unused == parameters


def test_gpt2_fills_up_its_rows_to_a_multiple_of_64_and_shows_none_of_them():
    network = small(Small)
    assert network.tokens.weight.shape == (64, 24)
    assert network.head_weight.shape == (50, 24)
    assert network.logits(network(padded()[0])).shape == (3, 9, 50)
    assert small(Small, vocabulary=64).tokens.weight.shape == (64, 24)
    assert small(Base).tokens.weight.shape == (50, 24)


@either
def test_without_a_vocabulary_it_has_the_tokens_of_the_data(family):
    network = family(**SIZES | {"vocabulary": None}).build(inputs=(9,), classes=33)
    assert network.logits(network(torch.zeros(1, 9, dtype=torch.long))).shape == (1, 9, 33)


@either
@pytest.mark.parametrize("attention", [None, GroupedQuery(groups=2)], ids=["plain", "grouped"])
def test_padding_changes_no_vector_of_a_token(family, attention):
    network = small(family, **({"attention": attention} if attention else {}))
    tokens, visible = padded()
    hidden = network(tokens, visible=visible)
    assert hidden.isfinite().all()
    for row, length in enumerate(LENGTHS):
        alone = network(tokens[row : row + 1, :length])
        torch.testing.assert_close(hidden[row, :length], alone[0], rtol=1e-5, atol=1e-5)
    other = torch.where(visible, tokens, (tokens + 1) % 50)
    torch.testing.assert_close(network(other, visible=visible)[visible], hidden[visible])
    assert not torch.allclose(network(tokens)[1:], hidden[1:])


@either
def test_a_sequence_of_nothing_but_padding_spoils_no_gradient(family):
    network = small(family)
    tokens, visible = padded()
    visible[-1] = False
    network.logits(network(tokens, visible=visible))[visible].sum().backward()
    assert all(each.grad.isfinite().all() for each in network.parameters() if each.grad is not None)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "padded"])
@either
def test_only_a_decoder_is_blind_to_what_comes_after(family, masked):
    network = small(family)
    tokens, visible = padded()
    changed = tokens.clone()
    changed[0, 6] = (tokens[0, 6] + 1) % 50
    kept = {"visible": visible} if masked else {}
    one, other = (network(each, **kept)[0] for each in (tokens, changed))
    assert torch.allclose(one[:6], other[:6], atol=1e-5) is network.causal is family._causal
    assert not torch.isclose(one[6:], other[6:], atol=1e-5).all(dim=-1).any()


@either
def test_places_tell_equal_tokens_apart(family):
    hidden = small(family)(torch.full((1, 5), 7))
    assert not torch.allclose(hidden[:, 0], hidden[:, 4], atol=1e-2)


def test_bert_knows_types_of_tokens_and_takes_the_first_where_none_are_said():
    network = small(Base)
    tokens, _ = padded()
    first = torch.zeros_like(tokens)
    assert torch.equal(network(tokens, kinds=first), network(tokens))
    assert not torch.allclose(network(tokens, kinds=first + 1), network(tokens))
    with pytest.raises(ValueError, match=r"^GPT-2 has no types of tokens: call it without kinds$"):
        small(Small)(tokens, kinds=first)


@either
def test_some_blocks_can_run_alone(family):
    network = small(family)
    tokens, visible = padded()
    ran = []
    for number, block in enumerate(network.blocks):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    for layers in (range(1, 3), slice(1, None), range(0), slice(0, 2), None):
        network(tokens, visible=visible, layers=layers)
    assert ran == [1, 2, 1, 2, 0, 1, 0, 1, 2]
    embedded = network.embed(tokens, None)
    assert torch.equal(network(tokens, layers=range(0)), network.final(embedded))
    assert torch.equal(network(tokens, layers=range(2, 3)), network.final(network.blocks[2](embedded, None)))


@either
def test_logits_are_made_of_the_parts_of_the_head(family):
    network = small(family)
    hidden = network(padded()[0])
    bias = 0 if network.head_bias is None else network.head_bias
    by_hand = network.head_input(hidden) @ network.head_weight.T + bias
    torch.testing.assert_close(network.logits(hidden), by_hand, rtol=1e-5, atol=1e-5)
    assert torch.equal(network.logits(hidden[0, 3]).argmax(), by_hand[0, 3].argmax())
    assert (network.head_bias is None) is (family is Small)


@either
def test_it_begins_near_an_even_guess_and_learns_everywhere(family):
    network = family(**SIZES).build(inputs=(9,), classes=50)
    tokens, _ = padded()
    loss = F.cross_entropy(network.logits(network(tokens)).flatten(0, 1), tokens.flatten())
    assert loss.item() == pytest.approx(math.log(50), abs=0.3)
    loss.backward()
    assert [name for name, each in network.named_parameters() if each.grad is None] == []


def test_the_first_weights_are_those_of_the_papers():
    """GPT-2 makes what two layers of each block add smaller, by the root of their number."""
    bert, gpt2 = (
        family(d_model=96, heads=4, layers=8, feed_forward=192).build(inputs=(9,), classes=50) for family in FAMILIES
    )
    for network in (bert, gpt2):
        for name, each in network.named_parameters():
            if each.ndim < 2:
                gain = name.endswith("weight")
                assert torch.equal(each, torch.full_like(each, float(gain))), name
            else:
                last = network is gpt2 and name.endswith(("attention.out.weight", "feed_forward.2.weight"))
                assert each.std().item() == pytest.approx(0.02 / 4 if last else 0.02, rel=0.15), name


@pytest.mark.parametrize(("family", "eps", "gelu"), [(Base, 1e-12, "none"), (Small, 1e-5, "tanh")])
def test_norms_and_gelu_are_those_of_the_papers(family, eps, gelu):
    network = small(family)
    assert {each.eps for each in network.modules() if isinstance(each, nn.LayerNorm)} == {eps}
    inner = {each.approximate for each in network.blocks.modules() if isinstance(each, nn.GELU)}
    assert inner == {gelu}


@either
def test_dropout_is_that_of_training(family):
    tokens, _ = padded()
    network = small(family, dropout=0.5).train()
    assert not torch.equal(network(tokens), network(tokens))
    assert torch.equal(network.eval()(tokens), network(tokens))
    still = small(family, dropout=0.0).train()
    assert torch.equal(still(tokens), still(tokens))


@either
def test_what_is_tied_stays_tied(family, tmp_path):
    """Through a checkpoint, a file of safetensors, another type of number and an optimiser's step."""
    network, other, third = small(family), small(family), small(family)
    tokens, _ = padded()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(_checkpoint.load(tmp_path / "weights.pt", weights=True))
    _safetensors.write(network.state_dict(), tmp_path / "weights.safetensors")
    third.load_state_dict(_safetensors.read(tmp_path / "weights.safetensors"))
    logits = network.logits(network(tokens))
    for each in (other, third):
        assert torch.equal(each.logits(each(tokens)), logits)
        each.to(torch.double)
        before = each.head_weight.clone()
        with torch.no_grad():
            each.tokens.weight += 1
        torch.testing.assert_close(each.head_weight, before + 1)
        assert each.head_weight.data_ptr() == each.tokens.weight.data_ptr()
    assert sum("weight" in name and each.shape[0] in (50, 64) for name, each in network.state_dict().items()) == 1


@pytest.mark.parametrize("size", LANGUAGES.values(), ids=LANGUAGES)
def test_it_reads_all_its_fields(size):
    values = {name: value - 1 if name == "vocabulary" else value for name, value in SIZES.items()}
    model = compose(size(**values, dropout=0.3, attention=GroupedQuery(groups=2)))
    fresh = cn.nodes.traversal.values(size())
    assert all(value != fresh[name] for name, value in cn.nodes.traversal.values(model).items())
    reading = Reading(model)
    try:
        model.build(inputs=(9,), classes=3)
        assert [each.address for each in reading.unread()] == []
    finally:
        reading.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["d_model=512"],
            "d_model=512 does not divide by heads=12: the nearest that do are d_model=504 and d_model=516",
        ),
        (["d_model=0"], "d_model=0: d_model is int >= 1, not 0"),
        (["heads=0"], "heads=0: heads is int >= 1, not 0"),
        (["layers=0"], "layers=0: layers is int >= 1, not 0"),
        (["feed_forward=0"], "feed_forward=0: feed_forward is int >= 1, not 0"),
        (["length=0"], "length=0: length is int >= 1, not 0"),
        (["vocabulary=0"], "vocabulary=0: vocabulary is int >= 1 | None, not 0"),
        (["dropout=1"], "dropout=1: dropout is 0 <= float < 1, not 1"),
    ],
)
def test_wrong_values_are_refused(words, message):
    with pytest.raises(UserError) as refused:
        compose(Base, words)
    assert str(refused.value).split("\n")[0] == message


def test_a_width_that_was_named_as_near_works():
    for width in (504, 516):
        model = compose(Base, [f"d_model={width}"])
        with on_meta():
            network = model.build(inputs=(8,), classes=10)
            assert network(torch.zeros(1, 8, dtype=torch.long)).shape == (1, 8, width)


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(UserError) as refused:
        Base(length=128).build(inputs=(129,), classes=10)
    assert str(refused.value) == (
        "Base.length is 128, shorter than an example of 129 tokens: the shortest that fits is length=129"
    )
    with pytest.raises(UserError) as refused:
        Small().build(inputs=(128,), classes=50258)
    assert str(refused.value) == (
        "Small.vocabulary is 50257, fewer than the 50258 tokens of the data: the fewest that fit are "
        "vocabulary=50258, and vocabulary=null takes as many as there are"
    )
    with on_meta():
        Small(length=128).build(inputs=(128,), classes=50257)


@pytest.mark.slow
@either
def test_it_compiles_to_the_same(family):
    network = small(family)
    tokens, visible = padded()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(tokens, visible=visible), network(tokens, visible=visible))
    torch._dynamo.reset()


@pytest.mark.parametrize("size", LANGUAGES.values(), ids=LANGUAGES)
def test_node_and_network_agree_on_what_is_causal(size):
    network = size().network()
    assert network.causal is size._causal
    assert network is {False: Bert, True: Gpt2}[size._causal]
