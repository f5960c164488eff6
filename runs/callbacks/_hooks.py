"""The hooks of callbacks. Only overridden hooks cost time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from cn import CNError, DefinitionError
from cn.errors import hint, short
from cn.nodes.field_types import Child
from cn.nodes.resolving import kinds_of
from cn.run_folder.progress import OWN
from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs import Run
    from runs._training.state import Training

Metrics = dict[str, float]


class Hooks:
    """A subclass overrides the hooks that it needs; `training` is the current state of the run.

    Each rank has its hooks, called at the same moments; only rank 0 (`training.ranks.first`) may write files.
    """

    adds: bool = False  # whether `on_validation` may add metrics; by default true if it is overridden

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.adds = vars(cls).get("adds", cls.adds or "on_validation" in vars(cls))
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Hooks, name):
                moments = [each for each in vars(Hooks) if each.startswith("on_")]
                what = f"{cls.__name__}.{name} would never be called: there is no such moment"
                raise DefinitionError(what, f"it is in {cls.__module__}", hint(name, moments))

    def on_start(self, training: Training) -> None:
        """Before the first step, and again when a run is resumed."""

    def on_step(self, training: Training) -> None:
        """After each optimiser step: keep it free of host syncs."""

    def on_log(self, training: Training, metrics: Metrics) -> None:
        """After every `log_every` steps, and the last; may add metrics to the log; its mean loss is not read yet."""

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        """After each validation; may add metrics, which may be the goal, or call `training.stop(reason)`."""

    def on_end(self, training: Training) -> None:
        """After the last step."""

    def on_test(self, training: Training, metrics: Metrics) -> None:
        """After the test; may add metrics to the run's result. With mode=eval no other hook is called."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint: plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from `state_dict`."""


class CallbackError(Exception):
    """A callback raised an exception, which is the cause."""


def address(name: str) -> str:
    """Return the address of a callback in its run: `callbacks.NAME`, or `NAME` for an attribute's key `.NAME`."""
    return name.removeprefix(".") if name.startswith(".") else f"callbacks.{name}"


def built(run: Run) -> dict[str, Hooks]:
    """Build the hooks of a run's callbacks by name, and of attributes that are callbacks by `.NAME`.

    Raises CallbackError if a callback cannot be built, or builds no hooks.
    """
    kinds = kinds_of(run)
    single = [name for name, kind in kinds.items() if isinstance(kind, Child) and not kind.many]
    named = [name for name in single if issubclass(cast("Child", kinds[name]).types[0], Callback)]
    own: dict[str, Callback | None] = {f".{name}": getattr(run, name) for name in named}
    callbacks = {**run.callbacks, **{name: each for name, each in own.items() if each is not None}}
    hooks = {name: _named(name, "build", callback.build)() for name, callback in callbacks.items()}
    for name, each in hooks.items():
        if not isinstance(each, Hooks):
            cls = type(callbacks[name]).__name__
            raise CallbackError(f"{address(name)}: {cls}.build() gave {short(repr(each))}, and must give Hooks")
    return hooks


def bind(hooks: dict[str, Hooks], moment: str) -> list[Callable[..., None]]:
    """Return the overridden methods of a moment; an error names its callback."""
    overridden = {n: h for n, h in hooks.items() if getattr(type(h), moment) is not getattr(Hooks, moment)}
    methods = {name: _named(name, moment, getattr(each, moment)) for name, each in overridden.items()}
    if moment in ("on_log", "on_validation", "on_test"):
        return [_measuring(name, method) for name, method in methods.items()]
    return list(methods.values())


def states(hooks: dict[str, Hooks]) -> dict[str, dict[str, Any]]:
    """Return the state of each callback for a checkpoint."""
    return {name: _named(name, "state_dict", each.state_dict)() for name, each in hooks.items()}


def restore(hooks: dict[str, Hooks], stored: dict[str, dict[str, Any]]) -> None:
    """Restore the state of each callback."""
    for name, each in hooks.items():
        _named(name, "load_state_dict", each.load_state_dict)(stored[name])


def _named(name: str, moment: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        try:
            return method(*args)
        except (CNError, BrokenPipeError):  # BrokenPipeError: the reader of our output has exited
            raise
        except (Exception, SystemExit) as error:
            raise CallbackError(f"{address(name)} failed in {moment}: {type(error).__name__}: {error}") from error

    return call


def _measuring(name: str, method: Callable[..., None]) -> Callable[..., None]:
    """Wrap a hook that adds metrics: raise CallbackError at once if a metric is invalid."""

    def call(training: Training, metrics: Metrics) -> None:
        before = metrics["step"], metrics["epoch"]
        method(training, metrics)
        for key, value in cast("dict[Any, Any]", metrics).items():
            if not isinstance(key, str):
                raise CallbackError(f"{address(name)} gave a metric the name {key!r}, and must give it a text")
            if not isinstance(value, (int, float)):
                kind = type(value).__name__
                raise CallbackError(f"{address(name)} made the metric {key} a {kind}, and must give an int or a float")
            if key in OWN:
                raise CallbackError(
                    f"{address(name)} gave a metric the name {key!r}, which summary.json has for its own"
                )
            if type(value) not in (int, float, bool):  # such as NumPy's numbers, which checkpoints reject
                metrics[key] = int(value) if isinstance(value, int) else float(value)
        if (metrics["step"], metrics["epoch"]) != before:
            raise CallbackError(f"{address(name)} changed the step or the epoch of the metrics, which are the loop's")

    return call
