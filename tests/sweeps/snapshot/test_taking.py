"""The code that jobs run is copied whole, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cn import RunError, UserError
from cn.sweeping.submitting import snapshots
from cn.sweeping.submitting.snapshots import digest, take
from tests.sweeps.snapshot.repository import DEAD, ROOT, held, of_python, python, write

pytestmark = pytest.mark.slow  # each starts git several times


def test_a_snapshot_is_named_after_the_python_files_and_after_all_others(code: Path, into: Path):
    (code / "labels.json").write_text("[1]")
    first = into / take(code, into)
    (code / "labels.json").write_text("[2]")
    second = into / take(code, into)
    assert of_python(first) == of_python(second) == digest(code)
    assert [(each / "labels.json").read_text() for each in (first, second)] == ["[1]", "[2]"]
    (code / "train.py").write_text("x = 1\n")
    third = into / take(code, into)
    assert of_python(third) == digest(code) != of_python(second)
    assert third.name.partition("-")[2] == second.name.partition("-")[2]
    assert len(first.name) == 10 + 1 + 6
    (code / "labels.json").write_text("[1]")
    (code / "train.py").write_text("# train.py\n")
    assert into / take(code, into) == first
    assert sorted(os.listdir(into)) == sorted([".gitignore", first.name, second.name, third.name])


def test_a_snapshot_is_copied_once_and_can_be_executed_but_not_written(code: Path, into: Path):
    (code / "train.py").chmod(0o755)
    name = take(code, into)
    at = (into / name).stat().st_mtime_ns, (into / name / "train.py").stat().st_ino
    assert take(code, into) == name
    assert ((into / name).stat().st_mtime_ns, (into / name / "train.py").stat().st_ino) == at
    modes = [(into / name / each).stat().st_mode & 0o333 for each in ("train.py", "models/vit.py")]
    assert modes == [0o111, 0]
    assert sorted(os.listdir(into)) == [".gitignore", name]


@pytest.mark.parametrize("git_is_there", [True, False])
def test_a_sweep_within_the_code_is_no_code(code: Path, git_is_there: bool):
    if not git_is_there:
        shutil.rmtree(code / ".git")
    before = digest(code)
    into = code / "tries/lr/code"
    name = take(code, into)
    write(code, "tries/lr/trials/ab/abc/output.txt")
    assert take(code, into) == name
    assert of_python(into / name) == before == digest(code)
    (code / "train.py").write_text("x = 1\n")
    assert held(into / take(code, into)) == ["README.md", "models/vit.py", "train.py"]


def test_a_sweep_among_packages_does_not_hide_them(code: Path):
    into = code / "models/code"
    assert held(into / take(code, into)) == ["README.md", "models/vit.py", "train.py"]


def test_code_with_a_large_file_is_refused_before_it_is_read(code: Path, into: Path, monkeypatch):
    for name, size in (("w 1.bin", 20_000_001), ("models/b.bin", 3_000_000), ("c.bin", 2_000_000)):
        with (code / name).open("wb") as file:
            file.truncate(size)
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "_read", lambda path, name: pytest.fail(f"{name} was read"))
        with pytest.raises(UserError) as error:
            take(code, into)
    assert str(error.value) == (
        f"{code} is too large to be copied for a sweep: 25.0 MB in 6 files\n"
        "  the most is 100 MB in all, and 20 MB in one file\n"
        "  largest: w 1.bin (20.0 MB), models/b.bin (3.0 MB), c.bin (2.0 MB)\n"
        "  to leave out what is no code: echo '/w 1.bin' >> .gitignore\n"
        "  if git tracks it: git rm --cached 'w 1.bin'\n"
        "  without git: move it into downloads, which is never copied"
    )
    assert os.listdir(into) == [".gitignore"]
    (code / ".gitignore").write_text("/w 1.bin\n")
    assert "c.bin" in held(into / take(code, into))


def test_code_of_many_files_is_refused(code: Path, into: Path):
    for number in range(6):
        with (code / f"{number}.bin").open("wb") as file:
            file.truncate(17_000_000)
    with pytest.raises(UserError, match=r"is too large to be copied for a sweep: 102\.0 MB in 9 files\n"):
        take(code, into)


def test_a_file_that_cannot_be_read_is_named(code: Path, into: Path):
    (code / "a b.py").symlink_to("/proc/self/mem")  # whose first byte nobody can read, root included
    with pytest.raises(UserError) as error:
        take(code, into)
    assert str(error.value) == (
        "a b.py belongs to the code and cannot be read: Input/output error\n"
        "  to leave it out: echo '/a b.py' >> .gitignore"
    )
    assert os.listdir(into) == [".gitignore"]


def test_code_that_changes_while_it_is_copied_is_copied_again(code: Path, into: Path, monkeypatch):
    read, edits = snapshots._read, ["x = 1\n", "x = 2\n"]

    def edited(path: str, name: str) -> tuple[bytes | None, bool]:
        content = read(path, name)
        if name == "train.py" and edits:
            (code / "train.py").write_text(edits.pop())
        return content

    monkeypatch.setattr(snapshots, "_read", edited)
    name = take(code, into)
    assert (into / name / "train.py").read_text() == "x = 1\n"
    assert digest(code) == of_python(into / name)
    assert sorted(os.listdir(into)) == [".gitignore", name]


def test_a_log_that_grows_while_it_is_copied_is_no_obstacle_and_the_name_is_that_of_the_copy(
    code: Path, into: Path, monkeypatch
):
    write(code, "log.txt")
    read, seen = snapshots._read, list[str]()

    def growing(path: str, name: str) -> tuple[bytes | None, bool]:
        with (code / "log.txt").open("a") as file:
            file.write("line\n")
        seen.append(name)
        return read(path, name)

    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "_read", growing)
        snapshot = into / take(code, into)
    assert seen.count("train.py") == 3  # to name it, to copy it, to see that it is the same: once each
    shutil.copy(snapshot / "log.txt", code / "log.txt")
    (code / "log.txt").chmod(0o644)
    assert take(code, into) == snapshot.name


def test_code_that_never_stops_changing_is_refused(code: Path, into: Path, monkeypatch):
    read, written = snapshots._read, iter(range(1000))

    def edited(path: str, name: str) -> tuple[bytes | None, bool]:
        (code / "train.py").write_text(f"x = {next(written)}\n")
        return read(path, name)

    monkeypatch.setattr(snapshots, "_read", edited)
    with pytest.raises(RunError) as error:
        take(code, into)
    assert str(error.value) == (
        f"the Python files of {code} were changed while they were copied, 5 times\n"
        "  submit again when nothing writes there"
    )
    assert os.listdir(into) == [".gitignore"]


def test_a_file_that_vanishes_while_it_is_copied_is_left_out(code: Path, into: Path, monkeypatch):
    read = snapshots._read

    def vanished(path: str, name: str) -> tuple[bytes | None, bool]:
        (code / "README.md").unlink(missing_ok=True)
        (code / "models/vit.py").unlink(missing_ok=True)
        return read(path, name)

    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "_read", vanished)
        name = take(code, into)
    assert held(into / name) == ["train.py"]
    assert digest(code) == of_python(into / name)
    assert take(code, into) == name


def test_two_processes_take_the_same_snapshot_at_once(code: Path, into: Path):
    given = [str(code), str(into)]
    imports = "from pathlib import Path\nfrom cn.sweeping.submitting import snapshots\n"
    words = f"{imports}print(snapshots.take(*map(Path, {given})))"
    command = [sys.executable, "-c", words]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = [process.communicate()[0].strip() for process in both]
    assert first == second
    assert sorted(os.listdir(into)) == [".gitignore", first]


def test_another_process_may_be_faster_with_the_same(code: Path, into: Path, monkeypatch):
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        shutil.copytree(path, target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    name = take(code, into)
    assert sorted(os.listdir(into)) == [".gitignore", name]
    assert held(into / name) == ["README.md", "models/vit.py", "train.py"]


def test_where_nothing_can_be_written_it_is_told(code: Path, tmp_path: Path):
    (tmp_path / "sweep").write_text("a file")
    with pytest.raises(RunError) as error:
        take(code, tmp_path / "sweep" / "code")
    assert str(error.value) == (
        f"cannot copy the code to {tmp_path}/sweep/code: Not a directory\n  to put the sweep elsewhere: folder=PATH"
    )


def test_a_copy_that_is_cut_short_leaves_nothing(code: Path, into: Path):
    (code / "big.bin").write_bytes(bytes(100_000))
    words = (
        "import resource\nfrom pathlib import Path\nfrom cn.sweeping.submitting.snapshots import take\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"  # as a full disk does, it ends a write half-way
        f"take(Path({str(code)!r}), Path({str(into)!r}))"
    )
    done = python(words, cwd=ROOT, variables={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.stderr.endswith(
        f"cannot copy the code to {into}: File too large\n  to put the sweep elsewhere: folder=PATH\n"
    )
    assert os.listdir(into) == [".gitignore"]


def test_what_killed_processes_left_is_removed_and_what_others_are_at_is_not(code: Path, into: Path):
    host = os.uname().nodename
    for name in (f".{host}.{DEAD}", f".{host}.{os.getppid()}", f".{host}.{os.getpid()}", f".elsewhere.{DEAD}"):
        write(into, f"{name}/train.py")
    name = take(code, into)
    assert sorted(os.listdir(into)) == sorted([f".elsewhere.{DEAD}", f".{host}.{os.getppid()}", ".gitignore", name])
