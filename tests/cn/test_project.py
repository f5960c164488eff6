"""`python -m cn new PROJECT` with an installed wheel: the project runs, is listed and passes its own test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cn.__main__ import main
from cn.cli.new import files
from tests.cn.conftest import run_its_tests, start
from tests.cn.test_wheel import installed, wheel

__all__ = ["installed", "wheel"]


@pytest.mark.slow
def test_a_new_project_runs_is_listed_and_passes_its_test(installed: Path, tmp_path: Path) -> None:
    done = start(tmp_path, "-m", "cn", "new", "demo", path=installed)
    told = "demo: a project that runs as it stands\n  next: cd demo && python train.py\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
    root = tmp_path / "demo"
    assert (root / "pyproject.toml").read_text().startswith('[project]\nname = "demo"\n')
    done = start(root, "train.py", path=installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Line on NoisyLine: test error 0.0903, in outputs/")
    (first,) = (root / "outputs").iterdir()
    done = start(root, "train.py", "model=line,constant", "-m", "seed=1,2", path=installed)
    assert (done.returncode, done.stdout.count(": test error ")) == (0, 4), done.stdout + done.stderr
    done = start(root, "train.py", "--from", f"outputs/{first.name}", "seed=7", path=installed)
    assert (done.returncode, done.stderr) == (0, "")
    done = start(root, "-m", "cn", "runs", "--json", path=installed)
    listed = json.loads(done.stdout)
    assert [(each["state"], each["words"]) for each in listed] == [
        ("finished", []),
        ("finished", []),
        ("finished", ["seed=2"]),
        ("finished", ["model=constant"]),
        ("finished", ["model=constant", "seed=2"]),
        ("finished", ["seed=7"]),
    ]
    header = start(root, "-m", "cn", "runs", path=installed).stdout.splitlines()[0]
    assert header.split() == ["time", "state", "rmse", "folder", "what,", "why"]
    done = start(root, "-m", "cn", "runs", "diff", f"outputs/{first.name}", listed[-1]["folder"], path=installed)
    assert done.stdout.splitlines()[2].split() == ["seed", "1", "7"], done.stdout + done.stderr
    done = run_its_tests(root, installed)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


REFUSED = {
    "new taken": "taken is there already, and is not empty\n  write: another name\n",
    "new my-proj": "'my-proj' cannot be imported: it is no name of Python's\n  nearest: my_proj\n",
    "new class": "'class' cannot be imported: it is no name of Python's\n  nearest: class_runs\n",
    "new 2024": "'2024' cannot be imported: it is no name of Python's\n  nearest: x2024\n",
    "new lambda_": "'lambda_' cannot be installed: a package's name begins and ends with a letter or a digit\n"
    "  nearest: lambda_runs\n",
    "new .": ". is no new folder\n  write: python -m cn new PROJECT\n",
    "new queue": "'queue' would hide a module of Python's\n  nearest: queue_runs\n",
    "new": "new writes one project, and none is named\n  write: python -m cn new PROJECT\n",
    "run": "'run' is no verb\n  nearest: runs\n  see: python -m cn -h\n",
    "runs dif a b": "'dif' is neither a verb nor a folder\n"
    "  write: python -m cn runs diff a b\n  see: python -m cn runs -h\n",
    "runs diff a": "diff compares two runs or more, and one is named\n"
    "  write: python -m cn runs diff a B\n  see: python -m cn runs\n",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_done_is_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cn.program.script", "train.py")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("mine")
    assert main(words.split()) == 2
    assert capsys.readouterr().err == REFUSED[words]
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken/file").read_text() == "mine"


def test_a_write_that_is_cut_off_leaves_no_part_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a killed process, nor one that fails, keeps the next call from writing the project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cn.program.script", "train.py")
    killed = "import os; from cn.cli import new; from pathlib import Path; w = Path.write_text\n"
    killed += "Path.write_text = lambda *a, **k: os._exit(9) if 'runs' in str(a[0]) else w(*a, **k)\nnew.new(['demo'])"
    assert start(tmp_path, "-c", killed).returncode == 9
    assert [each.name for each in tmp_path.iterdir()] == [".demo.unfinished"]
    write = Path.write_text

    def full(path: Path, *rest: Any, **options: Any) -> int:
        if path.name == "train.py":
            raise OSError(28, "No space left on device")
        return write(path, *rest, **options)

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["new", "demo"]) == 1
    assert "demo cannot be written: [Errno 28] No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Path, "write_text", write)
    (tmp_path / "demo").mkdir()  # an empty folder is taken
    assert main(["new", "demo"]) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["demo"]
    assert {path.relative_to("demo") for path in Path("demo").rglob("*") if path.is_file()} == set(files())
