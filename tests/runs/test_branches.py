"""Trials that share their past: each is, to the last bit, the run that begins at step 0."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cn import Job
from cn.composing.compose import compose
from cn.job import Past
from cn.launching.launch.local import Local
from cn.nodes.to_json import plain
from cn.run_folder.branches import leave
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.identity import Identity
from cn.sweeping.folder.past import state_before
from cn.sweeping.folder.standing import Standing, Sweeping
from cn.sweeping.folder.store import Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.plan import Planned, identity
from cn.sweeping.planning.sharing import Shared, components, share
from runs._train import train
from runs.default import Default
from tests.runs.conftest import SMALL

NOT_OF_THE_RESULT = ("seconds", "command")  # of a summary
CALLBACKS = ([], ["ema", "checkpoint"], ["early_stopping"], ["learning_rate", "model_summary"])
STEPS = ("data.batch_size=256",)  # 4 an epoch


def planned(words: list[str], number: int = 0) -> Planned:
    run = compose(Default, [*SMALL[:2], *words])
    name = identity(run, plain(run))
    return Planned(Trial(name, tuple(words), plain(run), f"shared/{name}", place=number), Local())


def known(*done: Trial) -> Sweeping:
    """A sweep in which these trials are done."""
    found = Sweeping(Identity(("name",), Path()))
    for each in done:
        found.trials[each.id] = Standing(each, TrialStatus.DONE, "0000", 0, "code")
        found.batches["0000"] = batch()
    return found


def batch() -> Any:
    from cn.sweeping.folder.batches import Batch

    return Batch("0000", "code-others", "train:train", plain(Local()), ".", None, None, None, ())


def shared(*each: list[str], done: tuple[Trial, ...] = ()) -> Shared:
    return share([planned(words, number) for number, words in enumerate(each)], known(*done), "code")


def drawn(seed: int) -> list[list[str]]:
    """Overrides of a few runs that differ in their length and schedule alone, or nearly."""
    draw = random.Random(seed)
    common = [
        *STEPS,
        f"log_every={draw.choice([1, 3, 10])}",
        f"accumulate={draw.choice([1, 1, 2])}",
        f"validate_every={draw.choice([1, 0.5, 2])}",
        f"seed={draw.randrange(100)}",
        f"callbacks=[{','.join(draw.choice(CALLBACKS))}]",
        f"task.mixup={draw.choice([0.0, 0.2])}",
    ]
    if "checkpoint" in common[-2]:
        common.append("callbacks.checkpoint.every=1")
    if "early_stopping" in common[-2]:
        common.append("callbacks.early_stopping.patience=1")
    several: list[list[str]] = []
    for _ in range(4):
        length = draw.choice([f"epochs={draw.randrange(1, 5)}", f"steps={draw.randrange(2, 15)}"])
        schedule = draw.choice(
            [
                ["schedule=constant"],
                ["schedule=trapezoid", "schedule.warmup=2", f"schedule.cooldown={draw.choice([0, 0, 1])}"],
                ["schedule=trapezoid", "schedule.warmup=0", "schedule.cooldown=0"],
                ["schedule=cosine", "schedule.warmup=1"],
            ]
        )
        several.append([*common, length, *schedule])
    return [each for number, each in enumerate(several) if each not in several[:number]]


def trained(each: Trial, store: Store, folder: Path, **job: Any) -> str:
    """Train a trial in a folder, and return what it said."""
    run = compose(Default, [*SMALL[:2], *each.words, f'folder="{folder}"'])
    train(run, Job(folder=folder, **job))
    return (folder / "log.txt").read_text()


def train_all(found: Shared, store: Store) -> dict[str, str]:
    said: dict[str, str] = {}
    for tree in components([each.trial for each in found.planned]):
        for trial in tree:
            past = state_before(store, trial)
            said[trial.id] = trained(trial, store, store.at(trial), past=past, branches=trial.branches)
    return said


def unlike(one: Any, other: Any, differences: Any) -> list[str]:
    """Return in what two run folders differ."""
    summaries = [{k: v for k, v in each.summary.items() if k not in NOT_OF_THE_RESULT} for each in (one, other)]
    if one.folder.joinpath("best.pt").exists():
        names = sorted(each.name for each in one.folder.glob("*.pt"))
        assert names == sorted(each.name for each in other.folder.glob("*.pt"))
    else:
        names = ["last.pt"]
    from runs import _checkpoint

    states = [[_checkpoint.load(each.folder / name) for name in names] for each in (one, other)]
    return [
        *differences(dict(sorted(summaries[0].items())), dict(sorted(summaries[1].items()))),
        *differences(one.metrics, other.metrics),
        *differences(*states),
    ]


@pytest.fixture
def quiet(here: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("runs._train.draw", lambda folder: None)
    return Store(here)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_each_trial_of_random_branchings_is_its_own_run_to_the_bit(
    quiet: Store, left: Any, differences: Any, seed: int
):
    found = shared(*drawn(seed))
    said = train_all(found, quiet)
    for each in found.planned:
        trained(each.trial, quiet, Path("own", each.trial.id))
        own, branch = left(Path("own", each.trial.id)), left(quiet.at(each.trial))
        assert unlike(own, branch, differences) == []
        ended_early = "ends early" in "".join(said.values())
        if each.trial.past and not ended_early:
            assert said[each.trial.id].startswith(f"its first {each.trial.after} steps are those of ")


def test_random_branchings_do_share():
    found = [shared(*drawn(seed)) for seed in range(16)]
    assert sum(each.saved > 0 for each in found) >= 6
    assert any(0 < trial.after < 4 for each in found for trial in (one.trial for one in each.planned))


def test_two_processes_share_their_past_too(quiet: Store, left: Any, ranks: Any, differences: Any):
    words = [*STEPS, "log_every=3", "schedule=trapezoid", "schedule.warmup=1", "schedule.cooldown=1"]
    found = shared([*words, "epochs=2"], [*words, "epochs=3"], [*words, "steps=10"])
    assert [each.trial.after for each in found.planned] == [0, 9, 7]
    for each in (trial for tree in components([each.trial for each in found.planned]) for trial in tree):
        past = state_before(quiet, each)
        own, shares = Path("own", each.id), {"past": past, "branches": each.branches}
        assert ranks(2, lambda each=each, shares=shares: trained(each, quiet, quiet.at(each), **shares)) == [0, 0]
        assert ranks(2, lambda each=each, own=own: trained(each, quiet, own)) == [0, 0]
    for each in found.planned:
        own, branch = left(Path("own", each.trial.id)), left(quiet.at(each.trial))
        assert unlike(own, branch, differences) == []


@pytest.mark.slow
def test_a_trial_goes_on_from_the_end_of_one_that_is_done(quiet: Store, left: Any, differences: Any):
    words = [*STEPS, "schedule=constant", "log_every=3"]
    first = planned([*words, "epochs=2"]).trial
    trained(first, quiet, quiet.at(first))
    found = shared([*words, "epochs=3"], [*words, "epochs=4"], done=(first,))
    assert [(each.trial.past, each.trial.after) for each in found.planned] == [
        (first.folder, 8),
        (found.planned[0].trial.folder, 12),
    ]
    train_all(found, quiet)
    for each in found.planned:
        trained(each.trial, quiet, Path("own", each.trial.id))
        assert unlike(left(Path("own", each.trial.id)), left(quiet.at(each.trial)), differences) == []


def test_a_killed_run_leaves_its_branch_when_it_goes_on(
    quiet: Store, left: Any, differences: Any, forked: Any, die: Any, monkeypatch: pytest.MonkeyPatch
):
    words = [*STEPS, "schedule=trapezoid", "schedule.warmup=1", "schedule.cooldown=2"]
    found = shared([*words, "epochs=2"], [*words, "epochs=3"])
    first, second = (each.trial for each in found.planned)
    assert (first.branches, second.after) == ((6,), 6)

    def killed() -> None:
        monkeypatch.setattr("runs._training.loop.leave_branch", lambda training: training.step == 6 and die())
        trained(first, quiet, quiet.at(first), branches=first.branches)

    assert forked(killed) == -9
    assert not (quiet.at(first) / "branches").exists()
    run = compose(Default, [*SMALL[:2], *first.words, f'folder="{quiet.at(first)}"'])
    train(run, Job(source=quiet.at(first), branches=first.branches))
    past = state_before(quiet, second)
    assert past == Past(quiet.at(first) / "branches" / "000006", 6)
    trained(second, quiet, quiet.at(second), past=past)
    trained(second, quiet, Path("own"))
    assert unlike(left(Path("own")), left(quiet.at(second)), differences) == []


def test_what_a_process_left_that_was_killed_while_it_left_a_state_is_removed(
    here: Path, forked: Any, die: Any, monkeypatch: pytest.MonkeyPatch
):
    """It holds links to checkpoints, which would keep their room on the disk."""
    Path("last.pt").write_bytes(b"state")

    def killed() -> None:
        monkeypatch.setattr(Path, "rename", lambda *_: die())
        leave(Path(), 6, ["last.pt"])

    assert forked(killed) == -9
    (left,) = Path("branches").iterdir()
    assert (left / "last.pt").samefile("last.pt")
    leave(Path(), 6, ["last.pt"])
    assert [each.name for each in Path("branches").iterdir()] == ["000006"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "FOLDER has no checkpoint last.pt"),
        (lambda path: path.write_bytes(b"no checkpoint"), "FOLDER/last.pt cannot be read as a checkpoint"),
    ],
    ids=["gone", "damaged"],
)
def test_a_trial_whose_past_is_lost_begins_at_step_0(quiet: Store, left: Any, damage: Any, reason: str):
    words = [*STEPS, "schedule=constant"]
    found = shared([*words, "epochs=1"], [*words, "epochs=2"])
    first, second = (each.trial for each in found.planned)
    trained(first, quiet, quiet.at(first))
    damage(quiet.at(first) / "last.pt")
    said = trained(second, quiet, quiet.at(second), past=state_before(quiet, second))
    assert said.startswith(f"begins at step 0: {reason}\n".replace("FOLDER", str(quiet.at(first))))
    assert [each["step"] for each in left(quiet.at(second)).metrics if "validation/loss" in each] == [4, 8]


def test_a_trial_whose_past_ended_early_begins_at_step_0(quiet: Store):
    words = [*STEPS, "schedule=constant"]
    found = shared([*words, "epochs=2"], [*words, "epochs=3"])
    first, second = (each.trial for each in found.planned)
    trained(planned([*words, "epochs=1"]).trial, quiet, quiet.at(first))
    said = trained(second, quiet, quiet.at(second), past=Past(quiet.at(first), 8))
    assert said.startswith(f"begins at step 0: {quiet.at(first)} has the state after step 4, not after 8\n")


def test_a_trial_whose_past_was_computed_otherwise_begins_at_step_0(quiet: Store):
    words = [*STEPS, "schedule=constant"]
    found = shared([*words, "epochs=1"], [*words, "epochs=2"])
    first, second = (each.trial for each in found.planned)
    trained(first, quiet, quiet.at(first))
    path = quiet.at(first) / "summary.json"
    path.write_text(path.read_text().replace("1 threads", "7 threads"))
    said = trained(second, quiet, quiet.at(second), past=state_before(quiet, second))
    what = f"the state in {quiet.at(first)} is of cpu (7 threads), fp32, and this run is on cpu (1 threads), fp32\n"
    assert said.startswith(f"begins at step 0: {what}")
