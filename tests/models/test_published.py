"""Our networks compute what those of the library transformers do, from the files that it writes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models._published import renamed
from models.attention.grouped_query import GroupedQuery
from models.decoder.gpt2_family.small import Small
from models.encoder.bert_family.base import Base
from runs._training.initial import begin
from tests.models.languages import SIZES, padded

pytestmark = [
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed: .[test]"),
    pytest.mark.slow,  # to import transformers takes seconds
]
CLOSE = 1e-5  # of logits between about -5 and 5


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """Networks of transformers, random everywhere; without torchvision, which it would import for images alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchvision", None)
        from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel
    with torch.random.fork_rng():
        torch.manual_seed(1)
        bert = BertForMaskedLM(
            BertConfig(
                vocab_size=50,
                hidden_size=24,
                num_attention_heads=4,
                num_hidden_layers=3,
                intermediate_size=40,
                max_position_embeddings=12,
            )
        )
        gpt2 = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=50,
                n_embd=24,
                n_head=4,
                n_layer=3,
                n_inner=40,
                n_positions=12,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
        with torch.no_grad():
            for each in (*bert.parameters(), *gpt2.parameters()):
                each += 0.2 * torch.randn_like(each)
    return {"bert": bert.eval(), "gpt2": gpt2.eval()}


CASES = pytest.mark.parametrize(("name", "family"), [("bert", Base), ("gpt2", Small)], ids=["bert", "gpt2"])


class Wrapped(nn.Module):
    """A network with a language model in it, as a task makes one."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.inner = nn.ModuleDict({"body": body})


@pytest.mark.parametrize("wrap", [lambda body: body, Wrapped], ids=["alone", "within another"])
@CASES
def test_logits_are_those_of_transformers(theirs, tmp_path, name, family, wrap):
    """From its own file, with padding and without."""
    theirs[name].save_pretrained(tmp_path)
    file, ours = tmp_path / "model.safetensors", family(**SIZES).build(inputs=(9,), classes=50)
    count = len(ours.state_dict())
    assert begin(wrap(ours), file) == f"begins from {file}: {count} of {count} tensors"
    tokens, visible = padded()
    ours.eval()
    with torch.no_grad():
        whole = theirs[name](tokens).logits
        torch.testing.assert_close(ours.logits(ours(tokens)), whole, rtol=0, atol=CLOSE)
        masked = theirs[name](tokens, attention_mask=visible.long()).logits
        mine = ours.logits(ours(tokens, visible=visible))
    torch.testing.assert_close(mine[visible], masked[visible], rtol=0, atol=CLOSE)
    assert whole.abs().max() > 1


def test_types_of_tokens_are_those_of_transformers(theirs):
    tokens, _ = padded()
    kinds = torch.randint(2, tokens.shape)
    ours = Base(**SIZES).build(inputs=(9,), classes=50).eval()
    ours.load_state_dict(ours.published(theirs["bert"].state_dict()))
    with torch.no_grad():
        wanted = theirs["bert"](tokens, token_type_ids=kinds).logits
        torch.testing.assert_close(ours.logits(ours(tokens, kinds=kinds)), wanted, rtol=0, atol=CLOSE)


def without(prefix: str) -> Callable[[str], str]:
    return lambda name: name.removeprefix(prefix)


def old_norm(name: str) -> str:
    if "LayerNorm" not in name:
        return name
    return re.sub(r"weight$", "gamma", re.sub(r"bias$", "beta", name))


@pytest.mark.parametrize(
    ("name", "family", "older", "more"),
    [
        ("bert", Base, without("bert."), {"embeddings.position_ids": torch.arange(12)[None]}),
        ("bert", Base, old_norm, {"bert.embeddings.position_ids": torch.arange(12)[None]}),
        (
            "gpt2",
            Small,
            without("transformer."),
            {"h.1.attn.bias": torch.ones(1, 1, 12, 12).tril(), "h.1.attn.masked_bias": torch.tensor(-1e4)},
        ),
    ],
    ids=["bert without prefix", "bert with gamma and beta", "gpt2 without prefix"],
)
def test_files_of_other_ages_say_the_same(theirs, name, family, older, more):
    ours = family(**SIZES).build(inputs=(9,), classes=50)
    published = theirs[name].state_dict()
    found = ours.published({older(key): each for key, each in published.items()} | more)
    wanted = ours.published(published)
    assert found.keys() == wanted.keys() == ours.state_dict().keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@CASES
def test_our_own_names_and_those_of_another_family_are_left_as_they_are(theirs, name, family):
    ours = family(**SIZES).build(inputs=(9,), classes=50)
    for weights in (ours.state_dict(), theirs["gpt2" if name == "bert" else "bert"].state_dict()):
        assert ours.published(weights) is weights


def saved(weights: dict[str, Tensor], folder: Path) -> Path:
    torch.save(weights, folder / "weights.pt")
    return folder / "weights.pt"


@CASES
def test_what_does_not_fit_is_told_and_all_else_is_taken(theirs, tmp_path, name, family):
    """Another vocabulary, and layers that ours has not."""
    file = saved(theirs[name].state_dict() | {"bert.pooler.dense.bias": torch.ones(24)}, tmp_path)
    ours = family(**SIZES | {"vocabulary": 70}).build(inputs=(9,), classes=50)
    count = len(ours.state_dict())
    new, left = {
        "bert": ("head_bias (70, there 50), tokens.weight (70x24, there 50x24)", "pooler.dense.bias"),
        "gpt2": ("tokens.weight (128x24, there 50x24)", "bert.pooler.dense.bias"),
    }[name]
    fitting = count - 1 - (name == "bert")
    assert begin(ours, file) == f"begins from {file}: {fitting} of {count} tensors; new: {new}; left out: {left}"


def test_heads_that_share_keys_begin_with_new_ones(theirs, tmp_path):
    file = saved(theirs["gpt2"].state_dict(), tmp_path)
    ours = Small(**SIZES, attention=GroupedQuery(groups=2)).build(inputs=(9,), classes=50)
    assert begin(ours, file).startswith(
        f"begins from {file}: 34 of 40 tensors; new: blocks.0.attention.qkv.weight (48x24, there 72x24)"
    )


def test_two_parts_of_a_network_both_begin_from_a_file(theirs, tmp_path):
    file = saved(theirs["bert"].state_dict(), tmp_path)
    parts = [Base(**SIZES).build(inputs=(9,), classes=50) for _ in range(2)]
    network = nn.ModuleDict({"generator": parts[0], "discriminator": parts[1]})
    count = len(network.state_dict())
    assert begin(network, file) == f"begins from {file}: {count} of {count} tensors"
    assert torch.equal(parts[0].tokens.weight, parts[1].tokens.weight)


def test_a_second_copy_is_left_out_only_where_it_is_equal():
    one, other = torch.ones(2), torch.zeros(2)
    names, copies = {"h.{}.a": "blocks.{}.b"}, {"head.weight": "h.0.a.weight"}
    found = renamed({"h.0.a.weight": one, "head.weight": one}, names=names, copies=copies)
    assert list(found) == ["blocks.0.b.weight"]
    found = renamed({"h.0.a.weight": one, "head.weight": other, "h.11.a.bias": one}, names=names, copies=copies)
    assert list(found) == ["blocks.0.b.weight", "head.weight", "blocks.11.b.bias"]
