"""Callbacks: actions of a run besides training, at defined moments of the loop."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from cn import CN
from cn.lazy import lazily

if TYPE_CHECKING:
    from runs.callbacks._hooks import Hooks as Hooks

__getattr__ = lazily(__name__, Hooks="runs.callbacks._hooks")


class Callback(CN):
    """One of several that a run holds by name: `callbacks=[early_stopping,model_summary]`."""

    _any_length_: ClassVar[bool] = False  # whether its hooks do the same at a step, however long the run is

    @abstractmethod
    def build(self) -> Hooks:
        """Return the hooks, with the state of one run."""
