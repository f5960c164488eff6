"""Several optimisers that step separately, but are saved, scheduled and logged as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer


class Several(Optimizer):
    """`parts` by name: each has its own step; groups and state are shared in one list and one dict."""

    def __init__(self, parts: Mapping[str, Optimizer]) -> None:
        self.parts = dict(parts)
        super().__init__([group for each in self.parts.values() for group in each.param_groups], {})
        for each in self.parts.values():
            self.state.update(each.state)
        self._share()

    def names(self) -> list[str]:
        """Return the optimiser's name for each group."""
        return [name for name, each in self.parts.items() for _ in each.param_groups]

    def step(self, closure: Any = None) -> Any:
        raise NotImplementedError("each of its optimisers takes a step by itself")

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        start = 0
        for each in self.parts.values():
            end = start + len(each.param_groups)
            each.state, each.param_groups = self.state, self.param_groups[start:end]
            start = end
