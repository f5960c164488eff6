"""LocalQueue: a batch is one process, known by its lock for as long as it lives."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cn import RunError, UserError
from cn.launching.local_queue import LocalQueue
from cn.launching.queue import Job, Jobs
from cn.sweeping.folder.store import Store
from runs.launch.local import Local
from tests.sweeps.cluster import PATIENCE

ROOT = Path(__file__).parents[2]

# writes THEN when it starts; then sleeps, or forks a child that outlives it, until it is told to end
JOB = """
import dataclasses, json, os, signal, sys, time
from pathlib import Path
from runs.launch.local import Local

then = sys.argv[1]
here = Local(parallel=3).build().here()

def end(*_):
    Path(f"{then}.end").write_text(Local().build().why())
    os._exit(0)

signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
if then == "forks" and os.fork() == 0:
    time.sleep(600)
facts = {**dataclasses.asdict(here), "environ": dict(os.environ), "session": os.getsid(0), "input": sys.stdin.read()}
part = Path(f"{then}.part")
part.write_text(json.dumps(facts))
print("out", flush=True)
print("error", file=sys.stderr, flush=True)
part.rename(then)
if then != "ends":
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where jobs run; none of them is left there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.py").write_text(JOB)
    yield tmp_path
    for job in listed():
        with suppress(ProcessLookupError):  # over since
            os.killpg(int(job.number), signal.SIGKILL)


def queue(parallel: int = 1) -> LocalQueue:
    return Local(parallel=parallel).build()


def submit(then: str, *after: str) -> str:
    folder = Path("jobs", then).absolute()
    environment = {"PYTHONPATH": str(ROOT), "ASKED": "it's $HOME"}
    return queue().submit(Jobs("sweep", f"label {then}", ("job.py", then), environment, 7, folder, after=after))


def listed() -> list[Job]:
    return queue().jobs("sweep", Path("jobs"))


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def told(name: str) -> Any:
    until(Path(name).exists)
    return json.loads(Path(name).read_text())


def test_a_batch_is_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    number = submit("stays")
    seen = told("stays")
    assert (seen["index"], seen["number"], seen["restarts"]) == (None, number, 0)
    assert seen["session"] == int(number)  # so that the end of a terminal is not its own
    assert seen["input"] == ""
    assert (seen["environ"]["INHERITED"], seen["environ"]["ASKED"]) == ("yes", "it's $HOME")
    assert Path("jobs/stays/0.out").read_text() == "out\nerror\n"
    assert sorted(path.name for path in Path("jobs/stays").iterdir()) == ["0.out", "lock"]
    assert listed() == [Job("label stays", None, number, "running")]


def test_a_file_system_without_locks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RunError) as error:
        submit("stays")
    lock = Path("jobs/stays/lock").absolute()
    assert str(error.value) == (
        f"{lock} cannot be locked, so nothing would say whether its process lives: Function not implemented\n"
        "  go to a folder on another file system"
    )
    assert listed() == []
    with pytest.raises(RunError) as error, Store(Path("sweep")).locked():
        pass
    assert str(error.value) == (
        "sweep cannot be locked, so two processes could submit to it: Function not implemented\n"
        "  choose a folder on another file system: folder=PATH"
    )


def test_a_batch_that_is_over_is_not_listed() -> None:
    submit("ends")
    until(lambda: not listed())
    assert told("ends")


@pytest.mark.slow
def test_a_batch_lives_when_the_process_that_submitted_it_is_killed() -> None:
    words = ("job.py", "stays")
    code = f"""
import os, sys
from pathlib import Path
from cn.launching.queue import Jobs
from runs.launch.local import Local
from tests.sweeps.cluster import PATIENCE
Local().build().submit(Jobs("sweep", "label", {words}, {{}}, 1, Path("jobs/a")))
os.kill(os.getpid(), 9)
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == -signal.SIGKILL
    number = told("stays")["number"]
    assert listed() == [Job("label", None, number, "running")]


@pytest.mark.slow
def test_a_batch_in_the_foreground_is_listed_and_asked_to_end_as_any_other() -> None:
    code = """
from pathlib import Path
from cn.launching.queue import Jobs
from runs.launch.local import Local
from tests.sweeps.cluster import PATIENCE
print(Local().build().run(Jobs("sweep", "label", ("job.py", "stays"), {}, 1, Path("jobs/a"))))
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for how in ("cancel", "SIGTERM", "SIGINT", "SIGINT to all"):
        with subprocess.Popen(
            [sys.executable, "-c", code],
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            number = told("stays")["number"]
            assert listed() == [Job("label", None, number, "running")]
            if how == "cancel":
                queue().cancel("sweep", Path("jobs"))
            elif how == "SIGTERM":
                process.terminate()  # is passed on
            else:
                (os.killpg if how == "SIGINT to all" else os.kill)(process.pid, signal.SIGINT)
            assert process.communicate()[0] == "out\n0\n"
        assert Path("stays.end").read_text() == "cancelled"
        Path("stays").unlink()


@pytest.mark.parametrize(("own", "threads"), [("", str(max(1, len(os.sched_getaffinity(0)) // 2))), ("7", "7")])
def test_trials_at_once_share_the_cores(own: str, threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if own:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    queue(2).submit(Jobs("sweep", "label", ("job.py", "ends"), {"PYTHONPATH": str(ROOT)}, 1, Path("jobs/a")))
    assert told("ends")["environ"]["OMP_NUM_THREADS"] == threads


@pytest.mark.slow
def test_a_killed_batch_is_over_once_nothing_that_it_started_is_left() -> None:
    number = submit("stays")
    told("stays")
    os.kill(int(number), signal.SIGKILL)
    until(lambda: not listed())
    number = submit("forks")
    told("forks")
    os.kill(int(number), signal.SIGKILL)
    time.sleep(0.2)
    assert listed() == [Job("label forks", None, number, "running")]
    queue().cancel("sweep", Path("jobs"))
    os.killpg(int(number), signal.SIGKILL)
    until(lambda: not listed())


@pytest.mark.slow
def test_a_batch_waits_for_others_and_keeps_its_number() -> None:
    first, second = submit("first"), submit("second")
    number = submit("third", first, second, "999999")
    told("first")
    told("second")
    assert listed() == [
        Job("label first", None, first, "running"),
        Job("label second", None, second, "running"),
        Job("label third", None, number, "pending", "Dependency"),
    ]
    os.kill(int(first), signal.SIGTERM)
    until(lambda: len(listed()) == 2)
    time.sleep(0.2)
    assert not Path("third").exists()
    os.kill(int(second), signal.SIGTERM)
    assert told("third")["number"] == number
    assert listed() == [Job("label third", None, number, "running")]
    assert submit("ends", first)  # that is long over


def test_batches_are_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    first = submit("first")
    submit("second", first)
    told("first")
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "elsewhere")
        with pytest.raises(RunError, match=r"label first runs on .*\n  cancel it there"):
            queue().cancel("sweep", Path("jobs"))
    queue().cancel("sweep", Path("jobs"))
    until(lambda: not listed())
    assert Path("first.end").read_text() == "cancelled"
    assert not Path("second").exists()
    assert queue().ended([f"{first}_0"]) == {}


@pytest.mark.parametrize(
    ("visible", "places"),
    [
        ("0,2", ["0", "2", "0"]),
        ("GPU-5ebe9a, GPU-1f", ["GPU-5ebe9a", "GPU-1f", "GPU-5ebe9a"]),
        ("3,-1,4", ["3", "3", "3"]),
        ("", None),
        ("-1", None),
    ],
)
def test_trials_have_gpus_in_turn(visible: str, places: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    wanted = [{}] * 3 if places is None else [{"CUDA_VISIBLE_DEVICES": place} for place in places]
    assert queue(3).here().environments == wanted


@pytest.mark.parametrize(
    ("visible", "places"),
    [("0,1,2", ["0,1", "0,1", "0,1"]), ("0,1,2,3,4", ["0,1", "2,3", "0,1"]), ("4", ["4", "4", "4"])],
)
def test_trials_of_two_processes_have_two_gpus_each(
    visible: str, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    wanted = [{"CUDA_VISIBLE_DEVICES": place} for place in places]
    assert Local(parallel=3, processes=2).build().here().environments == wanted


def test_without_the_variable_all_gpus_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    count = len([name for name in os.listdir("/dev") if name.startswith("nvidia") and name[6:].isdigit()])
    wanted = [{"CUDA_VISIBLE_DEVICES": str(place)} for place in range(count)] if count else [{}]
    assert queue(max(1, count)).here().environments == wanted


def test_none_at_once_is_refused() -> None:
    with pytest.raises(UserError, match=r"^Local\.parallel is int >= 1, not 0\n"):
        Local(parallel=0)
