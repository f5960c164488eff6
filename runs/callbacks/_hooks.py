"""The moments at which a callback is called. Only those that it overrides cost anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from cn import CNError, DefinitionError
from cn.errors import hint, lines, short
from runs._progress import OWN

if TYPE_CHECKING:
    from runs._training import Training
    from runs.callbacks import Callback

Metrics = dict[str, float]


class Hooks:
    """A subclass overrides what it needs; `training` is all that the run is at that moment.

    Of several processes each has its hooks, called at the same moments; where `training.ranks.first`, one may write.
    """

    adds: bool = False  # whether its `on_validation` may add numbers: one of a subclass does unless that says otherwise

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.adds = vars(cls).get("adds", cls.adds or "on_validation" in vars(cls))
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Hooks, name):
                moments = [each for each in vars(Hooks) if each.startswith("on_")]
                what = f"{cls.__name__}.{name} would never be called: there is no such moment"
                raise DefinitionError(lines(what, f"it is in {cls.__module__}", hint(name, moments)))

    def on_start(self, training: Training) -> None:
        """Before the first step, and again when a run is resumed."""

    def on_step(self, training: Training) -> None:
        """After each optimiser step: keep it free of host syncs."""

    def on_log(self, training: Training, metrics: Metrics) -> None:
        """After every `log_every` steps, and the last; may add to what is written with their loss, not read yet."""

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        """After each validation; may add numbers, by which it may be the best, or `training.stop(reason)`."""

    def on_end(self, training: Training) -> None:
        """After the last step."""

    def on_test(self, training: Training, metrics: Metrics) -> None:
        """After the test; may add numbers to the result of the run. With mode=eval no other moment comes."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold of it: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""


class CallbackError(Exception):
    """A callback raised; the cause is what it raised."""


def built(callbacks: dict[str, Callback]) -> dict[str, Hooks]:
    """The hooks of each callback; CallbackError where one cannot be built, or is no hooks."""
    hooks = {name: _named(name, "build", callback.build)() for name, callback in callbacks.items()}
    for name, each in hooks.items():
        if not isinstance(each, Hooks):
            cls = type(callbacks[name]).__name__
            raise CallbackError(f"callbacks.{name}: {cls}.build() gave {short(repr(each))}, and must give Hooks")
    return hooks


def bind(hooks: dict[str, Hooks], moment: str) -> list[Callable[..., None]]:
    """The methods of that name that were overridden, each naming its callback if it fails."""
    overridden = {n: h for n, h in hooks.items() if getattr(type(h), moment) is not getattr(Hooks, moment)}
    methods = {name: _named(name, moment, getattr(each, moment)) for name, each in overridden.items()}
    if moment in ("on_log", "on_validation", "on_test"):
        return [_measuring(name, method) for name, method in methods.items()]
    return list(methods.values())


def states(hooks: dict[str, Hooks]) -> dict[str, dict[str, Any]]:
    """What a checkpoint must hold of each."""
    return {name: _named(name, "state_dict", each.state_dict)() for name, each in hooks.items()}


def restore(hooks: dict[str, Hooks], stored: dict[str, dict[str, Any]]) -> None:
    """Each takes up where `states` was called."""
    for name, each in hooks.items():
        _named(name, "load_state_dict", each.load_state_dict)(stored[name])


def _named(name: str, moment: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except (CNError, BrokenPipeError):  # the second: the reader of what it says has gone
            raise
        except (Exception, SystemExit) as error:
            raise CallbackError(f"callbacks.{name} failed in {moment}: {type(error).__name__}: {error}") from error

    return call


def _measuring(name: str, method: Callable[..., None]) -> Callable[..., None]:
    """The method of a moment at which metrics are added: refuses what is no number, as soon as it is there."""

    def call(training: Training, metrics: Metrics) -> None:
        before = metrics["step"], metrics["epoch"]
        method(training, metrics)
        for key, value in cast("dict[Any, Any]", metrics).items():
            if not isinstance(key, str):
                raise CallbackError(f"callbacks.{name} gave a metric the name {key!r}, and must give it a text")
            if not isinstance(value, (int, float)):
                kind = type(value).__name__
                raise CallbackError(f"callbacks.{name} made the metric {key} a {kind}, and must give an int or a float")
            if key in OWN:
                raise CallbackError(
                    f"callbacks.{name} gave a metric the name {key!r}, which summary.json has for its own"
                )
            if type(value) not in (int, float, bool):  # as that of NumPy, which no checkpoint holds
                metrics[key] = int(value) if isinstance(value, int) else float(value)
        if (metrics["step"], metrics["epoch"]) != before:
            raise CallbackError(f"callbacks.{name} changed the step or the epoch of the metrics, which are the loop's")

    return call
