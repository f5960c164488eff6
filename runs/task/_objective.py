"""What the loop asks of a task: a loss for each batch, and sums from which metrics are worked out.

b examples in a batch. A batch is what the data set's split gives: a tensor, or any nested tuple or dict of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that a task and its objective may be in one file, which --help imports
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from runs.optim import Optim
    from runs.schedule import Schedule

Network = Callable[..., Any]  # calls `network`, as the run has it: compiled, shared by processes, in lower precision
Minimize = Callable[..., None]  # minimize(loss, name): one step of the optimiser of that name
Picture = Any  # an array `h w 3` of bytes


class Objective:
    """A subclass gives `loss` and `measure`; the network that it trains is `network`.

    Both are given the network to call, since that is another in training (compiled, or shared by several processes)
    than in evaluation (which may be of the averaged weights).
    """

    outputs: tuple[int, ...] | None = None  # the shape of what the network must give for each example; None: any
    schedules: Mapping[str, Schedule] = {}  # by an optimiser's name, where that does not follow the run's schedule

    looks_at: int = 16  # validation examples that `show` is given

    def __init__(self, network: nn.Module) -> None:
        self.network = network  # all that is trained, saved, averaged, shared over processes and exported

    def loss(self, network: Network, batch: Any) -> Tensor | dict[str, Tensor]:
        """What is minimised, a scalar; or several scalars by name, of which `loss` is minimised and all are logged."""
        raise NotImplementedError

    def step(self, batch: Any, minimize: Minimize) -> Tensor | dict[str, Tensor]:
        """A whole step, for a task that has more to do in one than to minimise one loss of the whole network.

        An objective with a `step` needs no `loss`, and calls the parts of `self.network` itself. `minimize(loss, name)`
        changes only the weights that the optimiser of that name trains; where `optimizer` gives one optimiser, the
        name is left out. The losses that `step` returns are logged as those of `loss` are. Each process takes the step
        on its own examples, and gradients are averaged. accumulate, compile=true and parallel=fsdp are refused.
        """
        raise NotImplementedError

    @property
    def steps_itself(self) -> bool:
        """Whether it takes its steps itself."""
        return type(self).step is not Objective.step

    def optimizer(self, optim: Optim) -> Optimizer:
        """What trains the network, which is on its device: one optimiser of all of it, or `runs.optim.Several`."""
        return optim.build(self.network)

    def state_dict(self) -> dict[str, Any]:
        """What it keeps from step to step besides weights, as tensors and plain values, for a checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where `state_dict` was called, in this process."""

    def measure(self, network: Network, batch: Any) -> Mapping[str, Tensor]:
        """Sums over the examples of a batch, of any shape, in evaluation; they are added up over batches and processes.

        They hold nothing that depends on how examples are divided into batches, so that the last one may be short.
        """
        raise NotImplementedError

    def metrics(self, sums: Mapping[str, Tensor], examples: int) -> dict[str, float]:
        """The metrics of so many examples from their sums, fp64 on the CPU: without an override, each one's mean."""
        return {name: float(total) / examples for name, total in sums.items()}

    def show(self, network: Network, batch: Any) -> Picture | None:
        """A picture of what the network makes of a batch; None where there is nothing to look at."""
        return None
