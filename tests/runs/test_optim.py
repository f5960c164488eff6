"""Each optimiser node does what torch's own does, groups parameters alike, and resumes exactly."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, gelu

from cn import UserError
from cn.discovery.discover import options
from cn.nodes.target import check_target, locate
from models.decoder.gpt2_family.small import Small as Gpt2Small
from runs.optim import NonNegative, Optim
from runs.optim._groups import trainable
from runs.optim._muon import hidden_matrices, orthogonal
from runs.optim.adam import Adam
from runs.optim.adamw import AdamW
from runs.optim.muon import Muon
from runs.optim.sgd import Sgd
from runs.task._distil import Taught
from runs.task._dqn import Values

NODES: dict[str, Any] = options((Optim,))[0]
every_node = pytest.mark.parametrize("node", NODES.values(), ids=NODES)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Net(nn.Module):
    """One of each kind of parameter: filters, gains, positions, matrices, biases."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, 6, 3, bias=False)
        self.norm = nn.LayerNorm([6, 6, 6])
        self.batch = nn.BatchNorm2d(6)
        self.positions = nn.Parameter(torch.zeros(1, 6, 36))
        self.hidden = nn.Linear(36, 36)
        self.head = nn.Linear(36, 4)

    def forward(self, images: Tensor) -> Tensor:
        x = self.batch(self.norm(self.filters(images))).flatten(2) + self.positions  # b c (h w)
        return self.head(gelu(self.hidden(x)).mean(1))


IMAGES = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(16) % 4


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def train(module: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """The losses before each of some steps on one batch."""
    losses: list[float] = []
    for _ in range(steps):
        loss = cross_entropy(module(IMAGES), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def names(module: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[str]]:
    """The names of the parameters of each group."""
    name = {id(parameter): name for name, parameter in module.named_parameters()}
    return [[name[id(p)] for p in group["params"]] for group in optimizer.param_groups]


def assert_equal(one: nn.Module, other: nn.Module) -> None:
    for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name


# every node


def test_the_options_are_the_files_of_the_folder() -> None:
    assert list(NODES) == ["adam", "adamw", "muon", "sgd"]


@every_node
def test_each_field_is_an_argument_of_the_target(node: type[Optim]) -> None:
    takes = inspect.signature(locate(node()._target_)).parameters  # type: ignore[attr-defined]
    assert {name for name in node._fields if not name.startswith("_")} <= set(takes)
    check_target(node)


@every_node
def test_the_defaults_are_in_range_and_lower_the_loss(node: type[Optim]) -> None:
    module = net()
    losses = train(module, node().build(module), 40)
    assert losses[-1] < 0.9 * losses[0]


@every_node
def test_a_checkpoint_resumes_to_the_last_bit(node: type[Optim]) -> None:
    whole = net()
    train(whole, optimizer := node().build(whole), 3)
    file = io.BytesIO()
    torch.save({"model": whole.state_dict(), "optim": optimizer.state_dict()}, file)
    train(whole, optimizer, 3)

    torch.manual_seed(99)
    resumed = Net()
    again = node().build(resumed)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed.load_state_dict(saved["model"])
    again.load_state_dict(saved["optim"])
    train(resumed, again, 3)

    assert_equal(whole, resumed)
    for a, b in zip(optimizer.state_dict()["state"].values(), again.state_dict()["state"].values(), strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a if isinstance(a[key], Tensor))


@every_node
def test_a_group_follows_the_rate_that_a_schedule_writes(node: type[Optim]) -> None:
    module, still = net(), net()
    optimizer = node().build(module)
    for group in optimizer.param_groups:
        assert group["lr"] > 0
        group["lr"] *= 0.0
    train(module, optimizer, 1)
    assert_equal(module, still)


@every_node
def test_a_frozen_parameter_stays_and_none_at_all_is_refused(node: type[Optim]) -> None:
    module = net()
    module.hidden.requires_grad_(False)
    before = module.hidden.weight.clone()
    train(module, node().build(module), 2)
    assert torch.equal(module.hidden.weight, before)
    module.requires_grad_(False)
    with pytest.raises(UserError) as error:
        node().build(module)
    assert str(error.value) == (
        "Net has no parameter that asks for a gradient, so there is nothing to train: "
        "leave requires_grad on for at least one"
    )


@pytest.mark.slow
def test_choosing_and_making_a_node_does_not_import_torch() -> None:
    code = (
        "import sys\n"
        "from cn.discovery.discover import options\n"
        "from runs.optim import Optim\n"
        "for node in options((Optim,))[0].values(): node()\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# targets of torch's own


@pytest.mark.parametrize(
    ("node", "by_hand"),
    [
        (
            Sgd(lr=0.05, momentum=0.8, weight_decay=0.01),
            lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01, fused=True),
        ),
        (
            Adam(lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1),
            lambda groups: torch.optim.Adam(groups, lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, fused=True),
        ),
        (
            AdamW(lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1),
            lambda groups: torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, fused=True),
        ),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_steps_equal_those_of_the_optimiser_built_by_hand(
    node: Optim, by_hand: Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
) -> None:
    ours, theirs = net(), net()
    optimizer = node.build(ours)
    shrink = [theirs.filters.weight, theirs.positions, theirs.hidden.weight, theirs.head.weight]
    rest = [p for p in theirs.parameters() if not any(p is other for other in shrink)]
    expected = by_hand([{"params": shrink}, {"params": rest, "weight_decay": 0.0}])
    assert type(optimizer) is type(expected)
    assert train(ours, optimizer, 4) == train(theirs, expected, 4)
    assert_equal(ours, theirs)


@pytest.mark.parametrize(
    ("node", "by_hand"),
    [
        (Sgd(weight_decay=0), lambda own: torch.optim.SGD(own, lr=0.1, momentum=0.9, nesterov=True, foreach=False)),
        (Adam(), lambda own: torch.optim.Adam(own, lr=1e-3, foreach=False)),
        (AdamW(weight_decay=0), lambda own: torch.optim.AdamW(own, lr=1e-3, weight_decay=0, foreach=False)),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_a_parameter_may_have_its_first_gradient_in_a_later_step(node: Optim, by_hand: Any) -> None:
    """As those of a block have that some steps leave out."""
    ours, theirs = net(), net()
    for module, optimizer in ((ours, node.build(ours)), (theirs, by_hand(theirs.parameters()))):
        for step in range(4):
            module.hidden.requires_grad_(step % 2 == 1)
            train(module, optimizer, 1)
            optimizer.zero_grad()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("node", [Sgd(), Adam(), AdamW()], ids=["sgd", "adam", "adamw"])
def test_matrices_decay_and_biases_and_norms_do_not(node: Sgd | Adam | AdamW) -> None:
    module = net()
    optimizer = node.build(module)
    assert names(module, optimizer) == [
        ["positions", "filters.weight", "hidden.weight", "head.weight"],
        ["norm.weight", "norm.bias", "batch.weight", "batch.bias", "hidden.bias", "head.bias"],
    ]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [node.weight_decay, 0.0]
    assert [group["fused"] for group in optimizer.param_groups] == [True, True]


def test_no_group_is_empty() -> None:
    module = nn.Linear(3, 2, bias=False)
    assert names(module, AdamW().build(module)) == [["weight"]]


def test_a_target_that_has_no_fused_kernel_needs_no_code_either() -> None:
    class RAdam(Optim):
        _target_: str = "torch.optim.RAdam"
        lr: NonNegative = 0.02  # base learning rate

    module = net()
    optimizer = RAdam(lr=0.01).build(module)
    assert type(optimizer) is torch.optim.RAdam
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.01]
    with pytest.raises(UserError, match=r"RAdam\.lr is 0 <= float < inf, not -1\n"):
        RAdam(lr=-1)


def test_a_parameter_in_two_places_is_trained_once() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].weight = module[0].weight
    assert len(trainable(module)) == 3


# Muon


class Language(nn.Module):
    """Embeddings whose matrix is the head's, too, around two hidden matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.places = nn.Embedding(5, 8)
        self.attention = nn.MultiheadAttention(8, 2)
        self.up = nn.Linear(8, 16)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.tokens.weight


def hidden_names(module: nn.Module) -> list[str]:
    name = {id(parameter): name for name, parameter in module.named_parameters()}
    return [name[id(parameter)] for parameter in hidden_matrices(module)]


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest() -> None:
    module = net()
    optimizer = Muon(lr=0.03, adam_lr=0.002, weight_decay=0.1).build(module)
    assert names(module, optimizer) == [
        ["filters.weight", "hidden.weight"],
        ["positions", "head.weight"],
        ["norm.weight", "norm.bias", "batch.weight", "batch.bias", "hidden.bias", "head.bias"],
    ]
    assert [group["lr"] for group in optimizer.param_groups] == [0.03, 0.002, 0.002]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1, 0.0]


def test_embeddings_and_a_head_tied_to_them_are_not_hidden() -> None:
    assert hidden_names(Language()) == [
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "up.weight",
    ]


def test_of_a_transformer_whose_head_is_tied_every_matrix_is_hidden() -> None:
    gpt2 = Gpt2Small(d_model=8, heads=2, layers=1, feed_forward=8, vocabulary=20, length=4)
    network = gpt2.build(inputs=(4,), classes=20)
    assert "feed_forward" in hidden_names(network)[-1]


def test_of_several_networks_each_has_a_head() -> None:
    first, second = (nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2)) for _ in range(2))
    assert hidden_names(Taught(first, second)) == ["student.0.weight", "teacher.0.weight"]
    online, target = (nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2)) for _ in range(2))
    assert hidden_names(Values(online, target, scale=(1.0,))) == ["online.0.weight"]


def test_a_head_that_is_frozen_does_not_make_the_matrix_before_it_the_head() -> None:
    module = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6), nn.Linear(6, 2))
    module[2].requires_grad_(False)
    assert hidden_names(module) == ["0.weight", "1.weight"]


def test_a_network_with_no_hidden_matrix_is_trained_by_adamw_alone() -> None:
    ours, theirs = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), nn.Linear(64, 4)
    theirs.load_state_dict(ours[1].state_dict())
    theirs_too = nn.Sequential(nn.Flatten(), theirs)
    groups = [{"params": [theirs.weight]}, {"params": [theirs.bias], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    train(ours, Muon(adam_lr=0.01, weight_decay=0.1).build(ours), 4)
    train(theirs_too, adamw, 4)
    assert_equal(ours, theirs_too)


@pytest.mark.parametrize("shape", [(1, 24, 24), (1, 16, 50), (2, 50, 16), (3, 40, 10)], ids=str)
def test_the_update_is_nearly_orthogonal(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(3)
    u, values, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    exact = u @ v
    given = u @ torch.linspace(0.1, 1, values.shape[-1]).diag() @ v
    values = torch.linalg.svdvals(orthogonal(given, 5).float())
    assert values.min() > 0.6
    assert values.max() < 1.25
    alike = cosine_similarity(orthogonal(given, 5).float().flatten(1), exact.flatten(1))
    assert alike.min() > 0.97
    assert torch.equal(orthogonal(torch.zeros(shape), 5), torch.zeros(shape, dtype=torch.bfloat16))


def test_the_weight_moves_by_its_rate_along_an_orthogonal_matrix() -> None:
    torch.manual_seed(0)
    hidden, head = nn.Linear(8, 32), nn.Linear(32, 4)
    before = hidden.weight.detach().clone()
    hidden.weight.grad = torch.randn(32, 8)
    Muon(lr=0.5, weight_decay=0.0).build(nn.Sequential(hidden, head)).step()
    values = torch.linalg.svdvals((hidden.weight.detach() - before) / (0.5 * (32 / 8) ** 0.5))
    assert values.min() > 0.6
    assert values.max() < 1.25


@pytest.mark.parametrize("nesterov", [True, False])
def test_on_matrices_it_agrees_with_the_muon_of_torch(nesterov: bool) -> None:
    torch.manual_seed(0)
    shapes = [(12, 20), (20, 12), (20, 12), (12, 12), (3, 12)]  # the last one is the head
    ours = nn.Sequential(*[nn.Linear(i, o, bias=False) for o, i in shapes])
    theirs = nn.Sequential(*[nn.Linear(i, o, bias=False) for o, i in shapes])
    theirs.load_state_dict(ours.state_dict())
    before = [parameter.detach().clone() for parameter in ours.parameters()]
    node = Muon(lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.2, adam_lr=0.01)
    muon = node.build(ours)
    expected = torch.optim.Muon(
        list(theirs.parameters())[:-1], lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.2
    )
    head = torch.optim.AdamW(theirs[-1].parameters(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.2, fused=True)
    for _ in range(4):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        muon.step()
        expected.step()
        head.step()
    *hidden, ours_head = zip(ours.parameters(), theirs.parameters(), before, strict=True)
    for a, b, start in hidden:
        assert (a - b).norm() < 0.01 * (a - start).norm()  # both round to bfloat16, in another order
    assert torch.equal(ours_head[0], ours_head[1])


def test_a_filter_is_a_row_of_a_matrix() -> None:
    torch.manual_seed(0)
    conv, linear, head = nn.Conv2d(3, 8, 2, bias=False), nn.Linear(12, 8, bias=False), nn.Linear(2, 2)
    linear.weight.data = conv.weight.detach().reshape(8, 12).clone()
    linear.weight.grad = torch.randn(8, 12)
    conv.weight.data = conv.weight.data.to(memory_format=torch.channels_last)
    conv.weight.grad = linear.weight.grad.view(8, 3, 2, 2).to(memory_format=torch.channels_last)
    Muon().build(nn.Sequential(conv, head)).step()
    Muon().build(nn.Sequential(linear, head)).step()
    assert torch.equal(conv.weight.reshape(8, 12), linear.weight)
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    module = net()
    optimizer = Muon().build(module)
    optimizer.step()
    assert_equal(module, net())
    assert not optimizer.state_dict()["state"]


def test_a_closure_gives_the_loss() -> None:
    module = net()
    optimizer = Muon().build(module)

    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(module(IMAGES), LABELS)
        loss.backward()
        return loss.item()

    losses = [optimizer.step(closure) for _ in range(5)]
    assert losses[-1] < losses[0]


# errors


@pytest.mark.parametrize(
    ("cls", "values", "text"),
    [
        (Sgd, {"lr": -0.1}, "Sgd.lr is 0 <= float < inf, not -0.1"),
        (AdamW, {"lr": float("nan")}, "AdamW.lr is 0 <= float < inf, not nan"),
        (Adam, {"lr": float("inf")}, "Adam.lr is 0 <= float < inf, not inf"),
        (Sgd, {"momentum": 1.0}, "Sgd.momentum is 0 <= float < 1, not 1.0"),
        (Sgd, {"weight_decay": -0.01}, "Sgd.weight_decay is 0 <= float < inf, not -0.01"),
        (Adam, {"betas": (1.0, 0.999)}, "Adam.betas is tuple[0 <= float < 1, 0 <= float < 1], not (1.0, 0.999)"),
        (AdamW, {"betas": (0.9, -0.95)}, "AdamW.betas is tuple[0 <= float < 1, 0 <= float < 1], not (0.9, -0.95)"),
        (AdamW, {"eps": -1e-8}, "AdamW.eps is 0 <= float < inf, not -1e-08"),
        (Muon, {"iterations": 0}, "Muon.iterations is int >= 1, not 0"),
        (Muon, {"adam_lr": -1.0}, "Muon.adam_lr is 0 <= float < inf, not -1.0"),
        (
            Sgd,
            {"momentum": 0.0},
            "nesterov=True looks ahead along a momentum, and momentum=0.0 leaves none: "
            "give momentum=0.9, or nesterov=False",
        ),
    ],
)
def test_a_value_out_of_range_is_refused(cls: Any, values: dict[str, Any], text: str) -> None:
    with pytest.raises((ValueError, UserError)) as error:
        cls(**values).check()
    assert str(error.value).split("\n")[0] == text
