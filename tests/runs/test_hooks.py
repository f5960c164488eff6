"""Callbacks of one's own that do what they should not: the run ends with a sentence that names which, or goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cn import DefinitionError, UserError
from data.digits import Digits
from models.mlp import Mlp
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.default import Default


class Mine(Callback):
    """Builds what it is told to."""

    made: Any = None

    def build(self) -> Hooks:
        return MAKES[self.made]()


MAKES: dict[str, Callable[[], Any]] = {}


@pytest.fixture
def ends(go: Any, failed: Any) -> Callable[[Callable[[], Any]], Any]:
    """The first line of the error that a run with these hooks ends with."""

    def ends(make: Callable[[], Any]) -> Any:
        MAKES["it"] = make
        error = failed(lambda: go("run", of=run()))
        assert error.status in (1, 130)
        return str(error).splitlines()[0]

    return ends


def run(**values: Any) -> Default:
    parts = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128), "callbacks": {"mine": Mine(made="it")}}
    return Default(**{**parts, "epochs": 2, "log_every": 4, **values})


def hooks(**methods: Any) -> Callable[[], Hooks]:
    return type("Own", (Hooks,), methods)


def raises(error: BaseException) -> Callable[..., None]:
    def method(*_: Any) -> None:
        raise error

    return method


def measures(value: Any, name: Any = "mood") -> Callable[..., None]:
    def method(self: Any, training: Any, metrics: dict[Any, Any]) -> None:
        metrics[name] = value

    return method


MOMENTS = ("on_start", "on_step", "on_log", "on_validation", "on_end", "on_test", "state_dict")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("error", [ValueError("oh\nmore"), SystemExit(3), RuntimeError()], ids=repr)
def test_whatever_it_raises_its_name_is_told(moment, error, ends):
    told = f"{type(error).__name__}: {error}".partition("\n")[0]
    assert ends(hooks(**{moment: raises(error)})) == f"callbacks.mine failed in {moment}: {told}"


def test_what_it_refuses_is_its_own_sentence(ends, go, failed):
    MAKES["it"] = hooks(on_start=raises(UserError("not on a Friday")))
    error = failed(lambda: go("run", of=run()))
    assert (str(error), error.status) == ("not on a Friday", 2)


def test_where_the_reader_of_what_it_says_has_gone_it_has_not_failed(go):
    MAKES["it"] = hooks(on_start=raises(BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        go("run", of=run())


def test_one_that_stops_the_process_is_a_stop(ends):
    def press(self: Any, training: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    assert ends(hooks(on_step=press)) == "stopped by Ctrl-C after step 1 of 18"


BUILDS = {
    "raises": (raises(KeyError("no")), "callbacks.mine failed in build: KeyError: 'no'"),
    "nothing": (lambda: None, "callbacks.mine: Mine.build() gave None, and must give Hooks"),
    "something": (lambda: 3, "callbacks.mine: Mine.build() gave 3, and must give Hooks"),
    "the class": (lambda: Hooks, f"callbacks.mine: Mine.build() gave {Hooks!r}, and must give Hooks"),
}


@pytest.mark.parametrize("case", BUILDS)
def test_one_that_gives_no_hooks(case, ends):
    make, told = BUILDS[case]
    assert ends(make) == told


def test_a_method_that_takes_other_arguments(ends):
    def alone(self: Any) -> None: ...

    assert ends(hooks(on_log=alone)).endswith("alone() takes 1 positional argument but 3 were given")


METRICS = {
    "a tensor": (torch.ones(()), "mood", "made the metric mood a Tensor, and must give an int or a float"),
    "of numpy": (np.float32(1), "mood", "made the metric mood a float32, and must give an int or a float"),
    "nothing": (None, "mood", "made the metric mood a NoneType, and must give an int or a float"),
    "a text": ("1", "train/loss", "made the metric train/loss a str, and must give an int or a float"),
    "a number's name": (1.0, 3, "gave a metric the name 3, and must give it a text"),
    "the step": (1000, "step", "changed the step or the epoch of the metrics, which are the loop's"),
    "one of the summary": (1.5, "seconds", "gave a metric the name 'seconds', which summary.json has for its own"),
    "the epoch": (0.0, "epoch", "changed the step or the epoch of the metrics, which are the loop's"),
}


@pytest.mark.parametrize("moment", ["on_log", "on_validation"])
@pytest.mark.parametrize("case", METRICS)
def test_a_metric_that_is_none(case, moment, ends):
    value, name, told = METRICS[case]
    assert ends(hooks(**{moment: measures(value, name)})) == f"callbacks.mine {told}"


@pytest.mark.parametrize("value", [1, -0.5, float("nan"), float("inf"), True, np.float64(0.5)], ids=repr)
def test_a_metric_that_is_one(value, go):
    MAKES["it"] = hooks(on_validation=measures(value))
    done = go("run", of=run())
    told = done.metrics[-1]["mood"]
    assert told == value or told != told
    assert type(done.state()["best"]["mood"]) in (int, float, bool)


def test_a_moment_that_there_is_not_is_refused_where_it_is_written():
    with pytest.raises(DefinitionError) as caught:
        hooks(on_validaton=lambda self, training, metrics: None)
    assert str(caught.value) == (
        "Own.on_validaton would never be called: there is no such moment\n"
        f"  it is in {__name__}\n"
        "  nearest: on_validation, on_log, on_end"
    )
    hooks(on_step=lambda self, training: None, only_mine=3, once=lambda self: None)()


def test_ending_the_run_before_it_begins(ends):
    assert ends(hooks(on_start=lambda self, training: training.stop("a Friday"))) == (
        "a callback ended the run before its first step: a Friday"
    )


def test_a_profile_of_steps_that_never_come_is_refused(go, failed):
    error = failed(lambda: go("run", "callbacks=profile", "callbacks.profile.start=300", "epochs=2"))
    assert str(error) == (
        "callbacks.profile.start=300: the run has 18 steps, so none would be watched\n"
        "  nearest: callbacks.profile.start=17"
    )
    assert error.status == 2
    assert "steps 18 to 18" in go("other", "callbacks=profile", "callbacks.profile.start=17", "epochs=2").log
