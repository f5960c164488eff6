"""Double Q-learning. b concurrent episodes with states of s numbers; a actions; a replay memory of m.

Several processes share the episodes, the memory and what is learnt of it in a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runs.task._objective import Minimize, Network, Objective


class World(Protocol):
    """An environment with a reward of 1 per action."""

    limit: int  # maximum of actions in an episode
    scale: tuple[float, ...]  # s; the networks' inputs are divided by it

    def step(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next states `b s` after actions `b`, and whether the episode ended, `b`."""
        ...


class Values(nn.Module):
    """Action values `b a` of states `b s`; `target` follows `online` and is not trained."""

    scale: Tensor

    def __init__(self, online: nn.Module, target: nn.Module, *, scale: tuple[float, ...]) -> None:
        super().__init__()
        target.load_state_dict(online.state_dict())
        self.online, self.target = online, target.requires_grad_(False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Return the networks, each with a head of its own."""
        return self.online, self.target

    def forward(self, states: Tensor) -> Tensor:
        return self.online(states / self.scale)

    def by_target(self, states: Tensor) -> Tensor:
        """Return the target network's action values, `b a`."""
        return self.target(states / self.scale)


class Memory:
    """A ring buffer of transitions: states `m s`, actions `m`, next states `m s`, whether the episode ended `m`."""

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0  # total number of actions
        self.parts: list[Tensor] = []

    def add(self, *parts: Tensor) -> None:
        if not self.parts:
            self.parts = [each.new_zeros(self.size, *each.shape[1:]) for each in parts]
        place = (self.taken + torch.arange(len(parts[0]), device=parts[0].device)) % self.size
        for own, each in zip(self.parts, parts, strict=True):
            own[place] = each
        self.taken += len(parts[0])

    def sample(self, count: int) -> list[Tensor]:
        """Draw transitions with replacement."""
        index = torch.randint(min(self.taken, self.size), (count,), device=self.parts[0].device)
        return [each[index] for each in self.parts]

    def resize(self, size: int) -> None:
        """Have room for so many transitions; the newest are kept."""
        if size == self.size:
            return
        filled = min(self.taken, self.size)
        newest = (self.taken - filled + torch.arange(filled)) % self.size
        kept = [each[newest[-size:].to(each.device)] for each in self.parts]
        self.size, self.taken, self.parts = size, 0, []
        if kept:
            self.add(*kept)

    def state_dict(self) -> dict[str, Any]:
        filled = min(self.taken, self.size)
        parts = [each[:filled].cpu().clone() for each in self.parts]
        return {"size": self.size, "taken": self.taken, "parts": parts}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self.size = state.get("size", self.size)
        self.taken, self.parts = state["taken"], []
        for each in state["parts"]:
            own = torch.zeros(self.size, *each.shape[1:], dtype=each.dtype, device=device)
            own[: len(each)] = each.to(device)
            self.parts.append(own)


class QLearning(Objective):
    """Double Q-learning: the network chooses the action, its target values it (van Hasselt et al. 2016)."""

    def __init__(
        self,
        network: Values,
        *,
        world: World,
        actions: int,
        discount: float,
        memory: int,
        sample: int,
        explore: int,
        random: float,
        follow: float,
    ) -> None:
        super().__init__(network)
        self.values, self.world, self.actions = network, world, actions
        self.outputs = (actions,)
        self.discount, self.remembered, self.count = discount, memory, sample
        self.explore, self.random, self.follow = explore, random, follow
        self.memory = Memory(memory)
        self.taken = 0  # steps so far
        self.states: Tensor | None = None  # of the running episodes, b s
        self.lengths: Tensor | None = None  # actions in each episode, b

    def step(self, batch: Tensor, minimize: Minimize) -> dict[str, Tensor]:
        self.memory.resize(minimize.own(self.remembered))
        with torch.no_grad():
            random = self._act(batch)
        states, actions, later, over = self.memory.sample(minimize.own(self.count))
        with torch.no_grad():
            best = self.values(later).argmax(dim=1, keepdim=True)
            worth = 1 + self.discount * ~over * self.values.by_target(later).gather(1, best).squeeze(1)
        found = self.values(states).gather(1, actions[:, None]).squeeze(1)
        loss = F.smooth_l1_loss(found, worth)
        minimize(loss)
        with torch.no_grad():
            for own, each in zip(self.values.target.parameters(), self.values.online.parameters(), strict=True):
                own.lerp_(each, self.follow)
        return {"loss": loss, "worth": worth.mean(), "random": random}

    def _act(self, beginnings: Tensor) -> Tensor:
        """Take one action in each episode; an ended episode is replaced by a new one. Return the random fraction.

        A run that goes on with another number of processes begins new episodes.
        """
        if self.states is None or self.lengths is None or len(self.states) != len(beginnings):
            self.states, self.lengths = beginnings.clone(), beginnings.new_zeros(len(beginnings))
        states, share = self.states, max(self.random, 1 - self.taken / self.explore * (1 - self.random))
        drawn = torch.rand(len(states), device=states.device) < share
        chosen = torch.where(
            drawn, torch.randint(self.actions, (len(states),), device=states.device), self.values(states).argmax(dim=1)
        )
        later, over = self.world.step(states, chosen)
        self.memory.add(states, chosen, later, over)
        self.lengths = self.lengths + 1
        ended = over | (self.lengths >= self.world.limit)  # a truncated episode is not terminal
        self.states = torch.where(ended[:, None], beginnings, later)
        self.lengths = torch.where(ended, 0.0, self.lengths)
        self.taken += 1
        return drawn.float().mean()

    def measure(self, network: Network, batch: Tensor) -> Mapping[str, Tensor]:
        """Run an episode from each state without random actions; the metric is its number of actions."""
        states, going = batch, torch.ones(len(batch), dtype=torch.bool, device=batch.device)
        lengths = batch.new_zeros(len(batch))
        for _ in range(self.world.limit):
            states, over = self.world.step(states, network(states).argmax(dim=1))
            lengths += going
            going = going & ~over
        return {"return": lengths.sum()}

    def state_dict(self) -> dict[str, Any]:
        now = [None if each is None else each.cpu() for each in (self.states, self.lengths)]
        return {"memory": self.memory.state_dict(), "taken": self.taken, "states": now[0], "lengths": now[1]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = next(self.values.parameters()).device
        self.memory.load_state_dict(state["memory"], device)
        self.taken = state["taken"]
        self.states, self.lengths = (
            None if each is None else each.to(device) for each in (state["states"], state["lengths"])
        )
