"""All that a run is while it trains, and what of it a checkpoint holds."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from data import Dataset, Stream
from runs import Run, _checkpoint
from runs._device import Device, random_state, set_random_state
from runs._ranks import ALONE, Ranks, reseed
from runs._watched import Watched
from runs.callbacks._hooks import Hooks, restore, states
from runs.optim import Several
from runs.schedule._rule import Rule

if TYPE_CHECKING:
    from runs._shards import Shards
    from runs.task import Objective


@dataclass
class Training:
    """The parts of one run. The loop moves `step`; everything else that changes is in `state_dict`."""

    run: Run
    folder: Path
    device: Device
    dataset: Dataset
    objective: Objective
    module: nn.Module  # the objective's network, placed, and sharded where each process holds a part of it
    optimizer: Optimizer
    rule: Rule
    rules: dict[str, Rule]  # of the optimisers that do not follow `rule`, by name
    hooks: dict[str, Hooks]
    say: Callable[[str], None]  # a line to the screen and to the log
    show: Callable[[str, Any, int], None]  # a name, a picture `h w 3` of bytes, and its step, to the loggers
    measured: tuple[str, ...]  # the metrics of a validation
    batch: int  # examples in a batch, of all processes together
    per_epoch: int  # optimiser steps
    steps: int  # optimiser steps in all
    step: int = 0  # optimiser steps taken
    total: Tensor = field(init=False)  # scalar on the device: sum of the losses since the last log
    parts: dict[str, Tensor] = field(default_factory=dict[str, Tensor])  # the same, of what else the task logs
    loss: float | None = None  # mean of the steps up to a log, the last that has been read from the device
    scaler: torch.amp.GradScaler | None = None
    ranks: Ranks = ALONE  # the processes of the run
    shards: Shards | None = None  # where each process holds a part of the weights
    best: dict[str, float] = field(default_factory=dict[str, float])  # the metrics of the best validation
    goal: tuple[Watched, ...] = field(init=False)  # the task's, or a callback's; the next decides a tie
    kept: bool = False  # whether the checkpoint of this step stays
    reason: str | None = None  # why a callback wants the run to end
    average: nn.Module | None = None  # evaluated instead of `module`, where a callback averages the weights
    bases: list[float] = field(init=False)  # the optimiser's own learning rates, which the schedule multiplies

    def __post_init__(self) -> None:
        self.total = torch.zeros((), device=self.device.device)
        self.goal = self.run.task.goal()
        self.bases = [float(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def groups(self) -> list[tuple[dict[str, Any], float, list[float]]]:
        """Each group of the optimiser, with its own learning rate and the factors that multiply it, a step each."""
        optimizer = self.optimizer
        names = optimizer.names() if isinstance(optimizer, Several) else [""] * len(self.bases)
        factors = [self.rules.get(name, self.rule).factors for name in names]
        return list(zip(optimizer.param_groups, self.bases, factors, strict=True))

    @property
    def epoch(self) -> float:
        """Epochs done, in part."""
        return self.step / self.per_epoch

    @property
    def share(self) -> float:
        """What the mean loss of this process's part of a batch is divided by, to add up to the mean loss of a step."""
        own = len(range(self.ranks.rank, self.batch, self.ranks.size))  # examples
        return self.run.accumulate * self.batch / (own * self.ranks.size)

    def named(self, losses: dict[str, Tensor]) -> Tensor:
        """The loss to be minimised, of several by name; the others are added to what the next log tells."""
        for name, each in losses.items():
            if name != "loss":
                own = each.detach() / self.share
                self.parts[name] = self.parts[name] + own if name in self.parts else own
        return losses["loss"]

    @property
    def first(self) -> Tensor:
        """The index of a split's first example, for whoever needs one."""
        return torch.zeros(1, dtype=torch.int64, device=self.device.device)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(each.numel() for each in self.module.parameters() if each.requires_grad)

    @property
    def evaluated(self) -> nn.Module:
        """What is validated and tested."""
        return self.module if self.average is None else self.average

    def validates_after(self, step: int) -> int:
        """The next step that ends with a validation, of those after this one."""
        run = self.run
        between = Fraction(str(run.validate_every)) * self.per_epoch  # 0.1 is a tenth, and not the float beside it
        between = Fraction(run.validate_steps) if run.validate_steps is not None else between
        return math.ceil((step // between + 1) * between)

    def better(self, metrics: dict[str, float]) -> bool:
        """Whether this validation is the best so far."""
        found, best = ([each.of(values) for each in self.goal] for values in (metrics, self.best or metrics))
        return not self.best or found > best

    def start_average(self) -> None:
        """Have a copy of the module evaluated from now on."""
        module, shards = self.module, self.shards
        self.average = copy.deepcopy(module).requires_grad_(False) if shards is None else shards.copy(module)

    def predict(self, *inputs: Any) -> Any:
        """What the evaluated network gives, in the run's precision.

        Called in one process it is called in all: with shards they need each other for it.
        """
        device = self.device
        with torch.autocast(device.device.type, device.autocast, enabled=device.autocast is not None):
            return self.evaluated(*inputs)

    def finite(self) -> bool:
        """Whether every weight is a finite number, in all processes where each holds a part of them."""
        if self.shards is None:
            return all(bool(each.isfinite().all()) for each in self.module.parameters())
        return not self.ranks.largest(int(not self.shards.finite(self.module)))

    def name_of(self, hooks: Hooks) -> str:
        """`callbacks.NAME`, under which the run holds these hooks."""
        return next(f"callbacks.{name}" for name, each in self.hooks.items() if each is hooks)

    def stop(self, reason: str) -> None:
        """End the run after this step, with a validation, as if it had been the last."""
        self.reason = reason

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, as tensors and plain values; in the first process, of all."""
        sums = {"total": self.total.cpu(), "parts": {name: each.cpu() for name, each in self.parts.items()}}
        task = {"objective": kept} if (kept := self.objective.state_dict()) else {}
        own, *others = self.ranks.gather({**sums, **task, "random": random_state(self.device.device)})
        rules = {name: each.state_dict() for name, each in self.rules.items()}
        stream = self.dataset.train
        return {
            "step": self.step,
            "per_epoch": self.per_epoch,
            "total": own["total"],
            "parts": own["parts"],
            "best": dict(self.best),
            "reason": self.reason,
            "module": self.module.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rule": self.rule.state_dict(),
            **({"rules": rules} if rules else {}),
            **({"objective": own["objective"]} if task else {}),
            **({"stream": stream.state_dict()} if isinstance(stream, Stream) else {}),
            "scaler": self.scaler.state_dict() if self.scaler else {},
            "hooks": states(self.hooks),
            "random": own["random"],
            "others": others,  # what the other processes have of their own
        }

    def save(self, *, best: bool) -> None:
        """A checkpoint, which stays for good where `kept` is set; with shards it is being written when this returns."""
        state, shards = self.state_dict(), self.shards
        if shards is not None:
            shards.save(self.folder, state, best=best, keep=self.kept)
        elif self.ranks.first:
            _checkpoint.save(self.folder, state, best=best, keep=self.kept)
        self.kept = False

    def read(self, path: Path, *, weights: bool = False) -> dict[str, Any]:
        """What a checkpoint holds, or its weights and the rest that is small; with shards, this process's part."""
        if self.shards is None:
            return _checkpoint.load(path, weights=weights)
        return self.shards.read(path, self._parameter, weights=weights)

    def _parameter(self, place: tuple[Any, ...]) -> Tensor | None:
        """The parameter that a tensor at this place in the state is of, or is kept for by the optimiser."""
        match place:
            case ("module" | "average", str(name)):
                return dict(self.module.named_parameters()).get(name)
            case ("optimizer", "state", int(number), _):
                return [each for group in self.optimizer.param_groups for each in group["params"]][number]
            case _:
                return None

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` was called."""
        self.step, self.best, self.reason = state["step"], dict(state["best"]), state["reason"]
        self.module.load_state_dict(state["module"])
        if state.get("average") is not None:
            self.start_average()
            self.evaluated.load_state_dict(state["average"])
        saved, now = state["optimizer"], self.optimizer.param_groups
        groups = zip(saved["param_groups"], now, strict=True)
        how = [{**group, "fused": own["fused"]} if "fused" in own else group for group, own in groups]
        self.optimizer.load_state_dict({**saved, "param_groups": how})  # which kernel updates is this process's own
        self.rule.load_state_dict(state["rule"])
        for name, each in self.rules.items():
            each.load_state_dict(state["rules"][name])
        if isinstance(self.dataset.train, Stream):
            self.dataset.train.load_state_dict(state["stream"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        restore(self.hooks, state["hooks"])
        each = [state, *state["others"]]  # of the processes that there were
        self.total = self._own([own["total"] for own in each])
        if "objective" in state:
            self.objective.load_state_dict(each[self.ranks.rank % len(each)]["objective"])
        parts = [own.get("parts", {}) for own in each]  # which checkpoints had none of once
        self.parts = {name: self._own([own[name] for own in parts]) for name in parts[0]}
        self.load_random(state)

    def _own(self, sums: list[Tensor]) -> Tensor:
        """This process's share of what several have added up; where there are more or fewer now, the mean."""
        same = len(sums) == self.ranks.size
        return (sums[self.ranks.rank] if same else torch.stack(sums).mean(0)).to(self.device.device)

    def load_random(self, state: dict[str, Any]) -> None:
        """This process's random numbers go on; where there were more or fewer processes, they begin anew."""
        each = [state, *state["others"]]
        if len(each) == self.ranks.size:
            set_random_state(each[self.ranks.rank]["random"], self.device.device)
        else:
            reseed(self.run.seed, self.ranks, self.step)
