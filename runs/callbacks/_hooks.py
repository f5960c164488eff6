"""The moments at which a callback is called. Only those that it overrides cost anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cn import CNError

if TYPE_CHECKING:
    from runs._training import Training

Metrics = dict[str, float]


class Hooks:
    """A subclass overrides what it needs; `training` is all that the run is at that moment.

    Of several processes each has its hooks, called at the same moments; where `training.ranks.first`, one may write.
    """

    def on_start(self, training: Training) -> None:
        """Before the first step, and again when a run is resumed."""

    def on_step(self, training: Training) -> None:
        """After each optimiser step: keep it free of host syncs."""

    def on_log(self, training: Training, metrics: Metrics) -> None:
        """After every `log_every` steps; may add numbers to what is written with their loss, which is not read yet."""

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        """After each validation; may add numbers, by which it may be the best, or `training.stop(reason)`."""

    def on_end(self, training: Training) -> None:
        """After the last step."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold of it: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""


class CallbackError(Exception):
    """A callback raised; the cause is what it raised."""


def bind(hooks: dict[str, Hooks], moment: str) -> list[Callable[..., None]]:
    """The methods of that name that were overridden, each naming its callback if it fails."""

    def named(name: str, method: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any) -> None:
            try:
                method(*args)
            except CNError:
                raise
            except Exception as error:
                raise CallbackError(f"callbacks.{name} failed in {moment}: {type(error).__name__}: {error}") from error

        return call

    overridden = {n: h for n, h in hooks.items() if getattr(type(h), moment) is not getattr(Hooks, moment)}
    return [named(name, getattr(each, moment)) for name, each in overridden.items()]
