"""The interface between the loop and a task: a loss per batch, and sums for the metrics.

b examples in a batch. A batch comes from the data set's split: a tensor, or any nested tuple or dict of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # so that a task and its objective may share a file that --help imports
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from runs.optim import Optim
    from runs.schedule import Schedule
    from runs.schedule._rule import Rule

Network = Callable[..., Any]  # calls `network` as the run configures it: compiled, data-parallel, autocast
Picture = Any  # an array `h w 3` of bytes
Shown = Picture | str | None  # a picture or a text


class Minimize(Protocol):
    """`minimize(loss, name)`: one step of the optimiser of that name."""

    def __call__(self, loss: Tensor, name: str = "") -> None: ...

    def own(self, count: int) -> int:
        """Return this process's part of a number that all processes share, at least 1."""
        ...


class Objective:
    """A subclass defines `loss` and `measure`; `network` is the network that it trains.

    Both receive the network to call, which differs between training (compiled, or data-parallel) and evaluation
    (possibly
    with averaged weights).
    """

    outputs: tuple[int, ...] | None = None  # output shape of the network per example; None: any
    schedules: Mapping[str, Schedule] = {}  # by optimiser name, for those with a schedule of their own

    looks_at: int = 16  # validation examples passed to `show`

    def __init__(self, network: nn.Module) -> None:
        self.network = network  # everything that is trained, saved, averaged, data-parallel and exported

    def loss(self, network: Network, batch: Any) -> Tensor | dict[str, Tensor]:
        """Return the loss to minimise, a scalar; or several scalars by name: `loss` is minimised, all are logged."""
        raise NotImplementedError

    def step(self, batch: Any, minimize: Minimize) -> Tensor | dict[str, Tensor]:
        """Take a whole step, for a task that does more than minimise one loss of the whole network.

        An objective with a `step` needs no `loss`, and calls the parts of `self.network` itself. `minimize(loss, name)`
        changes only the weights of the optimiser of that name; if `optimizer` returns a single optimiser, the name is
        left out. The losses that `step` returns are logged like those of `loss`. Each process takes the step on its own
        examples, and gradients are averaged. accumulate, compile=true and parallel=fsdp are refused.
        """
        raise NotImplementedError

    @property
    def steps_itself(self) -> bool:
        """Whether the objective takes its steps itself."""
        return type(self).step is not Objective.step

    def optimizer(self, optim: Optim) -> Optimizer:
        """Return the optimiser of the network, which is on its device: a single one, or `runs.optim.Several`."""
        return optim.build(self.network)

    def schedule(self, schedule: Schedule, *, steps: int) -> Rule:
        """Return the learning rate factors of a run of `steps` steps, from the run's schedule."""
        return schedule.build(steps=steps)

    def state_dict(self) -> dict[str, Any]:
        """Return state other than weights for a checkpoint, as tensors and plain values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore this process's state from `state_dict`."""

    def measure(self, network: Network, batch: Any) -> Mapping[str, Tensor]:
        """Return sums over a batch's examples, of any shape, in eval mode; they are added over batches and processes.

        The sums must not depend on the batch division, so that the last batch may be short.
        """
        raise NotImplementedError

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """Return the metrics from the sums, fp64 on the CPU; by default, the mean of each sum."""
        return {name: float(total) / examples for name, total in sums.items()}

    def show(self, network: Network, batch: Any) -> Shown:
        """Return a picture or text of the network's predictions for a batch; None if there is nothing to show."""
        return None
