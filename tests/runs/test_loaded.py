"""Runs whose examples are made by worker processes: the same bits, stopped or not, and a clear end where one fails."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data import Data, Dataset, Loaded
from data.folder import Folder
from models.fcn import Fcn
from models.mlp import Mlp
from runs import _train
from runs._training.evaluate import evaluate
from runs._training.order import order
from runs.default import Default
from tests.data.pictures import COLOURS, empty, text, truncated, write
from tests.runs.conftest import WAIT, held_at, rank, wait_for

TRAIN, BATCH = 50, 8  # 6 steps an epoch
ON = "\n  to go on from the last checkpoint: python train.py --from run"
LEAVE = "\n  to leave out what cannot be read: data.on_damaged=skip"
NONE = "\n  the run is in run, which has no checkpoint yet"


class Noted:
    """Draws each example from all three global generators, and notes its index in a file."""

    def __init__(self, part: str, count: int) -> None:
        self.part, self.count = part, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> tuple[torch.Tensor, int]:
        file = os.open(f"{self.part}.read", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{index}\n".encode())
        os.close(file)
        drawn = torch.rand(1, 2, 2) + random.random() + float(np.random.rand())
        return drawn + index % 2, index % 2


class NotedData(Data):
    """Its reads are in *.read of the current folder."""

    batch_size: int = BATCH  # examples
    workers: int = 2  # processes

    _holds = ("images", "classes")

    def build(self, *, seed: int) -> Dataset:
        counts = {"train": TRAIN, "validation": 9, "test": 9}
        parts = [Loaded(Noted(name, each), seed=seed, workers=self.workers) for name, each in counts.items()]
        return Dataset(*parts, inputs=(1, 2, 2), classes=("even", "odd"))


def noted(workers: int = 2, **more: Any) -> Default:
    model = Fcn(hidden_dim=8, dropout=0.3)  # whose random numbers are the main process's
    return Default(**{"model": model, "data": NotedData(workers=workers), "epochs": 2, "log_every": 4, **more})


def pictured(root: Path, workers: int = 1, on_damaged: Any = "stop", **more: Any) -> Default:
    data = Folder(root=root, size=8, batch_size=BATCH, workers=workers, on_damaged=on_damaged)
    return Default(**{"model": Mlp(hidden_sizes=(8,)), "data": data, "epochs": 2, "log_every": 4, **more})


def read(part: str = "train") -> list[int]:
    """What was read since the last time, sorted."""
    path = Path(f"{part}.read")
    found = sorted(map(int, path.read_text().split())) if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def wanted(first: int, last: int, per_epoch: int = 6, batch: int = BATCH) -> list[int]:
    """The indices of the training steps after `first`, up to `last`, sorted."""
    found: list[int] = []
    for step in range(first, last):
        epoch, place = divmod(step, per_epoch)
        found += order(1, epoch, TRAIN).split(batch)[place].tolist()
    return sorted(found)


@pytest.fixture
def root(here: Path) -> Path:
    return write(Path("root"), train=TRAIN, validation=12, test=10)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def name(root: Path, place: int, epoch: int = 0) -> Path:
    """The file that training takes at this place of an epoch."""
    examples: Any = Folder(root=root, size=8, workers=0).build(seed=1).train.examples
    return Path(examples.name(int(order(1, epoch, TRAIN)[place])))


# --- the same bits


@pytest.mark.parametrize("kind", ["noted", "pictured"])
def test_a_run_is_the_same_with_any_number_of_workers(kind, root, go, differences):
    runs = [go(f"run{each}", of=noted(each) if kind == "noted" else pictured(root, each)) for each in (0, 1, 3)]
    for other in runs[1:]:
        assert differences(runs[0].state(), other.state()) == []
        assert differences(runs[0].metrics, other.metrics) == []


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("step", [1, 2])
def test_a_stopped_run_goes_on_to_the_same_bits_and_reads_only_the_rest(
    accumulate, step, go, after_step, failed, differences
):
    run = noted(accumulate=accumulate)
    whole, steps = go("whole", of=run), 12 // accumulate
    assert read() == wanted(0, 12)
    after_step(step, lambda: signal.raise_signal(signal.SIGINT))
    assert str(failed(lambda: go("run", of=run))) == f"stopped by Ctrl-C after step {step} of {steps}{ON}"
    assert multiprocessing.active_children() == []
    read()
    resumed = go(source="run")
    assert read() == wanted(step * accumulate, 12)
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


@pytest.mark.parametrize(("accumulate", "step"), [(1, 3), (1, 8), (2, 4)])
def test_a_killed_run_goes_on_from_its_checkpoint(accumulate, step, go, after_step, forked, die, differences):
    run = noted(accumulate=accumulate, save_every=2)
    whole = go("whole", of=run)

    def begin() -> None:
        after_step(step, die)
        go("run", of=run)

    assert forked(begin) == -signal.SIGKILL
    wait_for(_is_free)  # its workers die a moment after it
    read()
    resumed = go(source="run")
    saved = {3: 2, 8: 6, 4: 3}[step]  # the step of its last checkpoint
    assert read() == wanted(saved * accumulate, 12)
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


def _is_free() -> bool:
    """Whether no process holds the run's folder."""
    with Path("run", ".lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _reading(folder: Path) -> list[int]:
    """Other processes that are in this folder."""
    found: list[int] = []
    for each in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if each.readlink() == folder and int(each.parent.name) != os.getpid():
                found.append(int(each.parent.name))
        except OSError:
            continue
    return found


def test_two_processes_read_together_what_one_reads(together, go):
    go("one", of=noted())
    one = {part: read(part) for part in ("train", "validation", "test")}
    two = together(2, "two", of=noted())
    assert read("train") == one["train"] == wanted(0, 12)
    assert two.summary["processes"] == 2
    # each tries out 8 validation examples before the first step, and fills up its last batch
    extra = Counter(read("validation")) - Counter(one["validation"])
    assert extra == Counter(range(8))
    assert read("test") == one["test"]


def test_two_processes_go_on_to_the_same_bits(stopped_after_each_step, differences):
    whole, parts = stopped_after_each_step(noted(workers=1, steps=4))
    assert differences(whole.state(), parts.state()) == []
    assert differences(whole.metrics, parts.metrics) == []


# --- files that cannot be read

DAMAGES = {
    "truncated": (truncated, "image file is truncated (N bytes not processed)"),
    "empty": (empty, "cannot identify image file '{path}'"),
    "text": (text, "cannot identify image file '{path}'"),
}


@pytest.mark.parametrize(
    ("place", "damage", "accumulate"),
    [(0, "text", 1), (20, "truncated", 1), (21, "empty", 2), (TRAIN - 3, "text", 1), (TRAIN - 3, "truncated", 2)],
)
def test_a_damaged_file_is_named_and_the_step_before_is_kept(
    place, damage, accumulate, root, go, left, failed, differences
):
    whole = go("whole", of=pictured(root, accumulate=accumulate))
    path, (spoil, why) = name(root, place), DAMAGES[damage]
    content = path.read_bytes()
    spoil(path)
    error = failed(lambda: go("run", of=pictured(root, accumulate=accumulate)))
    assert multiprocessing.active_children() == []
    step = place // BATCH // accumulate
    assert error.status == 1
    seen = re.sub(r"\(\d+ bytes", "(N bytes", str(error))
    assert seen == f"{path}: {why.format(path=path)}{LEAVE}{ON if step else NONE}"
    assert left(Path("run")).summary["reason"] == str(error).partition("\n")[0]
    path.write_bytes(content)
    if step:
        assert left(Path("run")).state()["step"] == step
        resumed = go(source="run")
        assert differences(whole.state(), resumed.state()) == []
        assert differences(whole.metrics, resumed.metrics) == []


def test_a_file_that_vanishes_while_it_trains(root, go, left, failed, after_step):
    path = name(root, 47, epoch=1)
    after_step(6, path.unlink)
    error = failed(lambda: go("run", of=pictured(root)))
    assert str(error) == f"{path}: [Errno 2] No such file or directory: '{path}'{LEAVE}{ON}"
    assert left(Path("run")).state()["step"] == 11


@pytest.mark.parametrize("number", [0, 11])
def test_a_damaged_file_of_the_validation_part(number, root, go, failed):
    """One of the first 8 is found before the first step, another one by the first validation."""
    path = root / "validation" / ("dog" if number % 2 else "cat") / f"{number:03d}.jpg"
    empty(path)
    error = failed(lambda: go("run", of=pictured(root)))
    assert str(error) == f"{path}: cannot identify image file '{path}'{LEAVE}{NONE}"


def test_a_damaged_file_of_two_processes_ends_both(ranks, root, go, left, capfd):
    path = name(root, 20 + 1)
    empty(path)
    assert ranks(2, lambda: go("run", of=pictured(root))) == [1, 1]
    said = f"rank 1 failed: {path}: cannot identify image file '{path}'"
    assert left(Path("run")).summary["reason"] == said
    assert "Traceback" not in capfd.readouterr().err


# --- files that are left out


def spoiled(root: Path) -> dict[str, str]:
    """Some of each part; what the summary says of them."""
    paths = [name(root, 3), name(root, 30), root / "validation" / "cat" / "000.jpg", root / "test" / "dog" / "003.jpg"]
    for each in paths:
        empty(each)
    return {str(each): f"cannot identify image file '{each}'" for each in sorted(paths)}


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_left_out_is_told_at_the_end(count, root, together, go):
    found = spoiled(root)
    run = pictured(root, on_damaged="skip")
    run = together(2, "run", of=run) if count == 2 else go("run", of=run)
    assert run.summary["skipped"] == {"count": 4, "examples": found}
    three = ", ".join(f"{each} ({why})" for each, why in list(found.items())[:3])
    assert f"left out 4 images that cannot be read: {three}, and 1 more" in run.log.splitlines()
    assert run.summary["state"] == "finished"


def test_one_that_is_left_out_is_told_and_none_says_nothing(root, go):
    path = root / "test" / "dog" / "003.jpg"
    whole = go("whole", of=pictured(root, on_damaged="skip"))
    assert "left out" not in whole.log
    assert "skipped" not in whole.summary
    empty(path)
    said = f"left out 1 image that cannot be read: {path} (cannot identify image file '{path}')"
    assert said in go("run", of=pictured(root, on_damaged="skip")).log.splitlines()


def test_the_summary_names_twenty(root, go):
    for each in root.glob("train/cat/*"):
        text(each)
    skipped = go("run", of=pictured(root, on_damaged="skip")).summary["skipped"]
    assert (skipped["count"], len(skipped["examples"])) == (25, 20)


@pytest.mark.parametrize("size", [1, 3, 500])
@pytest.mark.parametrize("count", [1, 2])
def test_metrics_are_those_over_the_others(size, count, root, ranks):
    write(Path("less"), train=TRAIN, validation=12, test=10)
    for number in (0, 5, 11):
        path = Path("validation") / ("dog" if number % 2 else "cat") / f"{number:03d}.jpg"
        empty(root / path)
        ("less" / path).unlink()

    def found(of: Path) -> dict[str, float]:
        from runs._processes.rendezvous import joined

        run = pictured(of, on_damaged="skip", validate_batch=size)
        with joined(cuda=False) as own:
            training = _train.build(run, Path("run"), print, own)
            return evaluate(training, training.dataset.validation)

    def save(of: Path) -> None:
        Path(f"{of}{rank()}.json").write_text(json.dumps(found(of)))

    if count == 1:
        assert found(root) == pytest.approx(found(Path("less")), rel=1e-6)
        return
    assert ranks(2, lambda: save(root)) == [0, 0]
    both = [json.loads(Path(f"{root}{each}.json").read_text()) for each in (0, 1)]
    assert both[0] == both[1] == pytest.approx(found(Path("less")), rel=1e-6)


# --- processes that are killed or asked to stop


def test_a_worker_that_is_killed_ends_the_run_which_goes_on(go, left, after_step, failed, differences):
    run = noted(epochs=6)
    whole = go("whole", of=run)
    killed: list[int] = []

    def kill() -> None:
        killed.append(multiprocessing.active_children()[0].pid or 0)
        os.kill(killed[0], signal.SIGKILL)

    after_step(8, kill)
    error = failed(lambda: go("run", of=run))
    said = "a process that makes examples has died, as where memory or room in /dev/shm is short"
    how = f"process {killed[0]} was ended by SIGKILL"
    assert str(error) == f"{said}\n  {how}\n  fewer processes: data.workers=1{ON}"
    assert error.status == 1
    assert multiprocessing.active_children() == []
    assert left(Path("run")).state()["step"] >= 8
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert differences(whole.metrics, resumed.metrics) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said", "status"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)], ids=str
)
def test_a_signal_to_all_processes_saves_and_leaves_none(number, said, status, root, left):
    words = ("model=mlp", "data=folder", "data.root=root", "data.size=8", "data.workers=2", "data.batch_size=8")
    child = held_at(8, *words, "folder=run", start_new_session=True)
    assert len(_reading(Path.cwd())) >= 3
    os.killpg(child.pid, number)
    Path("sent").touch()
    _, err = child.communicate(timeout=WAIT)
    assert err == f"stopped by {said} after step 8 of 240{ON}\n"
    assert child.returncode == status
    assert left(Path("run")).state()["step"] == 8
    assert _reading(Path.cwd()) == []


def test_a_command_that_meets_a_damaged_file_ends_with_1_and_leaves_no_process(root, shell):
    path = name(root, 20)
    empty(path)
    words = ("model=mlp", "data=folder", f"data.root={root}", "data.size=8", "data.workers=2", "data.batch_size=8")
    said = shell(*words, "folder=run")
    assert said.err == f"{path}: cannot identify image file '{path}'{LEAVE}{ON}\n"
    assert said.status == 1
    assert _reading(Path.cwd()) == []


# --- what is shown


def test_predictions_show_the_colours_of_the_files(root, go):
    from PIL import Image

    from runs.callbacks.predictions import Predictions

    run = go("run", of=pictured(root, callbacks={"predictions": Predictions()}))
    with Image.open(next((run.folder / "predictions").iterdir())) as shown:
        pixels = np.asarray(shown.convert("RGB")).reshape(-1, 3).astype(int)
    for colour in (COLOURS["cat"], COLOURS["dog"]):
        assert (np.abs(pixels - colour).max(1) <= 20).sum() >= 100
