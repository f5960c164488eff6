"""A run that was stopped or killed, and went on, is to the last bit the run that was not."""

from __future__ import annotations

import io
import json
import pickle
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cn.composing.compose import compose
from cn.run_folder.folders import Found
from cn.run_folder.listing import describe
from data.digits import Digits
from models.fcn import Fcn
from runs import _checkpoint
from runs._processes.stop import Stop
from runs._train import bind
from runs._training.device import random_state, set_random_state
from runs.callbacks.early_stopping import EarlyStopping
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default
from runs.logger.csv import Csv
from runs.optim.muon import Muon
from runs.optim.sgd import Sgd
from runs.schedule.plateau import Plateau

DROPOUT = Fcn(hidden_dim=8, dropout=0.3)
RUNS = {
    "augmented": Default(
        model=DROPOUT, data=Digits(batch_size=64, crop=1, flip=True, cutout=2), accumulate=3, epochs=3, log_every=4
    ),
    "muon on a plateau": Default(
        model=Fcn(hidden_dim=8, num_hidden=3, dropout=0.1),
        data=Digits(batch_size=200),
        optim=Muon(lr=0.1),
        schedule=Plateau(patience=0, threshold=0.5, gamma=0.5),
        callbacks={"early_stopping": EarlyStopping(patience=3, least=10.0), "learning_rate": LearningRate()},
        logger={"csv": Csv()},
        epochs=5,
        log_every=4,
        clip=1.0,
    ),
    "validated at times": Default(
        model=DROPOUT, data=Digits(batch_size=250), optim=Sgd(), validate_every=3, steps=17, log_every=5
    ),
}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def same(left, differences):
    """That two folders hold the same end: checkpoints, every value of every metric, and the summary."""

    def same(a: Path, b: Path) -> None:
        one, two = left(Path(a)), left(Path(b))
        for name in ("last.pt", "best.pt"):
            assert differences(one.state(name), two.state(name)) == []
        assert differences(one.metrics, two.metrics) == []
        for name in ("metrics.jsonl", "metrics.csv"):
            if (one.folder / name).exists():
                assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
        told = [{k: v for k, v in each.summary.items() if k not in ("seconds", "command")} for each in (one, two)]
        assert told[0] == told[1]
        assert sorted(each.name for each in one.folder.iterdir()) == sorted(each.name for each in two.folder.iterdir())

    return same


@every_run
def test_stopped_at_each_of_its_steps(run, go, same, after_step, failed):
    """One process for each step of the run, and each goes on where the last was stopped."""
    whole = go("whole", of=run)
    last = whole.summary["step"]
    for step in range(1, last):
        after_step(1, interrupt)
        error = failed(lambda step=step: go("parts", of=run) if step == 1 else go(source="parts"))
        assert str(error) == (
            f"stopped by Ctrl-C after step {step} of {whole.summary['steps']}\n"
            "  to go on from the last checkpoint: python train.py --from parts"
        )
        assert error.status == 130
    go(source="parts")
    same("whole", "parts")


@every_run
@pytest.mark.parametrize("step", [3, 8, 11])
def test_killed_in_the_middle_of_an_epoch(run, step, go, same, after_step, forked, die):
    """From the checkpoint before, whichever that is; `save_every` changes nothing of the result."""
    go("whole", of=run)
    saved = _with(run, save_every=2)
    go("saved", of=saved)

    def killed() -> None:
        after_step(step, die)
        go("killed", of=saved)

    assert forked(killed) == -signal.SIGKILL
    assert torch.load("killed/last.pt", weights_only=True)["step"] < step
    assert _summary("killed")["state"] == "running"
    go(source="killed")
    same("killed", "saved")
    for name in ("last.pt", "metrics.jsonl"):
        assert _content(Path("killed") / name) == _content(Path("whole") / name)


def test_a_run_killed_before_its_first_checkpoint_starts_again(go, same, after_step, forked, die):
    run = RUNS["augmented"]
    go("whole", of=run)

    def killed() -> None:
        after_step(5, die)
        go("killed", of=run)

    assert forked(killed) == -signal.SIGKILL
    assert not (Path("killed") / "last.pt").exists()
    resumed = go(source="killed")
    same("whole", "killed")
    assert "\nno checkpoint was saved: starts from the beginning\n" in resumed.log


def test_stopped_and_killed_and_stopped(go, same, after_step, forked, die, failed):
    run = RUNS["muon on a plateau"]
    go("whole", of=run)
    after_step(5, interrupt)
    failed(lambda: go("parts", of=run))

    def killed() -> None:
        after_step(4, die)
        go(source="parts")

    assert forked(killed) == -signal.SIGKILL
    after_step(2, interrupt)
    failed(lambda: go(source="parts"))
    go(source="parts")
    same("whole", "parts")


def test_an_early_stopped_run_stays_stopped(go, left, differences):
    run = RUNS["muon on a plateau"]
    ended = go("run", of=run)
    assert ended.summary["reason"] == "validation/loss has not improved for 3 validations"
    assert ended.summary["step"] < ended.summary["steps"]
    before = ended.state(), ended.metrics
    again = go(source="run")
    assert again.log.splitlines()[-3] == f"has finished, at step {ended.summary['step']}: nothing is left to train"
    assert differences(before, (again.state(), again.metrics)) == []


def test_a_finished_run_trains_nothing_and_says_its_result_again(go, after_step, differences, capsys):
    run = go("run", "epochs=2")
    first = capsys.readouterr().out.splitlines()
    before, summary = run.state(), run.summary
    after_step(1, lambda: pytest.fail("it took a step"))
    go(source="run")
    again = capsys.readouterr().out.splitlines()
    assert again == [first[0], "has finished, at step 18: nothing is left to train", *first[-2:]]
    assert differences(before, run.state()) == []
    changing = ("seconds", "command")
    assert [(k, v) for k, v in run.summary.items() if k not in changing] == [
        (k, v) for k, v in summary.items() if k not in changing
    ]


@pytest.mark.parametrize("how", ["stopped", "failed"])
def test_a_finished_run_that_is_tested_again_in_vain_keeps_what_it_came_to(how, go, failed, left, monkeypatch):
    before = go("run", "epochs=1").summary

    def test(*_: object) -> tuple[float, float]:
        if how == "stopped":
            signal.raise_signal(signal.SIGINT)
        raise OSError("the data are gone")

    with monkeypatch.context() as patch:
        patch.setattr("runs._train.evaluate", test)
        failed(lambda: go(source="run"))
    assert left(Path("run")).summary == before
    assert go(source="run").summary["seconds"] > before["seconds"]


@pytest.mark.parametrize("look", [14, 15])
def test_a_signal_right_after_a_look_for_one_is_that_of_the_next_step(look, go, failed, left, monkeypatch):
    class Late(Stop):
        looks = 0

        @property
        def asked(self) -> str | None:
            self.looks += 1
            told = self._told
            if self.looks == look:
                signal.raise_signal(signal.SIGTERM)
            return told

        @asked.setter
        def asked(self, value: str | None) -> None:
            self._told = value

    monkeypatch.setattr("runs._train.Stop", Late)
    (told, *_) = str(failed(lambda: go("run", "epochs=3"))).splitlines()
    step = left(Path("run")).state()["step"]
    assert told == f"stopped by SIGTERM after step {step} of 27"


def test_mode_train_goes_on_too(go, after_step, failed, same):
    go("whole", "epochs=2")
    after_step(4, interrupt)
    failed(lambda: go("parts", "epochs=2"))
    go("", "mode=train", source="parts")
    same("whole", "parts")


def test_a_callback_that_draws_random_numbers_as_it_starts_changes_nothing(go, same, after_step, failed, monkeypatch):
    run = RUNS["augmented"]
    go("whole", of=run)
    after_step(4, interrupt)
    failed(lambda: go("parts", of=run))

    def noisy(hooks: Any, moment: str) -> Any:
        return [*bind(hooks, moment), lambda training, *metrics: torch.rand(3)]

    monkeypatch.setattr("runs._train.bind", noisy)
    go(source="parts")
    same("whole", "parts")


def test_a_checkpoint_of_other_data_is_refused(go, failed, after_step, monkeypatch):
    after_step(4, interrupt)
    failed(lambda: go("run", "epochs=2"))
    build = Digits.build

    def smaller(self: Digits, *, seed: int) -> Any:
        return build(Digits(validation=0.4), seed=seed)

    monkeypatch.setattr(Digits, "build", smaller)
    error = failed(lambda: go(source="run"))
    assert str(error) == (
        "run/last.pt does not fit the run in run\n"
        "  it counts 9 steps an epoch, and the run 5\n"
        "  it came from another run, or the code or the data of this one have changed"
    )
    assert error.status == 1


def test_a_checkpoint_of_classes_in_another_order_is_refused(go, failed, after_step, monkeypatch):
    """As after a folder of a class has got another name: the files, their number and the network are the same."""
    after_step(12, interrupt)
    failed(lambda: go("run", "epochs=2"))
    build = Digits.build
    renamed = ("zero", *map(str, range(1, 10)))
    monkeypatch.setattr(Digits, "build", lambda self, *, seed: replace(build(self, seed=seed), classes=renamed))
    for file, words in (("last.pt", []), ("best.pt", ["mode=eval"])):
        assert str(failed(lambda words=words: go("run", *words, source="run"))) == (
            f"run/{file} does not fit the run in run\n"
            "  its class 0 is '0', and that of the data 'zero'\n"
            "  it came from another run, or the code or the data of this one have changed"
        )


@pytest.mark.parametrize(
    "damage", [b"", b"PK\x03\x04 and no more", pickle.dumps(Path(), 2)], ids=["empty", "cut", "pickle"]
)
def test_a_damaged_checkpoint_is_refused_and_left_alone(damage, go, failed, after_step):
    after_step(12, interrupt)
    failed(lambda: go("run", "epochs=2"))
    Path("run/last.pt").write_bytes(damage)
    error = failed(lambda: go(source="run"))
    what, why, advice = str(error).splitlines()
    assert what == "run/last.pt cannot be read as a checkpoint"
    assert len(why) < 200
    assert why.startswith(("  EOFError", "  RuntimeError: PytorchStreamReader failed", "  UnpicklingError"))
    assert advice == "  without it, its run starts from the beginning"
    assert error.status == 1
    assert Path("run/last.pt").read_bytes() == damage


def test_metrics_with_a_line_that_is_none_are_left_as_they_are(go, failed, after_step):
    """A last one that was cut short is another thing, which a kill leaves."""
    after_step(12, interrupt)
    failed(lambda: go("run", "epochs=2", "log_every=4"))
    path = Path("run/metrics.jsonl")
    whole = path.read_text()
    path.write_text(torn := whole.replace("\n", "\nnone\n", 1))
    assert str(failed(lambda: go(source="run"))) == (
        "run/metrics.jsonl holds a line that is no record: none\n"
        "  delete that line to have the others\n"
        "  to go on from the last checkpoint: python train.py --from run"
    )
    assert path.read_text() == torn
    path.write_text(whole)
    Path("run/summary.json").write_text("[]")
    assert go(source="run").summary["state"] == "finished"


def test_killed_while_it_is_tested_it_is_lost_and_goes_on_to_its_score(go, forked, die, monkeypatch, differences):
    """All is trained and saved: it is tested again, and its summary says what an undisturbed one says."""
    whole = go("whole", "epochs=1")
    with monkeypatch.context() as patch:
        patch.setattr("runs._train._score", lambda *_: die())
        assert forked(lambda: go("run", "epochs=1")) == -signal.SIGKILL
    lost = describe(Found(0.0, Path("run")))
    assert (lost["state"], lost["reason"], lost["step"]) == ("lost", "no process writes to it any more", 9)
    resumed = go(source="run")
    assert describe(Found(0.0, Path("run")))["state"] == "finished"
    said = ({**each.summary, "seconds": 0, "command": ""} for each in (whole, resumed))
    assert differences(*said) == []
    assert differences(whole.metrics, resumed.metrics) == []


def test_a_finished_run_without_its_last_checkpoint_keeps_its_best_one(go, failed, here):
    go("run", "epochs=1")
    best = Path("run/best.pt").read_bytes()
    Path("run/last.pt").unlink()
    assert str(failed(lambda: go(source="run"))) == (
        "run has finished, and its last checkpoint is gone: training would replace its best one\n"
        "  to test that one: python train.py --from run mode=eval\n"
        "  for a new run: python train.py --from run folder=FOLDER"
    )
    assert Path("run/best.pt").read_bytes() == best


def test_a_checkpoint_runs_no_code(go, failed, here):
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (here / "ran",)

    go("run", "steps=1")
    torch.save({"step": Evil()}, "run/best.pt")
    error = failed(lambda: go("", "mode=eval", source="run"))
    assert str(error).startswith("run/best.pt cannot be read as a checkpoint\n  UnpicklingError: ")
    assert not (here / "ran").exists()


def test_everything_that_is_random_is_in_a_checkpoint():
    cpu, buffer = torch.device("cpu"), io.BytesIO()
    torch.save(random_state(cpu), buffer)
    drawn = random.random(), np.random.rand(), torch.rand(()).item(), random.gauss(0, 1), np.random.randn()
    buffer.seek(0)
    set_random_state(torch.load(buffer, weights_only=True), cpu)
    again = random.random(), np.random.rand(), torch.rand(()).item(), random.gauss(0, 1), np.random.randn()
    assert again == drawn


def _with(run: Any, **values: Any) -> Any:
    return compose(run, [f"{name}={value}" for name, value in values.items()])


def _summary(folder: str) -> dict[str, Any]:
    return json.loads(Path(folder, "summary.json").read_text())


def _content(path: Path) -> Any:
    if path.suffix == ".pt":
        return torch.cat([each.flatten() for each in _checkpoint.load(path)["module"].values()]).tolist()
    return path.read_bytes()


def test_a_clock_that_is_set_back_takes_no_time_from_a_run(go, after_step, monkeypatch):
    before = time.time()
    after_step(3, lambda: monkeypatch.setattr(time, "time", lambda: before - 3600.0))
    assert go("run", "epochs=1").summary["seconds"] > 0
