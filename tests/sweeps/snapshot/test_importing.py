"""The code that jobs run: nothing else is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cn import RunError, UserError
from cn.sweeping.submitting import snapshots
from cn.sweeping.submitting.snapshots import digest, environment, take
from tests.sweeps.snapshot.repository import ROOT, of_python, python, write

pytestmark = pytest.mark.slow  # each starts git several times


IMPORT = "import cn.cli.main, runs.default, models.vit, cn.sweeping.folder.store, train, sys, os\n"
NAMES = "'cn.cli.main', 'runs.default', 'models.vit', 'cn.sweeping.folder.store', 'train'"
SAY = f"for n in ({NAMES}): print(sys.modules[n].__file__)\n"
CHECK = "from cn.sweeping.submitting.snapshots import verify\nfrom pathlib import Path\nverify(Path({!r}))\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of this repository."""
    into = tmp_path_factory.mktemp("own") / "code"
    return into / take(ROOT, into)


@pytest.mark.parametrize("inherited", ["", ":", str(ROOT), f"{ROOT}:"])
def test_all_comes_from_the_snapshot_though_the_repository_is_the_current_folder(
    own: Path, monkeypatch, inherited: str
):
    monkeypatch.setenv("PYTHONPATH", inherited)
    done = python(IMPORT + SAY + CHECK.format(str(own)), cwd=ROOT, variables=environment(own))
    assert done.stderr == ""
    files = ["cn/cli/main.py", "runs/default.py", "models/vit.py", "cn/sweeping/folder/store.py", "train.py"]
    assert done.stdout.split() == [str(own / name) for name in files]


def test_python_dash_m_comes_from_the_snapshot_too(code: Path, into: Path):
    write(code, "tool/__init__.py")
    (code / "tool/__main__.py").write_text("print(__file__)\n")
    snapshot = into / take(code, into)
    environ = {**os.environ, **environment(snapshot)}
    command = [sys.executable, "-m", "tool"]
    assert subprocess.check_output(command, cwd=code, env=environ, text=True) == f"{snapshot}/tool/__main__.py\n"


def test_a_snapshot_that_cannot_be_written_runs_and_one_that_can_keeps_its_bytecode(into: Path):
    snapshot = into / take(ROOT, into)
    words = IMPORT + CHECK.format(str(snapshot))
    for mode in (0o555, 0o755):  # root may write in both
        for folder in (snapshot, *(path for path in snapshot.rglob("*") if path.is_dir())):
            folder.chmod(mode)
        assert python(words, cwd=ROOT, variables=environment(snapshot)).stderr == ""
    assert (snapshot / "runs/__pycache__").exists()
    assert digest(snapshot) == of_python(snapshot)


def test_verify_refuses_what_comes_from_the_repository(own: Path):
    done = python(IMPORT + CHECK.format(str(own)), cwd=own.parent, variables={"PYTHONPATH": str(ROOT)})
    what, where, path, cure = done.stderr.splitlines()[-4:]
    assert what == f"cn.errors.RunError: this process does not run the code that was submitted, {own}"
    assert where.startswith(f"  it imported cn from {ROOT}/cn/__init__.py, cn.")
    assert path == f"  its PYTHONPATH: {ROOT}"
    assert cure == "  look for what sets that, or imports before it: a setup line, sitecustomize, an editable install"


def test_verify_refuses_an_installed_package_that_goes_before(own: Path):
    finder = (
        "import sys, importlib.machinery as m\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        return m.PathFinder.find_spec(name, [{str(ROOT)!r}]) if name == 'data' else None\n"
        "sys.meta_path.insert(0, Finder)\n"
    )
    done = python(finder + "import data\n" + CHECK.format(str(own)), cwd=ROOT, variables=environment(own))
    assert f"\n  it imported data from {ROOT}/data/__init__.py\n" in done.stderr


def test_verify_refuses_a_module_of_a_folder_without_init(code: Path, into: Path, tmp_path: Path):
    write(code, "tools/ours.py")
    snapshot = into / take(code, into)
    write(tmp_path, "other/tools/__init__.py", "other/tools/ours.py", "other/tools/theirs.py")
    words = f"import sys; sys.path.append({str(ROOT)!r})\nimport tools.{{}}\n" + CHECK.format(str(snapshot))
    variables = environment(snapshot)
    variables["PYTHONPATH"] += f":{tmp_path / 'other'}"
    assert python(words.format("theirs"), cwd=tmp_path, variables=variables).stderr == ""
    done = python(words.format("ours"), cwd=tmp_path, variables=variables)
    assert f"\n  it imported tools.ours from {tmp_path}/other/tools/ours.py\n" in done.stderr


def test_verify_refuses_a_snapshot_that_is_no_more(tmp_path: Path):
    with pytest.raises(RunError) as error:
        snapshots.verify(tmp_path / "gone")
    assert str(error.value) == f"the code that was submitted is no more: {tmp_path}/gone\n  submit again"


def test_verify_looks_at_the_module_that_python_dash_m_runs(code: Path, into: Path):
    write(code, "tool/__init__.py")
    (code / "tool/__main__.py").write_text(
        "import sys\nfrom pathlib import Path\n"
        "from cn.sweeping.submitting.snapshots import verify\nverify(Path(sys.argv[1]))\n"
    )
    snapshot = into / take(code, into)
    environ = {**os.environ, "PYTHONPATH": f"{code}:{ROOT}"}
    command = [sys.executable, "-m", "tool", str(snapshot)]
    done = subprocess.run(command, cwd=into, env=environ, capture_output=True, text=True, check=False)
    files = f"tool from {code}/tool/__init__.py, tool.__main__ from {code}/tool/__main__.py"
    assert f"\n  it imported {files}\n" in done.stderr


def test_a_module_that_the_snapshot_does_not_hold_may_come_from_anywhere(tmp_path: Path, into: Path):
    write(tmp_path / "code", "tools/plot.py")
    words = "import cn.cli.main, cn.sweeping.folder.store\n" + CHECK.format(str(into / take(tmp_path / "code", into)))
    assert python(words, cwd=tmp_path, variables={"PYTHONPATH": str(ROOT)}).stderr == ""


def test_environment_keeps_the_path_behind_and_drops_the_current_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f":/a::{tmp_path}:/b:")
    assert environment(tmp_path) == {"PYTHONPATH": f"{tmp_path}:/a:/b", "PYTHONSAFEPATH": "1"}
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.chdir(tmp_path)
    assert environment(Path("x")) == {"PYTHONPATH": f"{tmp_path}/x", "PYTHONSAFEPATH": "1"}


def test_a_snapshot_whose_path_python_would_cut_is_refused():
    with pytest.raises(UserError) as error:
        environment(Path("/a:b/code"))
    assert str(error.value) == (
        "PYTHONPATH cannot hold a folder with ':' in its name: /a:b/code\n  to put the sweep elsewhere: folder=PATH"
    )
