"""`main(function)` gives each run of any project a folder that tells how it was asked for and how it ended."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cn import CN, Job, RunError, load
from cn.run_folder.folder import write_json
from cn.run_folder.recorded import Recorded, numbers
from cn.run_folder.terminated import Terminable, TerminatedError
from tests.cn.conftest import REPOSITORY, python, start

PROGRAM = python(
    "import os, resource, signal, sys, time",
    "from cn import CN, Job, RunError, main",
    "class Go(CN):",
    "    seed: int = 1",
    "    how: str = ''",
    "    folder: str = 'mine'  # of something else: _where_ does not name it",
    "def go(run: Go, job: Job):",
    "    print('seed', run.seed, job.folder)",
    "    print('a warning é', file=sys.stderr)",
    "    if run.how == 'defect': raise ValueError('a bug')",
    "    if run.how == 'refused': raise RunError('too few\\n  see: the log')",
    "    if run.how == 'exit': sys.exit(3)",
    "    if run.how == 'wait': open('waits', 'w').close(); time.sleep(3600)",
    "    if run.how == 'tidy':",
    "        try: open('waits', 'w').close(); time.sleep(3600)",
    "        finally: print('tidying', flush=True); time.sleep(1); print('tidied')",
    "    if run.how == 'own':",
    "        signal.signal(signal.SIGTERM, lambda *_: print('of my own'))",
    "        signal.raise_signal(signal.SIGTERM)",
    "    if run.how == 'fork':",
    "        ready, tell = os.pipe()",
    "        if not (child := os.fork()): os.write(tell, b'.'); time.sleep(60); os._exit(0)",
    "        os.read(ready, 1)  # before that, Python drops signals of the new process",
    "        os.kill(child, signal.SIGTERM)",
    "        return os.waitpid(child, 0)[1]",
    "    if run.how == 'dict': return {'error': 0.25, 'count': 3, 'note': 'text'}",
    "    if run.how == 'taken': return {'state': 1.0}",
    "    if run.how == 'none': return None",
    "    if run.how == 'moved': os.rename(job.folder, 'elsewhere')",
    "    if run.how == 'moved and failed': os.rename(job.folder, 'elsewhere'); raise ValueError('a bug')",
    "    if run.how.startswith('full'):",
    "        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1))  # as a full disk; summary.json has less",
    "        print('x' * 2000, end='' if run.how == 'full, no line' else '\\n')",
    "    return run.seed / 2",
    "if __name__ == '__main__':",
    "    main(go)",
)


@pytest.fixture
def go(tmp_path: Path) -> Any:
    """`go("seed=2")`: the finished process, and the folder of its run."""
    (tmp_path / "go.py").write_text(PROGRAM)

    def go(*words: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        done = start(tmp_path, "go.py", *words, path=REPOSITORY)
        found = sorted((tmp_path / "outputs").rglob("config.json"), key=lambda each: each.stat().st_mtime_ns)
        return done, found[-1].parent

    return go


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text())


def test_a_run_leaves_config_command_log_and_summary(go: Any, tmp_path: Path) -> None:
    done, folder = go("seed=3")
    near = folder.relative_to(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"seed 3 {near}\n", "a warning é\n")
    assert near.parts[0] == "outputs"
    assert near.name.endswith("_seed=3")
    names = [".lock", "command.txt", "config.json", "log.txt", "summary.json"]
    assert sorted(each.name for each in folder.iterdir()) == names
    assert (folder / "command.txt").read_text() == "python go.py seed=3\n"
    assert (folder / "log.txt").read_text(encoding="utf-8") == f"seed 3 {near}\na warning é\n"
    assert json.loads((folder / "config.json").read_text())["seed"] == 3
    told = summary(folder)
    assert told.pop("started") <= told.pop("ended")
    assert told.pop("seconds") >= 0
    assert told == {"state": "finished", "command": "python go.py seed=3", "goal": "score", "score": 1.5}
    assert not (tmp_path / "mine").exists()


ENDS = {
    "defect": (1, "failed", "ValueError: a bug"),
    "refused": (1, "failed", "too few"),
    "exit": (3, "failed", "it ended with exit status 3"),
    "taken": (1, "failed", "the function returned 'state', which is a name that summary.json needs for something else"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_run_that_fails_says_why(how: str, go: Any) -> None:
    status, state, reason = ENDS[how]
    done, folder = go(f"how={how}")
    told = summary(folder)
    assert (done.returncode, told["state"], told["reason"]) == (status, state, reason)
    assert "ended" in told
    log = (folder / "log.txt").read_text()
    assert log.startswith("seed 1 ")
    assert reason in log
    assert ("Traceback" in log) is (how == "defect")
    assert ("Traceback" in done.stderr) is (how == "defect")


@pytest.mark.parametrize("how", ["full", "full, no line"])
def test_a_log_that_cannot_be_written_costs_no_result(how: str, go: Any) -> None:
    done, folder = go(f"how='{how}'")
    assert (done.returncode, summary(folder)["state"], summary(folder)["score"]) == (0, "finished", 0.5)
    assert "log.txt cannot be written: [Errno 27] File too large\n" in done.stdout + done.stderr


def test_the_result_of_a_run_whose_folder_is_gone_is_told(go: Any, tmp_path: Path) -> None:
    done = start(tmp_path, "go.py", "how=moved", "hydra.run.dir=out", path=REPOSITORY)
    assert done.returncode == 1
    assert "/out: No such file or directory\n  the function has returned score=0.5\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_told_though_the_folder_is_gone(go: Any, tmp_path: Path) -> None:
    done = start(tmp_path, "go.py", "how='moved and failed'", path=REPOSITORY)
    assert done.returncode == 1
    assert "summary.json cannot be written: " in done.stderr
    assert done.stderr.endswith("ValueError: a bug\n")
    assert "During handling" not in done.stderr


ASKED = {
    signal.SIGINT: "stopped by Ctrl-C",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped by SIGHUP",
}


def begun(tmp_path: Path, how: str) -> tuple[subprocess.Popen[str], Path]:
    """A process that waits in the function, and the run's folder."""
    process = subprocess.Popen(
        [sys.executable, "-u", "go.py", f"how={how}"],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    while not (tmp_path / "waits").exists():
        assert process.poll() is None
        time.sleep(0.01)
    (folder,) = (tmp_path / "outputs").iterdir()
    assert summary(folder)["state"] == "running"
    return process, folder


def ended(process: subprocess.Popen[str]) -> int:
    status = process.wait(timeout=600)
    assert process.stdout is not None
    process.stdout.close()
    return status


@pytest.mark.parametrize("number", ASKED, ids=lambda number: number.name)
def test_a_signal_leaves_a_whole_summary(number: signal.Signals, go: Any, tmp_path: Path) -> None:
    process, folder = begun(tmp_path, "wait")
    process.send_signal(number)
    assert ended(process) == 128 + number
    told = summary(folder)
    assert (told["state"], told["reason"]) == ("interrupted", ASKED[number])
    assert told["ended"] >= told["started"]
    assert (folder / "log.txt").read_text().splitlines()[-1] == ASKED[number]


def test_a_second_sigterm_does_not_disturb_the_end_of_a_run(go: Any, tmp_path: Path) -> None:
    process, folder = begun(tmp_path, "tidy")
    process.send_signal(signal.SIGTERM)
    while "tidying" not in (folder / "log.txt").read_text():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 143
    assert (summary(folder)["state"], summary(folder)["reason"]) == ("interrupted", "stopped by SIGTERM")
    assert "tidied" in (folder / "log.txt").read_text()


def test_sigterm_of_a_forked_process_is_not_the_run_s(go: Any) -> None:
    done, folder = go("how=fork")
    assert (done.returncode, summary(folder)["state"], summary(folder)["score"]) == (0, "finished", 15)


def test_sigterm_keeps_a_handler_of_the_program(go: Any) -> None:
    done, folder = go("how=own")
    assert (done.returncode, summary(folder)["state"]) == (0, "finished")
    assert "of my own" in done.stdout


@pytest.mark.parametrize("before", [True, False])
def test_sigterm_outside_of_the_function_ends_the_process_too(before: bool) -> None:
    """It came before the function, or while the result was written."""
    reached: list[str] = []

    def run() -> None:
        with Terminable() as terminable:
            if before:
                signal.raise_signal(signal.SIGTERM)
            with terminable.raising():
                reached.append("function")
            if not before:
                signal.raise_signal(signal.SIGTERM)
            reached.append("recorded")

    with pytest.raises(TerminatedError) as ended:
        run()
    assert (ended.value.code, reached) == (143, [] if before else ["function", "recorded"])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_numbers_by_name_stand_in_the_summary(go: Any) -> None:
    _, folder = go("how=dict")
    told = summary(folder)
    assert (told["error"], told["count"], told["goal"]) == (0.25, 3, "error")
    assert "note" not in told
    assert "score" not in told
    _, folder = go("how=none")
    assert summary(folder)["state"] == "finished"
    assert "score" not in summary(folder)


def test_a_combination_of_m_has_its_folder_in_that_of_all(go: Any, tmp_path: Path) -> None:
    done, _ = go("-m", "seed=1,2")
    assert done.returncode == 0
    (group,) = (tmp_path / "outputs").iterdir()
    assert sorted(each.name for each in group.iterdir()) == ["seed=1", "seed=2"]
    assert [summary(group / name)["score"] for name in ("seed=1", "seed=2")] == [0.5, 1.0]
    assert (group / "seed=2/command.txt").read_text() == "python go.py seed=2\n"


def test_a_run_is_repeated_with_changes_in_a_folder_of_its_own(go: Any, tmp_path: Path) -> None:
    _, first = go("seed=3", "how=dict")
    done, second = go("--from", str(first.relative_to(tmp_path)), "seed=4")
    assert done.stdout == f"seed 4 {second.relative_to(tmp_path)}\n"
    assert second != first
    told = summary(second)
    assert (told["error"], told["source"]) == (0.25, str(first.relative_to(tmp_path)))


def test_hydra_decides_where_a_run_is_kept(go: Any, tmp_path: Path) -> None:
    done = start(tmp_path, "go.py", "seed=3", "hydra.run.dir=here", path=REPOSITORY)
    assert (done.returncode, done.stdout) == (0, f"seed 3 {tmp_path}/here\n")
    assert summary(tmp_path / "here")["score"] == 1.5
    assert not (tmp_path / "outputs").exists()
    done = start(tmp_path, "go.py", "seed=3", "hydra.run.dir=here", path=REPOSITORY)
    assert (done.returncode, done.stderr) == (
        2,
        "Error executing job with overrides: ['seed=3']\n"  # which Hydra says
        "hydra.run.dir=here: a run is there already\n"
        "  to run it again: python go.py --from here\n  for a new run: another folder\n",
    )


class Whole(CN):
    seed: int = 1


def half(run: Whole, job: Job) -> float:
    return run.seed / 2


def test_a_function_keeps_its_name_and_can_be_sent_to_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sent = pickle.loads(pickle.dumps(Recorded(half)))
    assert (sent.__name__, sent.__wrapped__) == ("half", half)
    assert sent(Whole(seed=3), Job(overrides=("seed=3",))) == 1.5
    (folder,) = Path("outputs").iterdir()
    assert load(folder) == Whole(seed=3)


def test_a_launcher_is_given_a_function_that_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cn import main

    monkeypatch.chdir(tmp_path)
    main(half, ["seed=3"], launcher=lambda function, asked: [function(each.run, each.job) for each in asked] and None)
    (folder,) = Path("outputs").iterdir()
    assert load(folder) == Whole(seed=3)


def test_a_number_of_any_kind_is_a_score() -> None:
    class Scalar:
        def __float__(self) -> float:
            return 0.5

    assert numbers(3) == {"score": 3}
    assert numbers(Scalar()) == {"score": 0.5}
    assert numbers("3") == numbers(True) == numbers([1.0]) == numbers(None) == {}
    assert numbers({"a": Scalar(), "b": "text"}) == {"a": 0.5}
    with pytest.raises(RunError, match=r"^the function returned 'ended'"):
        numbers({"ended": 1})


def test_a_summary_outlives_a_power_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new name of a file is on the disk once its folder is synced."""
    did: list[str] = []
    replace, fsync = os.replace, os.fsync

    def renamed(*paths: Any) -> None:
        did.append("renamed")
        replace(*paths)

    def synced(handle: int) -> None:
        did.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    write_json(tmp_path / "summary.json", {"state": "finished"})
    assert did[1:] == ["renamed", str(tmp_path)]
