"""The code that jobs run: which files it is, and when it is other code."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cn import UserError
from cn.sweeping.submitting.snapshots import changes, digest, take
from tests.sweeps.snapshot.repository import git, held, of_python, repository, write

pytestmark = pytest.mark.slow  # each starts git several times


def test_uncommitted_and_untracked_files_are_copied_and_ignored_and_deleted_ones_are_not(code: Path, into: Path):
    write(code, "new.py", "junk/a.py", "models/old.py", "outputs/x/code/y/train.py", "models/__pycache__/vit.pyc")
    git(code, "add", "models/old.py")
    (code / "models/old.py").unlink()
    (code / ".gitignore").write_text("junk/\n")
    (code / "train.py").write_text("changed = 1\n")
    snapshot = into / take(code, into)
    assert held(snapshot) == [".gitignore", "README.md", "models/vit.py", "new.py", "train.py"]
    assert (snapshot / "train.py").read_text() == "changed = 1\n"


def test_a_folder_of_a_work_tree_is_copied_alone(code: Path, into: Path):
    assert held(into / take(code / "models", into)) == ["vit.py"]


@pytest.mark.parametrize("ignored", [False, True], ids=["no work tree", "a work tree that ignores it"])
def test_without_git_what_is_made_is_known_by_its_name(tmp_path: Path, into: Path, ignored: bool):
    root = tmp_path / "outer" / "plain"
    write(root, "train.py", "models/vit.py", "models/__pycache__/vit.pyc", ".env", "data/build/x.py")
    write(root, ".venv/a.py", ".idea/x", "env/pyvenv.cfg", "env/a.py", "cn.egg-info/x", "cache/a.py")
    write(root, "outputs/a.py", "downloads/a", "build/a.py", "dist/a.py")
    (root / "cache/.gitignore").write_text("*\n")
    if ignored:
        write(root.parent, "a.py")
        (root.parent / ".gitignore").write_text("plain\n")
        git(root.parent, "init", "-q")
    assert held(into / take(root, into)) == [".env", "data/build/x.py", "models/vit.py", "train.py"]


def test_the_same_python_files_have_one_digest_with_git_and_without(code: Path, into: Path, monkeypatch):
    with_git, snapshot = digest(code), into / take(code, into)
    monkeypatch.setenv("PATH", "")
    assert digest(code) == with_git
    shutil.rmtree(code / ".git")
    assert digest(code) == with_git == digest(snapshot) == of_python(snapshot)


def test_submodules_and_nested_repositories_are_copied(code: Path, into: Path, tmp_path: Path):
    repository(tmp_path / "library", "lib.py")
    git(code, "submodule", "add", "-q", str(tmp_path / "library"), "sub")
    repository(code / "nested", "n.py")
    write(code, "nested/untracked.py")
    files = ["README.md", "models/vit.py", "nested/n.py", "nested/untracked.py", "train.py"]
    assert held(into / take(code, into)) == [".gitmodules", *files[:-1], "sub/lib.py", "train.py"]
    git(code, "submodule", "deinit", "-q", "-f", "sub")
    assert held(into / take(code, into)) == [".gitmodules", *files]


@pytest.mark.parametrize("name", [b"a\nb.py", b"\xff.py", b" .py", b'"q".py', "é.py".encode()])
def test_any_name_is_copied(code: Path, into: Path, name: bytes):
    path = os.path.join(os.fsencode(code), name)
    with open(path, "wb") as file:
        file.write(b"x = 1\n")
    snapshot = into / take(code, into)
    with open(os.path.join(os.fsencode(snapshot), name), "rb") as file:
        assert file.read() == b"x = 1\n"
    assert changes(snapshot, code) == []


def test_a_pipe_is_left_out(code: Path, into: Path):
    os.mkfifo(code / "pipe.py")
    assert "pipe.py" not in held(into / take(code, into))
    shutil.rmtree(code / ".git")
    assert "pipe.py" not in held(into / take(code, into))


def test_variables_of_a_hook_do_not_lead_git_elsewhere(code: Path, tmp_path: Path, monkeypatch):
    expected = digest(code)
    monkeypatch.setenv("GIT_DIR", str(repository(tmp_path / "other", "o.py") / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other/.git/index"))
    assert digest(code) == expected


def test_a_file_in_conflict_is_copied_once(code: Path, into: Path):
    git(code, "checkout", "-q", "-b", "side")
    (code / "train.py").write_text("side\n")
    git(code, "commit", "-q", "-am", "side")
    git(code, "checkout", "-q", "-")
    (code / "train.py").write_text("main\n")
    git(code, "commit", "-q", "-am", "main")
    with pytest.raises(subprocess.CalledProcessError):
        git(code, "merge", "-q", "side")
    assert "<<<<<<<" in (into / take(code, into) / "train.py").read_text()


def test_git_that_trusts_no_other_owner_is_told_with_the_cure(code: Path, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UserError) as error:
        digest(code)
    assert str(error.value) == (
        f"git cannot list the files of {code}: fatal: detected dubious ownership in repository at '{code}'\n"
        f"  if you trust its owner: git config --global --add safe.directory {code}"
    )


def test_a_broken_repository_is_told(code: Path):
    (code / ".git/config").write_text("no setting\n")
    with pytest.raises(UserError) as error:
        digest(code)
    what = f"git cannot list the files of {code}: fatal: bad config line 1 in file .git/config"
    assert str(error.value) == f"{what}\n  see: git -C {code} status"


def test_the_digest_is_of_paths_contents_and_executable_bits_of_python_files(code: Path):
    seen = [digest(code)]
    (code / "train.py").write_text("x = 1\n")
    seen.append(digest(code))
    (code / "train.py").chmod(0o755)
    seen.append(digest(code))
    (code / "train.py").rename(code / "main.py")
    seen.append(digest(code))
    assert len(set(seen)) == 4
    assert all(len(each) == 10 and int(each, 16) >= 0 for each in seen)
    (code / "README.md").write_text("new")
    write(code, "models/__pycache__/vit.py", "outputs/a.py")
    assert digest(code) == seen[-1]


def test_changes_are_those_of_python_files_and_bytecode_is_none(code: Path, into: Path):
    snapshot = into / take(code, into)
    write(snapshot, "models/__pycache__/vit.pyc", "models/__pycache__/x.py")
    assert changes(snapshot, code) == []
    write(code, "new.py", "new.txt")
    (code / "train.py").write_text("x = 1\n")
    (code / "models/vit.py").unlink()
    assert changes(snapshot, code) == ["models/vit.py", "new.py", "train.py"]


def test_the_sweeps_themselves_are_no_part_of_the_digest_and_what_runs_them_is(code: Path, into: Path):
    write(code, "sweeps/lr.py", "sweeps/wide/lr.py", "sweeps/__init__.py", "sweeps/_own.py", "models/sweeps/x.py")
    before, snapshot = digest(code), into / take(code, into)
    for name in ("sweeps/lr.py", "sweeps/wide/lr.py"):
        (code / name).write_text("x = 1\n")
    write(code, "sweeps/new.py")
    assert digest(code) == before
    assert changes(snapshot, code) == []
    later = into / take(code, into)
    assert later != snapshot
    assert of_python(later) == of_python(snapshot) == before
    assert (later / "sweeps/lr.py").read_text() == (later / "sweeps/wide/lr.py").read_text() == "x = 1\n"
    assert "sweeps/new.py" in held(later)
    for name in ("sweeps/__init__.py", "sweeps/_own.py", "models/sweeps/x.py"):
        (code / name).write_text("x = 1\n")
    assert changes(snapshot, code) == ["models/sweeps/x.py", "sweeps/__init__.py", "sweeps/_own.py"]
    assert digest(code) != before
