from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cn import UserError
from models._vit import Attention
from models.head.cls_token import ClsToken
from models.head.mean_pool import MeanPool
from models.vit import Base, Small, Tiny, ViT


def test_its_fields_are_those_of_the_paper():
    assert ViT() == ViT(patch=4, dim=192, heads=3, depth=9, head=MeanPool())


@pytest.mark.parametrize(("size", "published"), [(Tiny, 5_717_416), (Small, 22_050_664), (Base, 86_567_656)])
def test_the_sizes_have_the_published_parameters(parameters, size, published):
    """On 224 x 224 pixels and 1000 classes; our class token has no position of its own."""
    model = size(patch=16, head=ClsToken())
    assert parameters(model, (3, 224, 224), 1000) == published - model.dim


def test_parameters_on_cifar(parameters):
    assert parameters(ViT(), (3, 32, 32)) == 4_027_786


def test_head_cls_token_changes_the_network(parameters):
    assert parameters(ViT(head=ClsToken()), (3, 32, 32)) == parameters(ViT(), (3, 32, 32)) + 192
    x = torch.randn(2, 1, 8, 8)
    logits = []
    for head in (MeanPool(), ClsToken()):
        torch.manual_seed(0)
        logits.append(ViT(head=head, dim=12, heads=3, depth=2).build(inputs=(1, 8, 8), classes=10)(x))
    assert not torch.allclose(*logits)


def swapped(x: torch.Tensor) -> torch.Tensor:
    """The image with its first patch of 4 x 4 pixels and its last one exchanged."""
    y = x.clone()
    y[..., :4, :4], y[..., -4:, -4:] = x[..., -4:, -4:], x[..., :4, :4]
    return y


@pytest.mark.parametrize("head", [MeanPool(), ClsToken()], ids=["mean_pool", "cls_token"])
def test_patches_are_told_apart_by_their_position_alone(head):
    network = ViT(head=head, dim=12, heads=3, depth=2).build(inputs=(3, 8, 12), classes=10).double()
    x = torch.randn(2, 3, 8, 12, dtype=torch.double)
    assert network.position.shape == (6, 12)
    assert not torch.allclose(network(swapped(x)), network(x))
    network.position.data.zero_()
    torch.testing.assert_close(network(swapped(x)), network(x))


def test_attention_is_softmax_of_scaled_products():
    attention = Attention(dim=6, heads=2).double()
    x = torch.randn(2, 5, 6, dtype=torch.double)
    q, k, v = attention.qkv(x).chunk(3, dim=-1)
    mixed = []
    for part in (slice(0, 3), slice(3, 6)):
        weights = F.softmax(q[..., part] @ k[..., part].transpose(1, 2) / 3**0.5, dim=-1)
        mixed.append(weights @ v[..., part])
    torch.testing.assert_close(attention(x), attention.out(torch.cat(mixed, dim=-1)))


@pytest.mark.parametrize("patch", [1, 2, 4, 8])
def test_every_patch_that_divides_the_image_runs(patch):
    network = ViT(patch=patch, dim=12, heads=3, depth=2).build(inputs=(1, 8, 16), classes=10)
    assert network(torch.randn(2, 1, 8, 16)).shape == (2, 10)


@pytest.mark.parametrize(
    ("patch", "inputs", "message"),
    [
        (
            5,
            (1, 28, 28),
            "ViT.patch is 5, which does not divide an image of 28 x 28 pixels: "
            "the nearest that do are patch=4 and patch=7",
        ),
        (
            16,
            (1, 8, 8),
            "ViT.patch is 16, which does not divide an image of 8 x 8 pixels: the nearest that does is patch=8",
        ),
        (
            4,
            (3, 218, 178),
            "ViT.patch is 4, which does not divide an image of 218 x 178 pixels: the nearest that does is patch=2",
        ),
    ],
    ids=["between", "above", "not square"],
)
def test_a_patch_that_does_not_divide_the_image_is_refused(patch, inputs, message):
    with pytest.raises(UserError) as refused:
        ViT(patch=patch).build(inputs=inputs, classes=10)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            ViT(dim=512, heads=12),
            "dim=512 does not divide by heads=12: the nearest that do are dim=504 and dim=516",
        ),
        (ViT(dim=2, heads=3), "dim=2 does not divide by heads=3: the nearest that does is dim=3"),
    ],
    ids=["dim between", "dim below"],
)
def test_heads_that_cannot_share_the_channels_are_refused(refusal, model, message):
    assert refusal(model.check) == message


@pytest.mark.parametrize("size", [ViT, Tiny, Small, Base])
@pytest.mark.parametrize("field", ["patch", "dim", "heads", "depth"])
def test_values_below_1_are_refused_of_every_size(outside, size, field):
    assert outside(size, **{field: 0}) == f"{size.__name__}.{field} is int >= 1, not 0"


@pytest.mark.parametrize("size", [ViT, Tiny, Small, Base])
def test_the_sizes_pass_their_own_check(size):
    size().check()
