"""The state of a run during training, and its checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cn.run_folder.watched import Watched
from data import Dataset, Stream
from runs import Run, _checkpoint
from runs._course import next_validation
from runs._processes.collectives import ALONE, Ranks, reseed
from runs._training.device import Device, random_state, set_random_state
from runs.callbacks._hooks import Hooks, address, restore, states
from runs.optim import Several
from runs.schedule._rule import Factors, Rule

HALVES = (torch.bfloat16, torch.float16)

if TYPE_CHECKING:
    from runs._processes.shards import Shards
    from runs.task import Objective


@dataclass
class Training:
    """The parts of one run. The loop advances `step`; `state_dict` has everything else that changes."""

    run: Run
    folder: Path
    device: Device
    dataset: Dataset
    objective: Objective
    module: nn.Module  # the objective's network on its device, sharded if parameters are
    optimizer: Optimizer
    rule: Rule
    rules: dict[str, Rule]  # of optimisers that do not follow `rule`, by name
    hooks: dict[str, Hooks]
    say: Callable[[str], None]  # prints a line to the screen and the log
    show: Callable[[str, Any, int], None]  # sends a name, a picture or text, and its step to the loggers
    measured: tuple[str, ...]  # the metrics of a validation
    batch: int  # examples in a batch over all processes
    per_epoch: int  # optimiser steps
    steps: int  # optimiser steps in all
    step: int = 0  # optimiser steps taken
    total: Tensor = field(init=False)  # scalar on the device: sum of the losses since the last log
    parts: dict[str, Tensor] = field(default_factory=dict[str, Tensor])  # sums of the task's other logged losses
    loss: float | None = None  # mean loss of the last log that was read from the device
    scaler: torch.amp.GradScaler | None = None
    ranks: Ranks = ALONE  # the processes of the run
    shards: Shards | None = None  # if the weights are sharded
    best: dict[str, float] = field(default_factory=dict[str, float])  # the metrics of the best validation
    goal: tuple[Watched, ...] = field(init=False)  # the task's or a callback's; the second decides a tie
    kept: bool = False  # whether the checkpoint of this step is permanent
    reason: str | None = None  # why a callback ends the run
    report: Callable[[int, dict[str, float]], None] = lambda step, metrics: None  # `Job.report`
    pruned: str | None = None  # why the sweep of the run ends it
    branches: frozenset[int] = frozenset()  # steps after which others go on from this run
    average: nn.Module | None = None  # the averaged weights, evaluated instead of `module`
    bases: list[float] = field(init=False)  # the optimiser's own learning rates, multiplied by the schedule

    def __post_init__(self) -> None:
        self.total = torch.zeros((), device=self.device.device)
        self.goal = self.run.task.goal()
        self.bases = [float(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def groups(self) -> list[tuple[dict[str, Any], float, Factors]]:
        """The optimiser's groups, each with its base learning rate and its factor for each step."""
        optimizer = self.optimizer
        names = optimizer.names() if isinstance(optimizer, Several) else [""] * len(self.bases)
        factors = [self.rules.get(name, self.rule).factors for name in names]
        return list(zip(optimizer.param_groups, self.bases, factors, strict=True))

    @property
    def epoch(self) -> float:
        """Epochs done, as a fraction."""
        return self.step / self.per_epoch

    @property
    def share(self) -> float:
        """The divisor of a local mean loss; the sum over ranks and accumulated batches is then the mean of a step."""
        own = len(range(self.ranks.rank, self.batch, self.ranks.size))  # examples
        return self.run.accumulate * self.batch / (own * self.ranks.size)

    def named(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the loss to minimise; other losses are added to the next log."""
        for name, each in losses.items():
            if name != "loss":
                own = each.detach().float() / self.share
                self.parts[name] = self.parts[name] + own if name in self.parts else own
        return losses["loss"]

    @property
    def first(self) -> Tensor:
        """The index of a split's first example, as a tensor."""
        return torch.zeros(1, dtype=torch.int64, device=self.device.device)

    @property
    def parameters(self) -> int:
        """The number of trainable parameters."""
        return sum(each.numel() for each in self.module.parameters() if each.requires_grad)

    @property
    def evaluated(self) -> nn.Module:
        """The module to validate and test."""
        return self.module if self.average is None else self.average

    def validates_after(self, step: int) -> int:
        """Return the next step after this one that ends with a validation."""
        return next_validation(self.run, step, self.per_epoch)

    def better(self, metrics: dict[str, float]) -> bool:
        """Return whether this validation is the best so far."""
        found, best = ([each.of(values) for each in self.goal] for values in (metrics, self.best or metrics))
        return not self.best or found > best

    def start_average(self) -> None:
        """Evaluate a copy of the module from now on."""
        module, shards = self.module, self.shards
        self.average = copy.deepcopy(module).requires_grad_(False) if shards is None else shards.copy(module)

    def predict(self, *inputs: Any) -> Any:
        """Return the evaluated network's output, under autocast; a tensor in bf16 or fp16 is returned as fp32.

        All processes must call it together: with shards they need each other.
        """
        device = self.device
        with torch.autocast(device.device.type, device.autocast, enabled=device.autocast is not None):
            found = self.evaluated(*inputs)
        return found.float() if isinstance(found, Tensor) and found.dtype in HALVES else found  # sums would be rounded

    def finite(self) -> bool:
        """Return whether every weight is finite, over all shards."""
        if self.shards is None:
            return all(bool(each.isfinite().all()) for each in self.module.parameters())
        return not self.ranks.all_max(int(not self.shards.finite(self.module)))

    def name_of(self, hooks: Hooks) -> str:
        """Return `callbacks.NAME`, the name of these hooks in the run."""
        return next(address(name) for name, each in self.hooks.items() if each is hooks)

    def stop(self, reason: str) -> None:
        """End the run after this step, with a validation as after the last step."""
        self.reason = reason

    def state_dict(self) -> dict[str, Any]:
        """Return the checkpoint: everything that the next step depends on, as tensors and plain values; complete on
        rank 0.
        """
        sums = {"total": self.total.cpu(), "parts": {name: each.cpu() for name, each in self.parts.items()}}
        task = {"objective": kept} if (kept := self.objective.state_dict()) else {}
        own, *others = self.ranks.gather({**sums, **task, "random": random_state(self.device.device)})
        rules = {name: each.state_dict() for name, each in self.rules.items()}
        stream = self.dataset.train
        return {
            "step": self.step,
            "per_epoch": self.per_epoch,
            "classes": list(self.dataset.classes),
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
            "others": others,  # of the other ranks
        }

    def save(self, *, best: bool) -> None:
        """Save a checkpoint, permanently if `kept` is set; with shards it is written asynchronously."""
        state, shards = self.state_dict(), self.shards
        if shards is not None:
            shards.save(self.folder, state, best=best, keep=self.kept)
        elif self.ranks.first:
            _checkpoint.save(self.folder, state, best=best, keep=self.kept)
        self.kept = False

    def read(self, path: Path, *, weights: bool = False) -> dict[str, Any]:
        """Return the content of a checkpoint, or its weights and small values; with shards, this process's part."""
        if self.shards is None:
            return _checkpoint.load(path, weights=weights)
        return self.shards.read(path, self._parameter, weights=weights)

    def _parameter(self, place: tuple[Any, ...]) -> Tensor | None:
        """Return the parameter at a place in the state, or the parameter of an optimiser state there."""
        match place:
            case ("module" | "average", str(name)):
                return dict(self.module.named_parameters()).get(name)
            case ("optimizer", "state", int(number), _):
                return [each for group in self.optimizer.param_groups for each in group["params"]][number]
            case _:
                return None

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from `state_dict`."""
        self.step, self.best, self.reason = state["step"], dict(state["best"]), state["reason"]
        self.module.load_state_dict(state["module"])
        if state.get("average") is not None:
            self.start_average()
            self.evaluated.load_state_dict(state["average"])
        saved, now = state["optimizer"], self.optimizer.param_groups
        groups = zip(saved["param_groups"], now, strict=True)
        how = [{**group, "fused": own["fused"]} if "fused" in own else group for group, own in groups]
        self.optimizer.load_state_dict({**saved, "param_groups": how})  # `fused` is chosen by this process
        self.rule.load_state_dict(state["rule"])
        for name, each in self.rules.items():
            each.load_state_dict(state["rules"][name])
        if isinstance(self.dataset.train, Stream):
            self.dataset.train.load_state_dict(state["stream"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        restore(self.hooks, state["hooks"])
        each = [state, *state["others"]]  # of the ranks that saved it
        self.total = self._own([own["total"] for own in each])
        if "objective" in state:
            self.objective.load_state_dict(each[self.ranks.rank % len(each)]["objective"])
        parts = [own.get("parts", {}) for own in each]  # old checkpoints have none
        self.parts = {name: self._own([own[name] for own in parts]) for name in parts[0]}
        self.load_random(state)

    def _own(self, sums: list[Tensor]) -> Tensor:
        """Return this process's saved sum; the mean if the number of processes has changed."""
        same = len(sums) == self.ranks.size
        return (sums[self.ranks.rank] if same else torch.stack(sums).mean(0)).to(self.device.device)

    def load_random(self, state: dict[str, Any]) -> None:
        """Restore this process's random state; if the number of processes has changed, seed anew."""
        each = [state, *state["others"]]
        if len(each) == self.ranks.size:
            set_random_state(each[self.ranks.rank]["random"], self.device.device)
        else:
            reseed(self.run.seed, self.ranks, self.step)
