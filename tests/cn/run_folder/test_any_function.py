"""Functions and folders that are out of the ordinary: each run is recorded, and is listed with the others."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cn import CN, Job, RunError, UserError
from cn.cli.runs import runs
from cn.report.content import Entry, content
from cn.report.of_runs import of_runs
from cn.run_folder import recorded
from cn.run_folder.differences import texts
from cn.run_folder.folder import claimed, create
from cn.run_folder.folders import below, names
from cn.run_folder.recorded import Recorded
from cn.run_folder.watched import Watched


class Own(CN):
    """A run with a field for its folder, and no class that others know."""

    _where_ = ("folder",)

    seed: int = 1
    name: str = "a"
    folder: Path | None = None


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cn.program.script", "train.py")
    return tmp_path


def call(function: Callable[[Any, Job], Any], folder: str, **fields: Any) -> Any:
    return Recorded(function)(Own(folder=Path(folder), **fields), Job())


def told(folder: str) -> dict[str, Any]:
    return json.loads(Path(folder, "summary.json").read_text())


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert runs(list(words)) in (None, 0)
    return capsys.readouterr().out


def test_a_function_may_change_the_current_folder(here: Path) -> None:
    def move(run: Own, job: Job) -> float:
        assert job.folder is not None
        os.chdir(job.folder)
        print("moved")
        return 0.5

    assert (call(move, "outputs/a"), call(move, "outputs/b"), Path.cwd()) == (0.5, 0.5, here)
    assert [told(f"outputs/{name}")["score"] for name in "ab"] == [0.5, 0.5]
    assert Path("outputs/b/log.txt").read_text() == "moved\n"

    def fail(run: Own, job: Job) -> float:
        os.chdir("/")
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        call(fail, "outputs/c")
    assert (told("outputs/c")["state"], Path.cwd()) == ("failed", here)
    assert "ValueError: of its own" in Path("outputs/c/log.txt").read_text()


def test_what_keeps_a_stream_writes_to_the_log_of_the_run_that_it_is_in(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("tests.any_function")
    handlers: list[logging.Handler] = []

    def tell(run: Own, job: Job) -> None:
        if not handlers:
            handlers.append(logging.StreamHandler(sys.stderr))
            log.addHandler(handlers[0])
        log.warning("seed %s", run.seed)

    try:
        for seed in (1, 2):
            call(tell, f"outputs/{seed}", seed=seed)
        log.warning("no run")
    finally:
        log.removeHandler(handlers[0])
    assert [Path(f"outputs/{seed}/log.txt").read_text() for seed in (1, 2)] == ["seed 1\n", "seed 2\n"]
    assert capsys.readouterr().err == "seed 1\nseed 2\nno run\n"


def test_a_log_that_cannot_be_written_costs_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_: object) -> None:
        raise full

    class Full:
        name = "log.txt"
        write = close = refuse

    def talk(run: Own, job: Job) -> float:
        recorded.Both.files[-1] = Full()  # type: ignore[assignment]
        print("a line")
        print("another")
        if run.seed == 2:
            raise ValueError("the real reason")
        return 0.5

    assert call(talk, "outputs/a") == 0.5
    assert capsys.readouterr().out == f"a linelog.txt cannot be written: {full}\n\nanother\n"
    monkeypatch.setattr(recorded, "log", refuse)
    with pytest.raises(ValueError, match="the real reason"):
        call(talk, "outputs/b", seed=2)
    assert (told("outputs/b")["state"], told("outputs/b")["reason"]) == ("failed", "ValueError: the real reason")


@pytest.mark.slow
def test_of_two_processes_with_one_folder_one_makes_the_run(here: Path) -> None:
    start, ends = threading.Barrier(2), list[str]()

    def make(seed: int) -> None:
        start.wait()
        try:
            create(Own(seed=seed, folder=here / "same"), Job(overrides=(f"seed={seed}",)))
            ends.append(f"{seed}")
        except (UserError, RunError):
            ends.append("refused")

    for _ in range(30):
        ends.clear()
        threads = [threading.Thread(target=make, args=(seed,)) for seed in (11, 22)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        (made,) = (end for end in ends if end != "refused")
        assert json.loads((here / "same/config.json").read_text())["seed"] == int(made)
        assert f"seed={made}" in (here / "same/command.txt").read_text()
        for file in (here / "same").iterdir():
            file.unlink()


def test_a_lock_that_is_held_for_a_moment_is_waited_for(here: Path) -> None:
    held, tried = threading.Event(), threading.Event()

    def hold() -> None:
        with claimed(here):
            held.set()
            tried.wait(0.05)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    with claimed(here):
        pass
    holder.join()
    with claimed(here), pytest.raises(RunError, match="is being written to by another process"), claimed(here):
        pass


def test_a_run_cannot_hide_others(here: Path) -> None:
    call(lambda run, job: 1.0, "outputs/a")
    for folder in ("outputs", here / "outputs"):
        with pytest.raises(UserError) as caught:
            call(lambda run, job: 1.0, str(folder))
        assert str(caught.value) == (
            "folder=outputs: runs have folders in it, and no command would find them beside its own run\n"
            "  write: folder=outputs/NAME"
        )
    assert [each.folder.name for each in below(Path("outputs"))] == ["a"]


def test_metrics_may_be_called_like_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("time", "words", "error", "folder", "test accuracy"):
        call(lambda run, job, name=name: {name: 0.125}, f"outputs/{name.replace(' ', '_')}")
    lines = listed(capsys).splitlines()[2:]
    names = ("time", "words", "error", "folder", "test accuracy")
    assert [f"  {name} 0.1250  " in line for name, line in zip(names, lines, strict=True)] == [True] * 5
    assert [each["folder"] for each in json.loads(listed(capsys, "--json"))] == [
        f"outputs/{name}" for name in ("time", "words", "error", "folder", "test_accuracy")
    ]


def test_a_name_is_not_cut_to_that_of_a_folder_of_runs() -> None:
    one, several = Path("outputs/2026-11-30_15-10-26_seed=1"), Path("outputs/2026-11-30_15-10-26/seed=1")
    assert names([one, several]) == {one: str(one), several: str(several)}
    assert names([one]) == {one: "outputs/2026-11-30_15-10-26"}


def test_a_goal_may_have_spaces_in_its_name() -> None:
    assert str(Watched.said("test accuracy")) == "maximize test accuracy"
    assert str(Watched.said("minimize test error")) == "minimize test error"
    assert str(Watched.said("")) == "maximize validation/accuracy"


def test_a_run_that_failed_before_it_had_a_goal_is_in_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(run: Own, job: Job) -> dict[str, float]:
        if run.seed == 2:
            raise ValueError("a bug")
        return {"loss": 0.5 / run.seed}

    call(fail, "outputs/a")
    with pytest.raises(ValueError, match="a bug"):
        call(fail, "outputs/b", seed=2)
    found = of_runs([each.folder for each in below(Path("outputs"))])
    assert (found.goal, found.direction, found.counts) == ("loss", "minimize", {"finished": 1, "failed": 1})
    assert [each["command"] for each in found.entries] == [
        "python train.py --from outputs/a",
        "python train.py --from outputs/b",
    ]
    assert listed(capsys).splitlines()[0].split() == ["time", "state", "loss", "folder", "what,", "why"]
    if find_spec("plotly"):
        page = json.loads(listed(capsys, "report", "outputs", "outputs/a", "--json"))
        assert page["counts"] == found.counts


def test_runs_without_any_result_have_no_empty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(run: Own, job: Job) -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        call(fail, "outputs/a")
    assert listed(capsys).splitlines()[0].split() == ["time", "state", "folder", "what,", "why"]


def test_json_has_no_number_that_is_none_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in ("a", float("nan")), ("b", float("inf")):
        call(lambda run, job, value=value: {"loss": value}, f"outputs/{name}")

    def refuse(text: str) -> None:
        raise AssertionError(text)

    every = json.loads(listed(capsys, "--json"), parse_constant=refuse)
    assert [each["loss"] for each in every] == [None, None]
    assert json.loads(listed(capsys, "diff", "a", "b", "--json"), parse_constant=refuse)


def test_a_folder_that_cannot_be_read_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(lambda run, job: 1.0, "outputs/a")
    Path("outputs/b").mkdir()
    Path("outputs/b/config.json").symlink_to("nowhere")
    Path("outputs/theirs").mkdir()
    scan = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "theirs":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [each.folder.name for each in below(Path("outputs"))] == ["a"]
    assert capsys.readouterr().err == "outputs/theirs is left out: Permission denied\n"


def test_a_record_whose_class_is_broken_is_compared_as_it_is(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(here)
    for file, text in {"__init__": "import cn\n", "name": "1 + nope\n", "syntax": "class\n"}.items():
        Path("broken_nodes").mkdir(exist_ok=True)
        Path(f"broken_nodes/{file}.py").write_text(text)
    for name, lr in (("name", 0.1), ("syntax", 0.2)):
        Path(f"outputs/{name}").mkdir(parents=True)
        record = {"_class_": f"broken_nodes.{name}:Run", "_derived_": [], "lr": lr}
        Path(f"outputs/{name}/config.json").write_text(json.dumps(record))
    shown = listed(capsys, "diff", "name", "syntax")
    assert ["lr", "0.1", "0.2"] in [line.split() for line in shown.splitlines()]
    assert "broken_nodes/name.py cannot be used" in listed(capsys)
    if find_spec("plotly"):
        assert listed(capsys, "report") == "outputs/report.html\n"


def test_values_that_differ_are_never_shown_alike() -> None:
    assert texts([0.1234567, 0.1234568, 0.5]) == ["0.1234567", "0.1234568", "0.5"]
    assert texts([1, 1.0]) == ["1", "1.0"]
    assert texts(["1", 1]) == ['"1"', "1"]
    assert texts(["a" * 150 + "x" + "a" * 150, "a" * 150 + "y" + "a" * 150])[0].count("x") == 1
    assert texts([0.25, 0.25]) == ["0.25", "0.25"]


def test_a_field_may_be_called_like_a_column_of_the_page() -> None:
    values = [{"name": kind, "score": number} for kind, number in (("a", 1), ("b", 2))]
    found = [Entry(str(i), "done", f"t{i}", each, 0.5, None, []) for i, each in enumerate(values)]
    assert content("it", "score", "maximize", found, commands={}).fields == ["name (set)", "score (set)"]
