"""What several processes save, each its part: whole or absent, written while the run goes on, read without code."""

from __future__ import annotations

import errno
import io
import os
import pickle
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint import metadata

from data.digits import Digits
from models.mlp import Mlp
from runs import _checkpoint
from runs._processes import divided, shards
from runs.callbacks.ema import Ema
from runs.default import Default
from runs.parallel.fsdp import Fsdp
from tests.runs.conftest import WAIT, rank, wait_for

pytestmark = pytest.mark.slow

FSDP = "parallel=fsdp"
RUN = Default(
    model=Mlp(hidden_sizes=(8,)),
    data=Digits(batch_size=300),
    epochs=2,
    save_every=3,
    log_every=2,
    parallel=Fsdp(),
    callbacks={"ema": Ema()},
)
EVENTS = {"open", "os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir"}


def kill_at(kind: str, die: Any) -> None:
    """In a process of its own: kill -9 just before it asks that of the file system; half: with a file half written."""

    def request(what: str) -> None:
        if what.startswith(kind):
            die()

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in EVENTS:
            request(f"{event} {Path(str(args[0])).name}")

    def half(state: Any, file: Any, **how: Any) -> None:
        whole = io.BytesIO()
        save(state, whole, **how)
        file.write(whole.getvalue()[:99])
        if hasattr(file, "raw"):  # not in memory, but below the run folder
            file.raw.flush()
            request("half")
        file.write(whole.getvalue()[99:])

    save = torch.save
    torch.save = half
    sys.addaudithook(audit)


def test_killed_at_a_request_of_the_file_system(ranks, go, left, differences, die, stopped, together):
    """In either process: what is there is whole, and the run goes on to the same end.

    The first 25 requests of the first process in a save were tried once, and 4 of the second; here are four.
    """
    whole = together(2, "whole", of=RUN)
    assert stopped(2, 5, of=RUN) == [143, 143]  # they agree to stop at step 6, and the next save is that of step 8
    seen = set[str]()
    for which, kind in (
        (0, "half"),
        (1, "half"),
        (0, "os.rename .last.pt"),
        (0, "os.rmdir .step-000004.partial"),
    ):
        shutil.copytree("parts", "killed", symlinks=True)

        def child(which: int = which, kind: str = kind) -> None:
            if rank() == which:
                kill_at(kind, die)
            go(source="killed")

        statuses = ranks(2, child)
        assert statuses[which] == -signal.SIGKILL, kind
        folder = Path("killed")
        steps = {"os.rename .last.pt": (6, 8), "os.rmdir .step-000004.partial": (8, 8)}
        found = tuple(_checkpoint.load(folder / name)["step"] for name in ("last.pt", "best.pt"))
        assert found == steps.get(kind, (6, 4)), kind
        seen |= {each.name.rstrip("0123456789") for each in folder.glob(".*")}
        assert ranks(2, lambda: go(source="killed")) == [0, 0], kind
        resumed = left(folder)
        for name in ("last.pt", "best.pt"):
            assert differences(whole.state(name), resumed.state(name)) == [], kind
        assert differences(whole.metrics, resumed.metrics) == [], kind
        named = {(folder / name).readlink().name for name in ("last.pt", "best.pt")}
        assert {each.name for each in folder.glob("*step-*")} == named, kind
        assert {each.name for each in folder.glob(".*")} == {".lock"}, kind
        shutil.rmtree("killed")
    assert seen == {".lock", ".last.pt.", ".step-000008.partial", ".step-000004.partial"}


ON = "\n  to go on from the last checkpoint: python train.py --from run\n"


def test_a_file_that_may_grow_no_further_ends_the_run_and_keeps_the_checkpoint_before(ranks, go, left, after_step):
    """As a full disk does, in the second process alone."""

    def fill() -> None:
        wait_for(Path("run/last.pt").exists)  # the save of step 9 goes on beside the run
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))

    def child() -> None:
        if rank() == 1:
            after_step(11, fill)
        go("run", "epochs=3", FSDP)

    assert ranks(2, child) == [1, 1]
    run = left(Path("run"))
    assert run.log.endswith(f"cannot write to run: [Errno 27] File too large{ON}")
    assert run.summary["state"] == "failed"
    assert run.state()["step"] == 9
    assert [each.name for each in run.folder.glob("*step-*")] == ["step-000009"]
    assert ranks(2, lambda: go(source="run")) == [0, 0]


def test_a_disk_that_refuses_ends_the_run(ranks, go, left, monkeypatch):
    def refuse(self: Any, *_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shards.FileSystemWriter, "finish", refuse)
    assert ranks(2, lambda: go("run", "epochs=3", FSDP)) == [1, 1]
    run = left(Path("run"))
    assert run.log.endswith(
        "cannot write to run: [Errno 28] No space left on device\n  the run is in run, which has no checkpoint yet\n"
    )
    assert not list(run.folder.glob("*step*"))


def test_the_run_goes_on_while_it_saves(ranks, go, monkeypatch, after_step):
    """The save after step 3 is held back until step 5 was taken."""
    passed = threading.Event()
    write = shards._Writer.write_data

    def held(self: Any, *args: Any) -> Any:
        assert self.step != 3 or passed.wait(WAIT)
        return write(self, *args)

    monkeypatch.setattr(shards._Writer, "write_data", held)

    def child() -> None:
        after_step(5, passed.set)
        go("run", "steps=6", "save_every=3", "log_every=100", FSDP)

    assert ranks(2, child) == [0, 0]


def test_a_stop_waits_until_its_checkpoint_is_whole(stopped, left, monkeypatch):
    write = shards._Writer.write_data

    def slow(self: Any, *args: Any) -> Any:
        time.sleep(0.5)
        return write(self, *args)

    monkeypatch.setattr(shards._Writer, "write_data", slow)
    monkeypatch.setattr("runs._processes.stop.OFTEN", 1)
    assert stopped(2, 3, of=RUN) == [143, 143]
    run = left(Path("parts"))
    assert run.state()["step"] == 3
    assert run.log.endswith("  to go on from the last checkpoint: python train.py --from parts\n")


def test_what_is_saved_is_what_was_there_when_it_was_asked_for(ranks, go, left, monkeypatch, differences, after_step):
    """However late it is written."""
    passed = threading.Event()
    write = shards._Writer.write_data

    def held(self: Any, *args: Any) -> Any:
        assert self.step != 3 or passed.wait(WAIT)
        return write(self, *args)

    words = ("steps=5", "save_every=3", "log_every=100", "callbacks=[ema,checkpoint]", FSDP)
    monkeypatch.setattr(_checkpoint, "prune", lambda folder: None)

    def child() -> None:
        after_step(5, passed.set)
        go("late", *words)

    assert ranks(2, lambda: go("soon", *words)) == [0, 0]
    monkeypatch.setattr(shards._Writer, "write_data", held)
    assert ranks(2, child) == [0, 0]
    soon, late = (_checkpoint.load(Path(name) / "step-000003") for name in ("soon", "late"))
    assert soon["step"] == 3
    assert differences(soon, late) == []


def test_what_is_kept_has_a_name_of_its_own(together):
    run = together(2, "run", "epochs=4", FSDP, "callbacks=checkpoint", "callbacks.checkpoint.every=2")
    assert {each.name for each in run.folder.glob("step-*.pt")} == {"step-000018.pt", "step-000036.pt"}
    assert [run.state(f"step-{step:06d}.pt")["step"] for step in (18, 36)] == [18, 36]
    assert {each.name for each in run.folder.glob("step-*[0-9]")} >= {"step-000018", "step-000036"}


def test_a_step_that_is_saved_again_can_be_named(together, ranks, go, failed, capsys):
    together(2, "run", "steps=4", FSDP)
    Path("run/last.pt").unlink()  # a kill left best.pt alone, and the run begins anew
    assert ranks(2, lambda: go(source="run")) == [0, 0]
    assert [each.name for each in Path("run").glob("step-*")] == ["step-000004_2"]
    capsys.readouterr()
    go("", "mode=eval", source="run/step-000004_2")
    assert capsys.readouterr().out.endswith("of step-000004_2, at step 4\n")
    assert str(failed(lambda: go("", "mode=eval", source="run/log.txt"))) == (
        "--from run/log.txt: log.txt is not a checkpoint\n"
        "  choose from: best.pt, last.pt, step-000004_2\n"
        "  for the run itself: python train.py --from run"
    )


# --- reading


class _Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("evil",)


@pytest.fixture
def damaged(together, go, failed):
    """What a run says whose last checkpoint's file was changed."""

    def damaged(name: str, change: Any) -> str:
        together(2, "run", FSDP, "steps=4")
        path = next(Path("run/last.pt").glob(name))
        path.write_bytes(change(path.read_bytes()))
        said = str(failed(lambda: go("", "mode=eval", source="run")))
        assert said.startswith("run/best.pt cannot be read as a checkpoint\n  ")
        return said.partition("\n  ")[2]

    return damaged


def test_loading_one_runs_no_code(damaged):
    assert damaged(".metadata", lambda _: pickle.dumps(_Evil())) == (
        "UnpicklingError: posix.mkdir is nothing that metadata consist of"
    )
    assert not Path("evil").exists()


def test_loading_one_runs_no_code_that_it_holds_instead_of_a_tensor(damaged, here):
    """DCP unpickles what its metadata call bytes."""

    def bytes_instead(whole: bytes) -> bytes:
        found = pickle.loads(whole)
        found.state_dict_metadata = {name: metadata.BytesStorageMetadata() for name in found.state_dict_metadata}
        return pickle.dumps(found)

    assert damaged(".metadata", bytes_instead) == (
        "UnpicklingError: torch.distributed.checkpoint.metadata.BytesStorageMetadata "
        "is nothing that metadata consist of"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [(".metadata", "EOFError"), ("__1_0.distcp", "EOFError"), ("rest.pt", "EOFError")],
)
def test_one_that_is_damaged_is_told(name, why, damaged):
    assert damaged(name, lambda _: b"").startswith(why)


def test_a_state_comes_apart_and_together():
    state = {"step": 3, "module": {"a": torch.ones(2)}, "others": [{"random": torch.zeros(1)}], "scaler": {}}
    parts, rest = divided.take_apart(state)
    assert parts == {}
    assert rest.pop("divided") == {}
    assert rest == state


def test_what_another_process_left_half_written_is_removed_and_nothing_else(here):
    kept = ["step-000002", "step-000007", "step-notes", "step-1"]
    for name in (*kept, "step-000001", "step-000003_2", ".step-000009.partial"):
        (here / name).mkdir()
        (here / name / "file").touch()
    (here / "last.pt").symlink_to("step-000007")
    (here / "step-000002.pt").symlink_to("step-000002")
    (here / ".last.pt.77").symlink_to("step-000001")
    _checkpoint.clean(here)
    assert sorted(each.name for each in here.iterdir()) == sorted([*kept, "last.pt", "step-000002.pt"])
