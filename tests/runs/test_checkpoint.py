"""A process killed anywhere in a save leaves whole checkpoints, and a save that fails leaves those of before."""

from __future__ import annotations

import io
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from cn import RunError
from data.digits import Digits
from models.mlp import Mlp
from runs import _checkpoint
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.default import Default

RUN = Default(model=Mlp(hidden_sizes=(8,)), data=Digits(batch_size=300), epochs=2, save_every=3, log_every=2)
EVENTS = {"open", "os.rename", "os.link", "os.remove"}  # what a save asks the system for, besides writing and syncing


def count_down(number: int, die: Any) -> None:
    """In a process of its own: kill -9 just before its number-th request of the file system for a run folder."""
    left = number

    def request() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in EVENTS and "killed" in str(args[0]):
            request()

    def half(state: Any, file: Any) -> None:
        whole = io.BytesIO()
        save(state, whole)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        request()
        file.write(whole.getvalue()[len(whole.getvalue()) // 2 :])

    def sync(number: int) -> None:
        request()
        fsync(number)

    save, fsync = torch.save, os.fsync
    _checkpoint.torch.save, _checkpoint.os.fsync = half, sync
    sys.addaudithook(audit)


@pytest.fixture
def killed_at(go, forked, die):
    def killed_at(number: int) -> int:
        def child() -> None:
            count_down(number, die)
            go("killed", of=RUN)

        return forked(child)

    return killed_at


def test_killed_at_each_request_of_the_file_system(go, killed_at, left, differences):
    """From the first file that a run makes to its last: what is there is whole, and the run goes on to the same end."""
    whole = go("whole", of=RUN)
    number, kinds = 0, set[str]()
    while (status := killed_at(number := number + 1)) == -signal.SIGKILL:
        folder = Path("killed")
        if (folder / "config.json").exists():
            for name in ("last.pt", "best.pt"):
                if (folder / name).exists():
                    assert _checkpoint.load(folder / name)["step"] > 0
            kinds |= {each.name.rstrip("0123456789") for each in folder.glob(".*")}
            resumed = go(source="killed")
            assert differences(whole.state(), resumed.state()) == []
            assert differences(whole.state("best.pt"), resumed.state("best.pt")) == []
            assert differences(whole.metrics, resumed.metrics) == []
            names = {each.name for each in resumed.folder.iterdir()}
            assert names - {"command.txt"} == {each.name for each in whole.folder.iterdir()} - {"command.txt"}
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
    assert status == 0
    assert number > 40
    assert {".last.pt.", ".best.pt.", ".summary.json."} <= kinds  # it was killed with each of them half made


def test_a_save_that_fails_leaves_the_checkpoint_before(go, failed, monkeypatch):
    run = go("run", "epochs=1")
    before = run.files()

    def full(state: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    error = failed(lambda: _checkpoint.save(run.folder, {}, best=True))
    assert isinstance(error, RunError)
    assert str(error) == "cannot write to run: [Errno 28] No space left on device"
    assert run.files() == before


def test_best_is_a_second_name_of_last_and_takes_no_room(go):
    run = go("run", "epochs=1")
    assert (run.folder / "best.pt").samefile(run.folder / "last.pt")


def test_a_weight_that_is_no_number_is_not_saved(go, failed, left, monkeypatch):
    """Between two logs nobody has looked at the loss; the checkpoint of before is kept."""
    step = torch.optim.AdamW.step

    def broken(self: Any, closure: Any = None) -> None:
        step(self)
        taken.append(1)
        if len(taken) == 5:
            with torch.no_grad():
                self.param_groups[0]["params"][0][0, 0] = float("nan")

    taken: list[int] = []
    monkeypatch.setattr(torch.optim.AdamW, "step", broken)
    error = failed(lambda: go("run", "steps=9", "save_every=1", "log_every=100"))
    assert str(error) == (
        "a weight is no finite number after step 5\n"
        "  to try again more calmly: python train.py --from run optim.lr=0.0002 clip=1"
    )
    assert left(Path("run")).state()["step"] == 4


class _FractionHooks(Hooks):
    def state_dict(self) -> dict[str, Any]:
        return {"share": Fraction(1, 3)}


class _Fraction(Callback):
    def build(self) -> Hooks:
        return _FractionHooks()


def test_what_could_not_be_read_again_is_refused_before_it_takes_the_place_of_anything(go, failed):
    run = Default(model=Mlp(hidden_sizes=(8,)), data=Digits(batch_size=300), callbacks={"mine": _Fraction()})
    error = failed(lambda: go("run", of=run))
    assert str(error) == (
        "a checkpoint cannot hold a fractions.Fraction\n"
        "  let each state_dict, of a callback's hooks too, give plain numbers, texts, lists, dicts and tensors"
    )
    assert not list(Path("run").glob("*.pt"))


def test_what_another_process_left_half_written_is_removed_and_nothing_else(here):
    half = [".last.pt.123", ".best.pt.7", ".config.json.99", ".summary.json.1"]
    kept = [".lock", "last.pt", "notes.2", ".notes.3", ".metrics.jsonl"]
    for name in half + kept:
        (here / name).touch()
    _checkpoint.clean(here)
    assert sorted(each.name for each in here.iterdir()) == sorted(kept)


def test_metrics_are_synced_before_the_checkpoint(go, monkeypatch):
    """After a power failure a run resumes from a checkpoint, and has the metrics up to it."""
    synced: list[str] = []
    fsync = os.fsync

    def seen(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", seen)
    go("run", of=RUN)
    saved = [place for place, name in enumerate(synced) if name.startswith(".last.pt.")]
    assert len(saved) > 1
    assert {synced[place - 1] for place in saved} == {"metrics.jsonl"}


def test_the_loop_saves_only_what_it_has_written(go, monkeypatch):
    """Each log up to a checkpoint's step is in metrics.jsonl before the checkpoint is."""
    save = _checkpoint.save

    def checked(folder: Path, state: dict[str, Any], **which: bool) -> None:
        steps = [int(line.split(",")[0].split(": ")[1]) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert max(steps, default=0) == state["step"] // 2 * 2 or max(steps) == state["step"]
        save(folder, state, **which)

    monkeypatch.setattr(_checkpoint, "save", checked)
    go("run", of=RUN)
