"""Each schedule is the curve that it says, at every step, and one that resumes goes on unbroken."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
import torch

from cn import UserError
from cn.discovery.discover import options
from runs.schedule import Schedule
from runs.schedule._rule import BLOCK, Factors
from runs.schedule.constant import Constant
from runs.schedule.cosine import Cosine
from runs.schedule.one_cycle import OneCycle
from runs.schedule.plateau import Plateau
from runs.schedule.trapezoid import Trapezoid

NODES: dict[str, Any] = options((Schedule,))[0]
every_node = pytest.mark.parametrize("node", NODES.values(), ids=NODES)


def factors(schedule: Schedule, steps: int) -> list[float]:
    return list(schedule.build(steps=steps).factors)


def rates(optimizer: torch.optim.Optimizer, scheduler: Any, steps: int) -> list[float]:
    """The rates that a scheduler of torch's gives, a step each."""
    found: list[float] = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


# every node


def test_the_options_are_the_files_of_the_folder() -> None:
    assert list(NODES) == ["constant", "cosine", "one_cycle", "plateau", "trapezoid"]


@every_node
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 20, 1000, 1024, 2049])
def test_a_run_of_any_length_has_a_positive_factor_a_step(node: type[Schedule], steps: int) -> None:
    schedule = node()
    given = factors(schedule, steps)
    assert given == [schedule.factor(step, steps) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in given)


@pytest.mark.parametrize("steps", [0, 1, 1024, 1025, 5000])
def test_factors_are_computed_in_blocks_and_are_the_same_in_any_order(steps: int) -> None:
    given = Factors(lambda step: step / 2, steps)
    order = [*range(0, steps, 700), *reversed(range(0, steps, 300)), *range(steps)]
    assert [given[step] for step in order] == [step / 2 for step in order]
    assert len(given) == steps
    with pytest.raises(IndexError):
        given[steps]


def test_a_long_run_computes_few_factors_before_it_begins() -> None:
    asked: list[int] = []
    Factors(lambda step: float(asked.append(step) or 1), 10_000_000)
    assert len(asked) <= 2 * BLOCK
    assert {0, 9_999_999} <= {*asked}


@pytest.mark.parametrize("node", [OneCycle, Trapezoid])
def test_the_defaults_pass_their_own_check(node: Any) -> None:
    node().check()


@every_node
def test_the_curve_has_no_jump(node: type[Schedule]) -> None:
    given = factors(node(), 1000)
    assert max(abs(b - a) for a, b in pairwise(given)) < 0.02


@every_node
def test_a_rule_starts_again_from_its_state(node: type[Schedule]) -> None:
    rule, resumed = node().build(steps=50), node().build(steps=50)
    for loss in [1.0] * 25:
        rule.observe(loss)
    resumed.load_state_dict(rule.state_dict())
    assert list(resumed.factors) == list(rule.factors)
    for loss in [1.0, 0.5] + [0.6] * 25:
        rule.observe(loss)
        resumed.observe(loss)
    assert list(resumed.factors) == list(rule.factors)
    assert resumed.state_dict() == rule.state_dict()


@pytest.mark.slow
def test_choosing_checking_and_building_does_not_import_torch() -> None:
    code = (
        "import sys\n"
        "from cn.discovery.discover import options\n"
        "from runs.schedule import Schedule\n"
        "for node in options((Schedule,))[0].values(): node().build(steps=10)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# curves


def test_constant_is_the_base_rate() -> None:
    assert factors(Constant(), 3) == [1.0, 1.0, 1.0]


def test_cosine_is_a_straight_line_up_and_half_a_cosine_down() -> None:
    given = factors(Cosine(warmup=4, floor=0.2), 12)
    assert given[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert given[8] == pytest.approx(0.6)  # half way down
    assert given[11] == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi * 7 / 8)) / 2)
    assert Cosine(warmup=4, floor=0.2).factor(12, 12) == pytest.approx(0.2)


def test_cosine_after_its_warmup_is_the_one_of_torch() -> None:
    optimizer = sgd()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90, eta_min=0.05)
    given = factors(Cosine(warmup=0.1, floor=0.05), 100)
    assert given[10:] == pytest.approx(rates(optimizer, scheduler, 90))


def test_cosine_may_be_all_warmup_or_have_none() -> None:
    assert factors(Cosine(warmup=3), 3) == [0.25, 0.5, 0.75]
    assert factors(Cosine(warmup=0), 2) == pytest.approx([1.0, 0.5])


def test_trapezoid_rises_stays_and_falls() -> None:
    given = factors(Trapezoid(warmup=3, cooldown=4, floor=0.5), 12)
    assert given[:4] == [0.25, 0.5, 0.75, 1.0]
    assert given[4:8] == [1.0] * 4
    assert given[8:] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert Trapezoid(warmup=3, cooldown=4, floor=0.5).factor(12, 12) == 0.5


def test_trapezoid_counts_shares_and_needs_no_flat_part() -> None:
    assert factors(Trapezoid(), 100) == factors(Trapezoid(warmup=5, cooldown=20), 100)
    assert factors(Trapezoid(warmup=0, cooldown=0), 5) == [1.0] * 5
    given = factors(Trapezoid(warmup=0.5, cooldown=0.5), 7)  # 3.5 steps each: rounded to 4
    assert given == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.6, 0.4, 0.2])


def test_one_cycle_goes_up_down_and_far_down() -> None:
    given = factors(OneCycle(warmup=4, start=0.2, floor=0.04), 12)
    assert given[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert given[5:9] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert given[9:] == pytest.approx([0.16, 0.12, 0.08])
    assert OneCycle(warmup=4, start=0.2, floor=0.04).factor(12, 12) == pytest.approx(0.04)


def test_one_cycle_is_the_one_of_torch_with_three_phases() -> None:
    optimizer = sgd()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=101,  # torch ends at its last step, ours one step after it
        pct_start=46 / 101,
        anneal_strategy="linear",
        cycle_momentum=False,
        div_factor=10,
        final_div_factor=1000,
        three_phase=True,
    )
    assert factors(OneCycle(), 100) == pytest.approx(rates(optimizer, scheduler, 100))


def test_one_cycle_may_end_where_the_cycle_does() -> None:
    assert factors(OneCycle(warmup=0.5, start=0.5), 4) == [0.5, 0.75, 1.0, 0.75]


def test_a_loop_may_keep_the_factors_which_are_plain_floats() -> None:
    rule = Cosine().build(steps=1000)
    kept = rule.factors
    rule.observe(1.0)
    assert rule.factors is kept
    assert type(kept[0]) is float


# plateau

LOSSES = [1.0, 0.9, 0.95, 0.9, 0.89999, 0.91, 0.8, math.nan, 0.9, 0.9, 0.9, 0.7, 0.75, 0.75, 0.75]


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_plateau_lowers_the_rate_when_the_one_of_torch_does(patience: int, floor: float) -> None:
    optimizer = sgd()
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=1e-3, min_lr=floor
    )
    schedule = Plateau(gamma=0.5, patience=patience, threshold=1e-3, floor=floor)
    rule = schedule.build(steps=len(LOSSES))
    seen: list[float] = []
    for step, loss in enumerate(LOSSES):
        assert rule.factors[step] == optimizer.param_groups[0]["lr"]
        rule.observe(loss)
        scheduler.step(loss)
        seen.append(rule.factors[step])
    assert (len(set(seen)) > 1) is (patience < 5)


def test_plateau_changes_the_factors_that_a_loop_holds() -> None:
    rule = Plateau(patience=0).build(steps=4)
    held = rule.factors
    rule.observe(1.0)
    rule.observe(1.0)
    assert list(held) == [0.1] * 4


# errors


@pytest.mark.parametrize(
    ("cls", "values", "text"),
    [
        (Cosine, {"warmup": -5}, "Cosine.warmup is int >= 0 | 0 <= float < 1, not -5"),
        (Cosine, {"warmup": 500.0}, "Cosine.warmup is int >= 0 | 0 <= float < 1, not 500.0"),
        (Cosine, {"warmup": -0.1}, "Cosine.warmup is int >= 0 | 0 <= float < 1, not -0.1"),
        (Trapezoid, {"cooldown": math.inf}, "Trapezoid.cooldown is int >= 0 | 0 <= float < 1, not inf"),
        (Cosine, {"floor": 1.5}, "Cosine.floor is 0 <= float <= 1, not 1.5"),
        (Trapezoid, {"floor": -0.1}, "Trapezoid.floor is 0 <= float <= 1, not -0.1"),
        (
            Trapezoid,
            {"warmup": 0.3, "cooldown": 0.8},
            "warmup=0.3 and cooldown=0.8 are more than the whole run: give cooldown=0.7 or less",
        ),
        (OneCycle, {"warmup": 0}, "OneCycle.warmup is int >= 1 | 0 < float <= 0.5, not 0"),
        (OneCycle, {"warmup": 0.6}, "OneCycle.warmup is int >= 1 | 0 < float <= 0.5, not 0.6"),
        (OneCycle, {"start": 2.0}, "OneCycle.start is 0 <= float <= 1, not 2.0"),
        (
            OneCycle,
            {"floor": 0.5},
            "floor=0.5 is where the cycle ends and lies outside [0, start]: give 0.0 to 0.1",
        ),
        (Plateau, {"gamma": 1.0}, "Plateau.gamma is 0 < float < 1, not 1.0"),
        (Plateau, {"patience": -1}, "Plateau.patience is int >= 0, not -1"),
        (Plateau, {"threshold": 1.0}, "Plateau.threshold is 0 <= float < 1, not 1.0"),
        (Plateau, {"floor": math.nan}, "Plateau.floor is 0 <= float <= 1, not nan"),
    ],
)
def test_nonsense_is_refused(cls: Any, values: dict[str, Any], text: str) -> None:
    with pytest.raises((ValueError, UserError)) as error:
        cls(**values).check()
    assert str(error.value).split("\n")[0] == text


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (
            Cosine(warmup=500),
            "warmup=500 of the schedule does not fit in a run of 100 steps: "
            "give at most 100, or a share of all steps, as in schedule.warmup=0.05",
        ),
        (
            OneCycle(warmup=60),
            "warmup=60 of the schedule does not fit in a run of 100 steps: "
            "give at most 50, or a share of all steps, as in schedule.warmup=0.05",
        ),
        (
            Trapezoid(warmup=60, cooldown=0.5),
            "warmup=60 and cooldown=0.5 of the schedule do not fit in a run of 100 steps: "
            "give cooldown=40 or less, or shares of all steps, as in schedule.cooldown=0.2",
        ),
    ],
    ids=["cosine", "one_cycle", "trapezoid"],
)
def test_a_part_longer_than_the_run_is_refused(schedule: Schedule, text: str) -> None:
    with pytest.raises(UserError) as error:
        schedule.build(steps=100)
    assert str(error.value) == text


def test_a_checkpoint_of_another_schedule_is_refused() -> None:
    plateau, cosine = Plateau().build(steps=5), Cosine().build(steps=5)
    with pytest.raises(UserError) as error:
        cosine.load_state_dict(plateau.state_dict())
    assert str(error.value) == (
        "the checkpoint's schedule remembers best, level, waited and this run's nothing: "
        "resume with the schedule it was trained with"
    )
    with pytest.raises(UserError) as error:
        plateau.load_state_dict({})
    assert str(error.value) == (
        "the checkpoint's schedule remembers nothing and this run's best, level, waited: "
        "resume with the schedule it was trained with"
    )
