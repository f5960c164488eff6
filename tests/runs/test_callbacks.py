"""Each callback does what it says, at the moment that it says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cn import UserError
from cn.run_folder.watched import Watched
from data.digits import Digits
from models.dense import Dense
from models.mlp import Mlp
from models.vit import ViT
from runs.callbacks import Callback
from runs.callbacks._clean_git import changes
from runs.callbacks._early_stopping import Stopper
from runs.callbacks._hooks import Hooks
from runs.callbacks._model_summary import summarize
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.learning_rate import LearningRate
from runs.callbacks.model_summary import ModelSummary
from runs.default import Default
from runs.gan import Gan as GanRun
from runs.optim.adam import Adam
from runs.schedule.constant import Constant
from runs.schedule.cosine import Cosine
from runs.schedule.one_cycle import OneCycle
from runs.task.gan import Gan

SMALL = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128)}
ROOT = Path(__file__).parents[2]


class _NotedHooks(Hooks):
    seen: list[Any] = []

    def on_start(self, training: Any) -> None:
        self.seen.append(("start", training.step))

    def on_step(self, training: Any) -> None:
        self.seen.append(training.step)

    def on_log(self, training: Any, metrics: dict[str, float]) -> None:
        self.seen.append(("log", dict(metrics)))
        metrics["twice"] = 2.0 * training.step

    def on_validation(self, training: Any, metrics: dict[str, float]) -> None:
        self.seen.append(("validation", training.step, sorted(metrics)))
        metrics["images"] = len(training.dataset.validation)

    def on_end(self, training: Any) -> None:
        self.seen.append(("end", training.step))

    def on_test(self, training: Any, metrics: dict[str, float]) -> None:
        self.seen.append(("test", sorted(metrics)))
        metrics["test/images"] = len(training.dataset.test)


class _Noted(Callback):
    def build(self) -> Hooks:
        return _NotedHooks()


def test_each_hook_comes_at_its_moment_and_may_add_to_what_is_written(go, monkeypatch):
    monkeypatch.setattr(_NotedHooks, "seen", [])
    run = go("run", of=Default(**SMALL, callbacks={"noted": _Noted()}, steps=5, log_every=2))
    validation = ("validation", 5, ["epoch", "step", "validation/accuracy", "validation/loss"])
    test = ("test", ["epoch", "step", "test/accuracy", "test/loss"])
    assert _NotedHooks.seen == [
        *[("start", 0), 1, 2, ("log", {"step": 2, "epoch": 2 / 9}), 3, 4, ("log", {"step": 4, "epoch": 4 / 9})],
        *[5, ("log", {"step": 5, "epoch": 5 / 9}), validation, ("end", 5), test],
    ]
    assert [each.get("twice") for each in run.metrics] == [4.0, 8.0, 10.0, None]
    assert list(run.metrics[0]) == ["step", "epoch", "train/loss", "twice"]
    assert run.metrics[3]["images"] == run.summary["images"] == 180
    assert run.summary["test/images"] == 359
    monkeypatch.setattr(_NotedHooks, "seen", [])
    assert go("run", "mode=eval", source="run").summary == run.summary
    assert _NotedHooks.seen == [test]


class _StopHooks(Hooks):
    def on_step(self, training: Any) -> None:
        if training.step == 5:
            training.stop("five are enough")


class _Stop(Callback):
    def build(self) -> Hooks:
        return _StopHooks()


def test_a_callback_may_end_the_run_at_any_step(go):
    run = go("run", of=Default(**SMALL, callbacks={"stop": _Stop()}, epochs=3, validate_every=2))
    assert run.summary["state"] == "finished"
    assert run.summary["reason"] == "five are enough"
    assert run.summary["step"] == run.summary["best/step"] == 5
    assert run.log.splitlines()[2] == "ends early: five are enough"


# early stopping


def test_it_stops_at_the_validation_that_is_patience_after_the_best(go, monkeypatch):
    losses = iter([3.0, 2.0, 2.5, 1.9, 1.95, 1.9, 9.0, 1.0])
    monkeypatch.setattr("runs._training.loop.evaluate", lambda training, split: {"loss": next(losses), "accuracy": 0.5})
    run = go("run", of=Default(**SMALL, callbacks={"early_stopping": EarlyStopping(patience=3)}, epochs=20))
    assert [each["validation/loss"] for each in run.metrics if "validation/loss" in each] == [
        *[3.0, 2.0, 2.5, 1.9, 1.95, 1.9, 9.0]
    ]
    assert run.summary["reason"] == "validation/loss has not improved for 3 validations"
    assert run.log.splitlines()[-3] == "ends early: validation/loss has not improved for 3 validations"


def test_accuracy_is_better_when_it_is_higher(go, monkeypatch):
    accuracies = iter([0.5, 0.6, 0.6, 0.55, 0.7])
    monkeypatch.setattr(
        "runs._training.loop.evaluate", lambda training, split: {"loss": 1.0, "accuracy": next(accuracies)}
    )
    stop = EarlyStopping(metric="validation/accuracy", patience=2)
    run = go("run", of=Default(**SMALL, callbacks={"mine": stop}, epochs=20))
    assert run.summary["step"] == 4 * 9
    assert run.summary["reason"] == "validation/accuracy has not improved for 2 validations"


def test_an_improvement_by_less_than_least_is_none():
    class Training:
        reason = None

        def stop(self, reason: str) -> None:
            self.reason = reason

    training: Any = Training()
    stopper = Stopper(metric=Watched("validation/loss"), patience=2, least=0.5)
    for loss in (3.0, 2.6, 2.4):  # the third is 0.6 below the best that counted
        stopper.on_validation(training, {"validation/loss": loss})
    assert (stopper.since, training.reason) == (0, None)
    for loss in (2.0, 1.91):
        stopper.on_validation(training, {"validation/loss": loss})
    assert training.reason == "validation/loss has not improved for 2 validations"


def test_patience_of_none_is_refused(go, failed):
    error = failed(lambda: go("run", "callbacks=early_stopping", "callbacks.early_stopping.patience=0"))
    assert "callbacks.early_stopping.patience is int >= 1, not 0" in str(error)


@pytest.mark.parametrize("least", ["-1.0", "nan", "inf"])
def test_a_least_that_no_improvement_can_meet_or_any_value_does_is_refused(go, failed, least):
    error = failed(lambda: go("run", "callbacks=early_stopping", f"callbacks.early_stopping.least={least}"))
    assert f"callbacks.early_stopping.least is 0 <= float < inf, not {least}" in str(error)
    assert error.status == 2


# learning rate


def test_the_rate_that_is_written_is_that_of_the_step(go):
    run = go("run", "callbacks=learning_rate", "optim.lr=0.5", "epochs=2", "log_every=3")
    factors = OneCycle().build(steps=18).factors
    written = {each["step"]: each["lr"] for each in run.metrics if "lr" in each}
    assert written == {step: 0.5 * factors[step - 1] for step in (3, 6, 9, 12, 15, 18)}


def test_each_rate_of_its_own_has_a_column_that_stays(go):
    words = ("callbacks=learning_rate", "optim=muon", "model.hidden_sizes=[8,8]", "schedule=constant", "steps=4")
    run = go("run", *words, "log_every=2")
    assert [(each["lr"], each["lr/1"]) for each in run.metrics[:2]] == [(0.02, 3e-4)] * 2


def test_equal_rates_of_other_schedules_have_a_column_each(go):
    small = Mlp(hidden_sizes=(4,))
    task = Gan(discriminator=small, discriminator_optim=Adam(lr=1e-3), discriminator_schedule=Constant(), latent=2)
    parts = {"model": small, "data": Digits(batch_size=128), "task": task, "optim": Adam(lr=1e-3)}
    made = GanRun(**parts, schedule=Cosine(), callbacks={"rates": LearningRate()}, log_every=2)
    run = go("run", "steps=4", of=made)
    written = [(each["lr"], each["lr/1"]) for each in run.metrics if "lr" in each]
    factors = Cosine().build(steps=4).factors
    assert sorted(map(sorted, written)) == sorted(sorted((1e-3 * factors[step - 1], 1e-3)) for step in (2, 4))


def test_two_rates_that_meet_at_zero_are_still_two(go):
    words = (
        "optim=muon",
        "model.hidden_sizes=[8,8]",
        "schedule=plateau",
        "schedule.patience=0",
        "schedule.gamma=1e-300",
    )
    run = go("run", *words, "callbacks=learning_rate", "schedule.threshold=0.99", "epochs=4", "log_every=9")
    assert run.metrics[-2]["lr"] == run.metrics[-2]["lr/1"] == 0.0


# model summary


def test_the_table_of_a_model_has_shapes_and_counts():
    module = Dense().build(inputs=(1, 28, 28), classes=10)
    module.train()
    table = summarize(module, lambda: module(torch.zeros(1, 1, 28, 28)), depth=1)
    assert table == (
        "module  class        output  parameters  FLOPs\n"
        "------  -----------  ------  ----------  -------\n"
        "(all)   Sequential   1 10    67 978      134 400\n"
        "0       Rearrange    1 784   0           0\n"
        "1       Linear       1 64    50 240      100 352\n"
        "2       BatchNorm1d  1 64    128         0\n"
        "3       ReLU         1 64    0           0\n"
        "4       Linear       1 128   8 320       16 384\n"
        "5       BatchNorm1d  1 128   256         0\n"
        "6       ReLU         1 128   0           0\n"
        "7       Linear       1 64    8 256       16 384\n"
        "8       BatchNorm1d  1 64    128         0\n"
        "9       ReLU         1 64    0           0\n"
        "10      Linear       1 10    650         1 280"
    )
    assert module.training
    assert module[2].num_batches_tracked == 0  # looking has changed nothing


def test_depth_says_how_many_levels_are_shown():
    module = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Linear(3, 2))))
    names = [
        [
            line.split()[0]
            for line in summarize(module, lambda: module(torch.zeros(1, 1, 2, 2)), depth=depth).splitlines()[2:]
        ]
        for depth in (1, 2, 3)
    ]
    assert names == [
        ["(all)", "0", "1"],
        ["(all)", "0", "1", "1.0", "1.1"],
        ["(all)", "0", "1", "1.0", "1.1", "1.1.0"],
    ]


def test_the_operations_of_attention_and_of_a_shared_module_are_counted():
    vit = ViT(patch=4, dim=192, heads=3, depth=1).build(inputs=(3, 32, 32), classes=10)
    rows = {row.split()[0]: row for row in summarize(vit, lambda: vit(torch.zeros(1, 3, 32, 32)), depth=2).splitlines()}
    images, width = 64, 192  # tokens, channels
    products, attention = 2 * 12 * images * width**2, 2 * 2 * images**2 * width
    assert rows["blocks.0"].endswith(f"  {products + attention:,}".replace(",", " "))

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.once = nn.Linear(4, 4)
            self.again = nn.ModuleList([self.once])

        def forward(self, images: Tensor) -> Tensor:
            return self.once(self.again[0](images.flatten(1)))

    shared = Shared()
    rows = summarize(shared, lambda: shared(torch.zeros(1, 1, 2, 2)), depth=2).splitlines()
    assert rows[2:] == ["(all)   Shared  1 4     20          64", "once    Linear  1 4     20          64"]


def test_the_table_is_printed_before_the_first_step_and_is_in_the_log(go, capsys):
    run = go("run", of=Default(**SMALL, callbacks={"model_summary": ModelSummary(depth=1)}, steps=1))
    assert run.log == capsys.readouterr().out
    assert run.log.splitlines()[1] == "module  class       output  parameters  FLOPs"
    assert run.log.splitlines()[3] == f"(all)   Sequential  1 10    {run.summary['parameters']}         1 184"
    plain = go("plain", of=Default(**SMALL, steps=1))
    assert torch.equal(run.weights(), plain.weights())  # looking has drawn no random number


# clean git


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *named, *words], check=True, capture_output=True)


@pytest.fixture
def repository(here: Path) -> Path:
    """A repository with one committed file, a.py."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(here, "init", "-q")
    (here / "a.py").write_text("a = 1\n")
    git(here, "add", "-A")
    git(here, "commit", "-qm", "a")
    return here


@pytest.mark.slow
def test_a_clean_tree_has_no_changes(repository):
    assert changes(repository, untracked=True) == []


@pytest.mark.slow
def test_changed_staged_deleted_and_new_files_are_changes(repository):
    for name in ("b.py", "c d.py"):
        (repository / name).write_text(f"{name}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "b")
    (repository / "a.py").write_text("a = 2\n")
    git(repository, "mv", "b.py", "moved é.py")
    (repository / "c d.py").unlink()
    (repository / "sub").mkdir()
    (repository / "sub/new.py").touch()
    assert sorted(changes(repository, untracked=True)) == ["a.py", "c d.py", "moved é.py", "sub/new.py"]
    assert sorted(changes(repository, untracked=False)) == ["a.py", "c d.py", "moved é.py"]
    assert sorted(changes(repository / "sub", untracked=False)) == ["a.py", "c d.py", "moved é.py"]


@pytest.mark.slow
def test_what_git_ignores_is_no_change(repository):
    (repository / ".git/info/exclude").write_text("outputs/\n")
    (repository / "outputs").mkdir()
    (repository / "outputs/x").touch()
    assert changes(repository, untracked=True) == []


def test_a_folder_that_is_in_no_repository_is_told(here, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(here.parent))
    monkeypatch.setenv("LC_ALL", "C")
    with pytest.raises(UserError) as refused:
        changes(here, untracked=True)
    assert str(refused.value) == (
        "callbacks.clean_git: git cannot look at the tree: "
        "fatal: not a git repository (or any of the parent directories): .git"
    )


def test_without_git_it_says_so(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(UserError) as refused:
        changes(here, untracked=True)
    assert str(refused.value) == "callbacks.clean_git: git is not installed, so the tree cannot be looked at"


def test_it_says_under_which_name_it_can_be_left_out(go, failed, monkeypatch):
    monkeypatch.setattr("runs.callbacks._clean_git.changes", lambda folder, **_: ["a.py"])
    error = failed(lambda: go("run", "+callbacks/gate=clean_git", "steps=2"))
    assert str(error) == (
        "callbacks.gate: the git tree is not clean, so this run could not be repeated\n"
        "  changed: a.py\n"
        "  commit them (git add -A; git commit), or leave it out: ~callbacks.gate"
    )


def test_an_unclean_tree_is_refused_and_a_clean_one_trains(repository, shell):
    """This code in a repository of its own, through the door."""
    for name in ("cn", "models", "data", "runs", "sweeps"):
        shutil.copytree(ROOT / name, repository / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", repository)
    (repository / ".gitignore").write_text("__pycache__/\noutputs/\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "all")
    words = ("model=mlp", "steps=2", "callbacks=clean_git")
    said = shell(*words, script=repository / "train.py")
    assert (said.status, said.err) == (0, "")
    for number in range(6):
        (repository / f"new{number}.py").touch()
    said = shell(*words, script=repository / "train.py")
    assert said.err == (
        "callbacks.clean_git: the git tree is not clean, so this run could not be repeated\n"
        "  changed: new0.py, new1.py, new2.py, new3.py and 2 more\n"
        "  commit them (git add -A; git commit), or leave it out: ~callbacks.clean_git\n"
    )
    assert said.status == 2
