"""What holds for every task: exact metrics whatever the batches and processes, and a resume to the bit."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cn
from cn.run_folder.watched import Watched
from data.diabetes import Diabetes
from data.digits import Digits
from data.linnerud import Linnerud
from data.shapes import Shapes
from models import Model
from models.autoencoder import Autoencoder
from models.linear import Linear
from models.mlp import Mlp
from models.unet import UNet
from runs import Run, _train
from runs._training.measured import measured
from runs.callbacks.checkpoint import Checkpoint
from runs.callbacks.predictions import Predictions
from runs.default import Default
from runs.schedule.plateau import Plateau
from runs.task import Objective, Task, maximize, minimize
from runs.task.classify import Classify
from runs.task.reconstruct import Reconstruct
from runs.task.regress import Regress
from runs.task.segment import Segment

SMALL = Mlp(hidden_sizes=(8,))
TASKS: dict[str, dict[str, Any]] = {
    "classify": {
        "task": Classify(label_smoothing=0.1),
        "data": Digits(batch_size=128),
        "model": SMALL,
    },
    "regress": {"task": Regress(), "data": Diabetes(batch_size=32), "model": SMALL},
    "several numbers": {"task": Regress(loss="huber"), "data": Linnerud(batch_size=4), "model": Linear()},
    "reconstruct": {"task": Reconstruct(), "data": Digits(batch_size=128), "model": Autoencoder(hidden_sizes=(16,))},
    "segment": {"task": Segment(), "data": Shapes(count=40, size=16, batch_size=8), "model": UNet(widths=(4, 8))},
}
each_task = pytest.mark.parametrize("parts", TASKS.values(), ids=TASKS)


def run_of(parts: dict[str, Any], **more: Any) -> Run:
    return Default(**{"epochs": 3, "log_every": 2, **parts, **more})


@each_task
def test_only_what_was_measured_is_on_the_screen_and_in_the_summary(parts, go, capsys):
    run = go("run", of=run_of(parts))
    names = [name for name in run.metrics[-1] if name.startswith("validation/")]
    objective = _train.build(run_of(parts), run.folder, print).objective
    wanted = {"Classification": "loss accuracy", "Reconstruction": "loss", "Segmentation": "loss accuracy mean_iou"}
    own = wanted.get(type(objective).__name__, "loss rmse mae r2").split()
    assert names == [f"validation/{name}" for name in own]
    assert {name for name in run.summary if name.startswith("test/")} == {f"test/{name}" for name in own}
    first, *_ = lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    assert first.partition(": validation ")[2].count(", ") == len(own) - 1
    assert all(f"{name} " in first for name in own)


@each_task
def test_a_stopped_run_goes_on_to_the_same_bits(parts, go, after_step, failed, differences):
    whole = go("whole", of=run_of(parts))
    after_step(4, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", of=run_of(parts)))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics


@each_task
def test_metrics_are_those_of_the_whole_set_at_once(parts, go):
    """In batches of 1, 7 and all."""
    training = _train.build(run_of(parts), Path("run"), print)
    split, objective = training.dataset.test, training.objective
    training.module.eval()

    def found(size: int) -> dict[str, float]:
        batches = ((split.batch(part), True) for part in torch.arange(len(split)).split(size))
        return measured(objective, training.predict, batches, lambda total: total)

    whole = found(len(split))
    assert found(7) == pytest.approx(whole, rel=1e-6)
    assert found(1) == pytest.approx(whole, rel=1e-6)


@each_task
def test_two_processes_measure_what_one_does(parts, here, ranks):
    """Of an odd number of examples, in uneven batches."""

    def alone() -> dict[str, float]:
        training = _train.build(run_of(parts), Path("run"), print)
        return _train.evaluate(training, training.dataset.test)

    def together() -> None:
        from runs._processes.rendezvous import joined

        with joined(cuda=False) as own:
            training = _train.build(run_of(parts), Path("run"), print, own)
            found = _train.evaluate(training, training.dataset.test)
            Path(f"rank{own.rank}.json").write_text(json.dumps(found))

    assert ranks(2, together) == [0, 0]
    both = [json.loads(Path(f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert both[0] == both[1] == pytest.approx(alone(), rel=1e-6)


@each_task
def test_the_score_is_the_goal_of_the_test_and_best_is_the_best_validation(parts, go):
    run = run_of(parts)
    goal = run.task.goal()[0]
    left = go("run", of=run)
    values = [each[goal.name] for each in left.metrics if goal.name in each]
    assert left.summary[goal.name] == (min if goal.less else max)(values)
    assert left.summary["goal"] == f"{'minimize' if goal.less else 'maximize'} {goal.name}"
    score = _train.train(
        cn.compose(cn.load("run"), ["mode=eval"]), cn.Job(overrides=("mode=eval",), source=Path("run"))
    )
    assert score == left.summary[goal.name.replace("validation", "test")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["data=diabetes"],
            "task: Classify needs classes, and Diabetes holds targets\n  nearest: task=regress\n"
            "  Default is defined in runs/default.py:14",
        ),
        (
            ["data=diabetes", "task=regress", "model=cnn"],
            "model: Cnn needs images, and Diabetes holds targets\n"
            "  nearest: model=autoencoder, model=dense, model=fcn, model=linear\n"
            "  Default is defined in runs/default.py:14",
        ),
        (
            ["task=regress"],
            "task: Regress needs targets, and Digits holds images, classes\n"
            "  nearest: task=classify, task=distil, task=gan, task=reconstruct\n"
            "  Default is defined in runs/default.py:14",
        ),
        (
            ["run=gan", "model=cnn"],
            "model: Cnn needs images, and Gan gives it noise\n"
            "  nearest: model=autoencoder, model=dense, model=fcn, model=linear\n"
            "  Gan is defined in runs/gan.py:20",
        ),
        (
            ["task=segment", "data=shapes"],
            "model: Fcn gives numbers, and Segment takes maps\n  nearest: model=unet\n"
            "  Default is defined in runs/default.py:14",
        ),
    ],
    ids=" ".join,
)
def test_parts_that_do_not_fit_are_refused_as_they_are_composed(words, told):
    with pytest.raises(cn.UserError) as caught:
        cn.compose(Run, words)
    assert str(caught.value) == told


@pytest.mark.parametrize("name", ["loss", "network"])
def test_a_run_with_a_loss_of_its_own_is_refused(name):
    own: Any = type(Default)("Own", (Default,), {name: lambda self: None, "__module__": __name__})
    with pytest.raises(cn.UserError) as caught:
        cn.compose(own)
    assert str(caught.value).split("\n  ")[:2] == [
        f"Own.{name}() would never be called: the task has the network and the loss",
        "write: a class in runs/task/, chosen by task=NAME",
    ]


# a task of one's own


class _Signs(Objective):
    """Whether the sum of an image's bytes is even, from one logit."""

    def loss(self, network: Callable[..., Any], batch: Any) -> dict[str, Tensor]:
        logits = network(batch[0])[:, 0]
        right = nn.functional.binary_cross_entropy_with_logits(logits, batch[1].float() % 2)
        return {"loss": right + 0.1 * logits.square().mean(), "size": logits.square().mean()}

    def measure(self, network: Callable[..., Any], batch: Any) -> dict[str, Tensor]:
        return {"odd_right": ((network(batch[0])[:, 0] > 0) == (batch[1] % 2 == 1)).sum()}


class _Odd(Task):
    _needs = ("classes",)

    def goal(self) -> tuple[Watched, ...]:
        return (maximize("odd_right"),)

    def build(self, *, model: Model, data: Any) -> Objective:
        return _Signs(model.build(inputs=data.inputs, classes=1))


def test_a_task_of_ones_own_has_its_metrics_everywhere(go, capsys):
    parts = {**TASKS["classify"], "task": _Odd(), "callbacks": {"checkpoint": Checkpoint()}}
    run = go("run", of=Default(**parts, epochs=3, log_every=2))
    assert [sorted(each) for each in run.metrics[:1]] == [["epoch", "step", "train/loss", "train/size"]]
    assert [name for name in run.metrics[-1] if "validation" in name] == ["validation/odd_right"]
    assert run.summary["test/odd_right"] > 0.6
    assert f"test odd_right {run.summary['test/odd_right']:.4f}, of the best validation" in capsys.readouterr().out


def test_a_goal_that_is_not_measured_is_refused_before_the_first_step(go, failed):
    class Wrong(_Odd):
        def goal(self) -> tuple[Watched, ...]:
            return (minimize("odd_wrong"),)

    error = failed(lambda: go("run", of=Default(**{**TASKS["classify"], "task": Wrong()})))
    what, near, where = str(error).split("\n  ")
    assert what == "task: the goal of Wrong is odd_wrong, which it does not measure"
    assert near == "nearest: odd_right"
    assert where.startswith("defined in tests/runs/task/test_tasks.py:")
    assert error.status == 2


def test_a_schedule_that_follows_a_loss_needs_one_that_is_measured(go, failed):
    error = failed(lambda: go("run", of=Default(**{**TASKS["classify"], "task": _Odd()}, schedule=Plateau())))
    assert str(error) == (
        "schedule: Plateau follows the validation loss, and _Odd measures none\n  nearest: schedule=one_cycle"
    )


def test_a_task_with_nothing_to_show_refuses_predictions(go, failed):
    error = failed(lambda: go("run", of=run_of(TASKS["regress"], callbacks={"shown": Predictions()})))
    assert str(error) == ("callbacks.shown: Regress has nothing to show of Diabetes\n  leave it out: ~callbacks.shown")


@pytest.mark.parametrize("name", ["classify", "reconstruct", "segment"])
def test_what_a_task_shows_is_a_picture(name, go):
    run = go("run", of=run_of(TASKS[name], callbacks={"shown": Predictions()}, epochs=1))
    assert [each.suffix for each in (run.folder / "predictions").iterdir()] == [".png"]


class _Fielded(Default):
    loss: float = 0.5


def test_a_field_may_have_the_name_of_what_a_task_has():
    assert cn.compose(_Fielded, ["loss=0.25"]).loss == 0.25
