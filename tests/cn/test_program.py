"""Commands in messages start the program as it was started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cn import program
from tests.cn.conftest import REPOSITORY, python

PACKAGE = {
    "proj/__init__.py": "",
    "proj/runs/__init__.py": python(
        "from cn import CN",
        "from cn.launching import Launch, Local",
        "class Run(CN):",
        "    depth: int = 1",
        "    launch: Launch = Local()",
        "    _where_ = ('launch',)",
    ),
    "proj/runs/default.py": python("from proj.runs import Run", "class Default(Run): ..."),
    "proj/runs/deep.py": python("from proj.runs import Run", "class Deep(Run):", "    depth: int = 9"),
    "proj/train.py": python(
        "from cn import Job, main",
        "from proj.runs import Run",
        "def train(run: Run, job: Job) -> float:",
        "    return run.depth",
        "if __name__ == '__main__':",
        "    main(train)",
    ),
}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("train.py", "train.py"),
        ("{here}/train.py", "train.py"),
        ("scripts/fit.py", "scripts/fit.py"),
        ("{here}/two words/fit.py", "'two words/fit.py'"),
        ("/opt/bin/fit", "/opt/bin/fit"),
        ("../fit.py", "../fit.py"),
    ],
)
def test_a_program_is_named_by_the_path_that_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [typed.format(here=tmp_path)])
    assert program.of_process() == said


def _start(folder: Path, *words: str) -> str:
    """Return what Python prints in a folder beside which nothing but cn can be imported."""
    library = folder.with_name("library")
    library.mkdir(exist_ok=True)
    if not (library / "cn").is_symlink():
        (library / "cn").symlink_to(REPOSITORY / "cn")
    environ = {**os.environ, "PYTHONPATH": str(library)}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_nodes_of_the_program_itself_are_refused_where_other_processes_need_them(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "alone.py").write_text(
        (PACKAGE["proj/runs/__init__.py"] + PACKAGE["proj/train.py"]).replace("from proj.runs import Run\n", "")
    )
    assert _start(root, "alone.py", "-m", "depth=1,2") == (
        "Run is defined in the program itself, and the other processes of these runs cannot import it\n"
        "  defined in alone.py:3\n"
        "  move it to another file, and import it from there\n"
    )
    assert not (root / "outputs").exists() or not list((root / "outputs").iterdir())


@pytest.mark.slow
def test_a_program_of_a_package_starts_and_chooses_its_runs_as_messages_say(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name, source in PACKAGE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source)

    def said(*words: str) -> str:
        return _start(root, "-m", "proj.train", *words)

    assert said("run=deep").splitlines()[2:] == ["  write: proj/run=deep", "  see: python -m proj.train --help"]
    assert said("proj/run=deep", "--explain", "depth").splitlines()[0] == "depth = 9"
    table = said("-m", "proj/run=deep,default", "launch.parallel=2").split("\n\n")[-1]
    assert [line.split() for line in table.splitlines()[2:]] == [["0", "deep", "9"], ["1", "default", "1"]]
    commands = [path.read_text() for path in root.glob("outputs/*/*/command.txt")]
    assert sorted(commands) == [
        "python -m proj.train proj/run=deep launch.parallel=2\n",
        "python -m proj.train proj/run=default launch.parallel=2\n",
    ]
