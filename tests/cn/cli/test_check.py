"""`python -m cn check` tells what does not compose, and what composes otherwise since a commit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cn.conftest import REPOSITORY, start

COUNTS = "checked: 7 options, 1 run, 1 sweep, 0 recorded runs\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The small project of `python -m cn new`, committed, with a folder for temporary files of its own."""
    root = tmp_path / "project"
    shutil.copytree(REPOSITORY / "cn/new", root, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "temporary").mkdir()
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], cwd=root, check=True)


def check(root: Path, *words: str, **variables: str) -> tuple[int, str, str]:
    """Exit status, output and errors; no temporary folder and no worktree is left."""
    temporary = root.parent / "temporary"
    done = start(root, "-m", "cn", "check", *words, TMPDIR=str(temporary), **variables)
    assert list(temporary.iterdir() if temporary.is_dir() else []) == []
    return done.returncode, done.stdout, done.stderr


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_this_repository_composes() -> None:
    done = start(REPOSITORY, "-m", "cn", "check", "--json")
    found = json.loads(done.stdout)
    assert [each for each in found["failures"] if not each["what"].startswith("outputs/")] == []
    assert (found["options"] > 100, found["runs"] > 10, found["sweeps"] > 2) == (True, True, True)


def test_nothing_is_found_in_a_project_that_composes(project: Path) -> None:
    assert check(project) == (0, COUNTS, "")
    same = "no run and no sweep of HEAD composes otherwise now\n"
    assert check(project, "--against", "HEAD") == (0, COUNTS + same, "")


def test_a_changed_default_is_told_field_by_field_with_the_done_trials_that_it_orphans(project: Path) -> None:
    pytest.importorskip("rich", reason="rich, which shows a status that is watched, is not installed")
    submitted = start(project, "-m", "cn", "sweeps", "submit", "rates")
    assert submitted.returncode == 0, submitted.stderr
    assert start(project, "-m", "cn", "sweeps", "status", "rates", "-w").returncode == 0
    edit(project / "data/noisy_line.py", "count: Annotated[int, Ge(2)] = 100", "count: Annotated[int, Ge(2)] = 50")
    status, printed, errors = check(project, "--against", "HEAD", "--json")
    found = json.loads(printed)
    assert (status, errors, found["recorded"]) == (1, "", 6)
    fields = {"data.count": {"before": 100, "now": 50}}
    run, sweep = found["changes"]
    assert run == {"what": "run=default", "fields": fields}
    assert (sweep["what"], sweep["fields"], len(sweep["trials"])) == ("sweep=rates", fields, 6)
    assert sweep["orphans"] == sweep["trials"]
    status, printed, errors = check(project, "--against", "HEAD")
    assert "run=default differs\n  data.count: 100 -> 50\n" in printed
    assert f"  no longer planned: 6 trials ({', '.join(sweep['trials'])}), of which 6 are done\n" in printed


def test_a_run_and_a_sweep_that_are_gone_are_told(project: Path) -> None:
    (project / "sweeps/rates.py").unlink()
    status, printed, _ = check(project, "--against", "HEAD")
    assert (status, printed.splitlines()[-1]) == (1, "sweep=rates is gone")


def test_a_renamed_field_is_no_change(project: Path) -> None:
    edit(project / "data/noisy_line.py", "slope: float = 2.0", 'steep: Annotated[float, Was("slope")] = 2.0')
    edit(
        project / "data/noisy_line.py",
        "from annotated_types import Ge\n",
        "from annotated_types import Ge\n\nfrom cn import Was\n",
    )
    status, printed, _ = check(project, "--against", "HEAD")
    assert (status, printed) == (0, COUNTS + "no run and no sweep of HEAD composes otherwise now\n")


BROKEN = {
    "models/line.py": (
        "steps: Annotated[int, Ge(1)] = 200",
        "steps: Annotated[int, Ge(1)] = 0",
        "models/line.py fails\n  Line.steps is int >= 1, but its default is 0\n  defined in models/line.py:16\n",
    ),
    "models/constant.py": (
        "class Constant(Model):",
        "class Constant(Model:",
        "models/constant.py fails\n  models/constant.py:10: SyntaxError",
    ),
    "sweeps/rates.py": ('"model.steps": [10]', '"model.stepss": [10]', "sweep=rates fails\n  model.stepss=10: "),
    "models/__init__.py": (
        "from cn import CN",
        "from cn import CN\nimport nothing_there",
        "models/__init__.py fails\n",
    ),
}


@pytest.mark.parametrize("file", BROKEN)
def test_a_file_that_fails_is_told_with_its_line(project: Path, file: str) -> None:
    old, new, told = BROKEN[file]
    edit(project / file, old, new)
    status, printed, errors = check(project)
    assert (status, errors) == (1, "")
    assert told in printed


def test_a_patch_composes_with_a_run_that_it_fits(project: Path) -> None:
    (project / "runs/patches").mkdir()
    (project / "runs/patches/short.py").write_text(
        "from cn import Patch\n\n\nclass Short(Patch):\n    changes = {'data.count': 9}\n"
    )
    assert check(project) == (0, COUNTS.replace("7", "8"), "")
    edit(project / "runs/patches/short.py", "count", "counts")
    status, printed, _ = check(project)
    told = (
        "patch=short fails\n  data.counts=9: NoisyLine has no field 'counts'\n  patch short, runs/patches/short.py:5\n"
    )
    assert (status, told in printed) == (1, True)


def test_a_record_that_cannot_be_read_is_told(project: Path) -> None:
    (project / "outputs/a").mkdir(parents=True)
    (project / "outputs/a/config.json").write_text("{")
    status, printed, errors = check(project)
    assert (status, errors) == (1, "")
    assert printed == COUNTS + (
        "\noutputs/a fails\n  outputs/a/config.json cannot be read\n"
        "  JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\n"
    )


def test_what_failed_in_the_other_commit_cannot_be_compared_and_is_told(project: Path) -> None:
    edit(project / "models/line.py", "= 200", "= 0")
    git(project, "commit", "-qam", "wrong")
    edit(project / "models/line.py", "= 0\n", "= 200\n")
    status, printed, _ = check(project, "--against", "HEAD")
    assert status == 1
    assert "\nmodels/line.py of " in printed
    assert "composes otherwise" not in printed


def test_bad_words_and_places_have_one_error_each(project: Path, tmp_path: Path) -> None:
    assert check(project, "--against", "nowhere") == (
        2,
        "",
        "--against nowhere: there is no such commit\n  see: git log --oneline\n",
    )
    shutil.rmtree(project / ".git")
    assert check(project, "--against", "HEAD", GIT_CEILING_DIRECTORIES=str(tmp_path)) == (
        2,
        "",
        "--against needs a git repository, and this folder is in none\n  leave out --against\n",
    )
    assert check(project, "--against", "HEAD", PATH="/nowhere") == (
        2,
        "",
        "--against needs git, which is not installed\n  leave out --against\n",
    )
    assert check(tmp_path / "temporary") == (
        2,
        "",
        "there is no run here to check: runs/__init__.py is not there\n"
        "  go to the folder of a project, or write one: python -m cn new PROJECT\n",
    )
    assert check(project, "--agains", "HEAD")[:2] == (2, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_code_of_the_commit_is_removed_if_the_check_is_ended(project: Path, number: signal.Signals) -> None:
    (project / "runs/slow.py").write_text("import time\nfrom pathlib import Path\n\n"
        "if Path(__file__).parents[2].name.startswith('cn-check-'):\n    time.sleep(600)\n")  # fmt: skip
    git(project, "add", "-A")
    git(project, "commit", "-qm", "slow")
    temporary = project.parent / "temporary"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "cn", "check", "--against", "HEAD"]
    started = subprocess.Popen(command, cwd=project, env=environment, start_new_session=True)
    while not list(temporary.glob("cn-check-*/code/runs/slow.py")):
        assert started.poll() is None
        time.sleep(0.05)
    os.killpg(started.pid, number)
    assert started.wait() in (130, 143)
    assert list(temporary.iterdir()) == []


def test_code_that_cannot_be_unpacked_safely_is_told(project: Path) -> None:
    (project / "sets").symlink_to("/data/sets")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "second")
    status, printed, errors = check(project, "--against", "HEAD")
    first, second = errors.splitlines()
    assert (status, printed) == (2, "")
    assert first.startswith("the code of ")
    assert first.endswith(" cannot be unpacked")
    assert "sets" in second
