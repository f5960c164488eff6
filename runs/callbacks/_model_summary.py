"""Summary of a model from one forward pass of a single example."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cn.table import table
from runs._training.state import Training
from runs.callbacks._hooks import Hooks


class CalledError(Exception):
    """The network was called once."""


class Summary(Hooks):
    def __init__(self, *, depth: int) -> None:
        self.depth = depth

    def on_start(self, training: Training) -> None:
        example, objective = training.dataset.validation.batch(training.first), training.objective

        def network(*inputs: Any) -> Any:
            training.module(*inputs)
            raise CalledError  # a task may call it again, as often as an episode has actions

        def once() -> None:
            with suppress(CalledError):
                objective.measure(network, example)

        training.say(summarize(training.module, once, depth=self.depth))


def summarize(module: nn.Module, once: Callable[[], Any], *, depth: int) -> str:
    """Return a table of modules down to `depth`: name, class, output shape, parameters, FLOPs; `once` calls them.

    A multiplication and an addition count as two; only products, convolutions and attention are counted.
    """
    rows: list[list[str]] = []
    handles = [
        each.register_forward_hook(_note(name or "(all)", rows))
        for name, each in module.named_modules()
        if name.count(".") < depth
    ]
    training = module.training
    module.eval()
    try:
        # the FLOP counter does not know all attention backends
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            once()
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    counts = counter.get_flop_counts()
    places: dict[nn.Module, list[str]] = {}  # a shared module has several, but is counted once
    for name, each in module.named_modules(remove_duplicate=False):
        places.setdefault(each, []).append(f"{type(module).__name__}.{name}".rstrip("."))
    names = {name or "(all)": each for name, each in module.named_modules()}
    for row in rows:
        row.append(_spaced(sum(sum(counts.get(place, {}).values()) for place in places[names[row[0]]])))
    order = list(names)
    return table(
        ["module", "class", "output", "parameters", "FLOPs"], sorted(rows, key=lambda row: order.index(row[0]))
    )


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _note(name: str, rows: list[list[str]]) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        shape = " ".join(map(str, output.shape)) if isinstance(output, Tensor) else ""
        parameters = sum(each.numel() for each in module.parameters())
        if [name] not in [row[:1] for row in rows]:
            rows.append([name, type(module).__name__, shape, _spaced(parameters)])

    return hook
