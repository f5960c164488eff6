"""The cart and its pole: the equations, the memory, runs that are stopped or killed, and how long it stays up."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from cn import compose
from data._cartpole import EDGE, FALLEN, Pole
from data.cartpole import CartPole
from models.mlp import Mlp
from runs import Run, _train
from runs._processes.collectives import ALONE
from runs._training.device import _auto, choose
from runs._training.own_step import Minimize
from runs.callbacks.model_summary import ModelSummary
from runs.default import Default
from runs.dqn import Dqn
from runs.task import dqn as tasks
from runs.task._dqn import Memory

RANDOM = 22  # pushes, of a policy that draws each; test_pushes_at_random_keep_it_up_for_22


def run(**more: object) -> Dqn:
    parts = {"model": Mlp(hidden_sizes=(16,)), "data": CartPole(batch_size=8, count=20, limit=60), "steps": 40}
    task = tasks.Dqn(memory=100, sample=16, explore=20)
    return Dqn(**{**parts, "task": task, "log_every": 4, "validate_steps": 10, **more})


def test_a_push_is_that_of_the_equations():
    """Solved by hand for one state: Barto et al. 1983, without friction."""
    x, v, angle, turn = 0.3, -0.2, 0.1, 0.4
    found, over = Pole(500).step(torch.tensor([[x, v, angle, turn]]), torch.tensor([1]))
    inner = (10 + 0.1 * 0.5 * turn**2 * math.sin(angle)) / 1.1
    turning = (9.8 * math.sin(angle) - math.cos(angle) * inner) / (0.5 * (4 / 3 - 0.1 * math.cos(angle) ** 2 / 1.1))
    moving = inner - 0.1 * 0.5 * turning * math.cos(angle) / 1.1
    wanted = [x + 0.02 * v, v + 0.02 * moving, angle + 0.02 * turn, turn + 0.02 * turning]
    assert found[0].tolist() == pytest.approx(wanted, rel=1e-6)
    assert over.tolist() == [False]


def test_an_episode_is_over_where_the_pole_has_fallen_or_the_cart_gone():
    states = torch.tensor([[EDGE + 0.1, 0, 0, 0], [0, 0, FALLEN + 0.01, 0], [0, 0, -FALLEN - 0.01, 0], [0, 0, 0, 0]])
    assert Pole(500).step(states, torch.zeros(4))[1].tolist() == [True, True, True, False]


def test_pushes_at_random_keep_it_up_for_22():
    torch.manual_seed(0)
    split = CartPole(count=1000).build(seed=1).test
    states, lengths = split.batch(torch.arange(1000)), torch.zeros(1000)
    going = torch.ones(1000, dtype=torch.bool)
    for _ in range(500):
        states, over = Pole(500).step(states, torch.randint(2, (1000,)))
        lengths += going
        going &= ~over
    assert lengths.mean().item() == pytest.approx(RANDOM, abs=1)


def test_the_memory_forgets_the_oldest():
    memory = Memory(5)
    for number in range(4):
        memory.add(torch.tensor([2 * number, 2 * number + 1]))
    assert memory.parts[0].tolist() == [5, 6, 7, 3, 4]
    assert set(memory.sample(200)[0].tolist()) == {3, 4, 5, 6, 7}
    again = Memory(5)
    again.load_state_dict(memory.state_dict(), torch.device("cpu"))
    again.add(torch.tensor([8]))
    assert again.parts[0].tolist() == [5, 6, 7, 8, 4]


def test_a_run_must_have_an_end(go, failed):
    error = failed(lambda: go("run", of=run(steps=None, validate_steps=10)))
    assert str(error) == "data: CartPole has no end, and a run must have one\n  write: steps=10000"
    assert error.status == 2


@pytest.mark.parametrize("step", [1, 7, 20, 33])
def test_a_stopped_run_goes_on_to_the_same_bits_and_has_its_memory(step, go, after_step, failed, differences):
    whole = go("whole", of=run())
    after_step(step, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", of=run()))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics
    assert whole.state()["objective"]["memory"]["taken"] == 40 * 8


def test_a_killed_run_goes_on_to_the_same_bits(go, after_step, forked, die, differences):
    whole = go("whole", of=run(save_every=3))

    def killed() -> None:
        after_step(17, die)
        go("run", of=run(save_every=3))

    assert forked(killed) == -9
    assert differences(whole.state(), go(source="run").state()) == []


def test_two_processes_have_a_memory_each_and_one_network(stopped_after_each_step, differences):
    whole, parts = stopped_after_each_step(run(steps=6))
    assert differences(whole.state(), parts.state()) == []
    first, second = (each["objective"]["memory"] for each in (whole.state(), whole.state()["others"][0]))
    assert first["taken"] == second["taken"] == 6 * 4
    assert not torch.equal(first["parts"][0], second["parts"][0])


def test_processes_share_the_memory_and_what_is_learnt_of_it():
    training = _train.build(run(), Path("run"), print)
    objective, drawn = training.objective, list[int]()
    objective.remembered, objective.count = 50_000, 256

    class Second:
        def __call__(self, loss: Any, name: str = "") -> None:
            drawn.append(1)

        def own(self, count: int) -> int:
            return len(range(1, count, 2))

    batch = next(training.dataset.train.batches(32, slice(1, None, 2)))
    sample = objective.memory.sample
    objective.memory.sample = lambda count: drawn.append(count) or sample(count)
    objective.step(batch, Second())
    assert (objective.memory.size, drawn) == (25_000, [128, 1])


@pytest.mark.parametrize("episodes", [16, 1])
def test_a_run_goes_on_with_another_number_of_processes(episodes):
    """Each of more processes has fewer episodes, and begins them anew."""
    training = _train.build(run(), Path("run"), print)
    objective, minimize = training.objective, Minimize(training)
    batches = training.dataset.train.batches(32, slice(None))
    for _ in range(3):
        objective.step(next(batches), minimize)
    objective.load_state_dict(objective.state_dict())
    objective.step(next(batches)[:episodes], minimize)
    assert (objective.states.shape[0], objective.lengths.tolist()) == (episodes, [1.0] * episodes)
    assert objective.memory.taken == 3 * 32 + episodes


def test_a_memory_of_another_size_keeps_the_newest():
    memory = Memory(4)
    for number in range(6):
        memory.add(torch.tensor([number]))
    memory.resize(6)
    assert (memory.parts[0].tolist(), memory.taken) == ([2, 3, 4, 5, 0, 0], 4)
    memory.add(torch.tensor([6]))
    memory.resize(2)
    assert (memory.parts[0].tolist(), memory.taken) == ([5, 6], 2)
    other = Memory(9)
    other.load_state_dict(memory.state_dict(), torch.device("cpu"))
    assert (other.size, other.parts[0].tolist(), other.taken) == (2, [5, 6], 2)


def test_the_precision_is_right_for_values_near_a_hundred(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    of = Default(task=tasks.Dqn(), data=CartPole(), model=Mlp(), steps=1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert [choose(of, steps=1).autocast, _auto(of, torch.device("cuda"), ALONE)] == [None, "fp32"]


def test_a_summary_counts_one_pass_of_the_network(go):
    left = go("run", of=run(steps=1, callbacks={"model_summary": ModelSummary(depth=1)}))
    (row,) = (line for line in left.log.splitlines() if line.startswith("(all)"))
    assert row.split("  ")[-1].strip() == str(2 * (4 * 16 + 16 * 2))


def test_a_task_that_acts_needs_states():
    from cn import UserError

    with pytest.raises(UserError) as caught:
        compose(Run, ["run=dqn", "data=digits"])
    assert str(caught.value).split("\n  ")[:2] == [
        "task: Dqn needs states, actions, and Digits holds images, classes",
        "nearest: task=classify, task=distil, task=gan, task=reconstruct",
    ]


def test_it_learns_to_keep_the_pole_up(go):
    left = go("run", of=Dqn(steps=1500))
    assert left.summary["test/return"] > 5 * RANDOM
    assert left.summary["goal"] == "maximize validation/return"


def test_the_target_is_not_trained(here):
    training = _train.build(run(), Path("run"), print)
    trained = {id(each) for group in training.optimizer.param_groups for each in group["params"]}
    values = training.module
    assert {id(each) for each in values.online.parameters()} == trained
    assert all(not each.requires_grad for each in values.target.parameters())
