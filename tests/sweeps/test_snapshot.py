"""The code that jobs run: which files it is, that it is copied whole, and that nothing else is imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cn import RunError, UserError
from sweeps import _snapshot
from sweeps._snapshot import changes, digest, environment, take

ROOT = Path(__file__).parents[2]
DEAD = 2**22 + 1  # no process has so high a number


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always")
    subprocess.run(["git", "-C", str(folder), *settings, *words], check=True, capture_output=True)


def write(folder: Path, *names: str) -> None:
    """Files that hold their own names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")


def repository(folder: Path, *tracked: str) -> Path:
    write(folder, *tracked)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def held(snapshot: Path) -> list[str]:
    """The files and links in it."""
    paths = [path for path in snapshot.rglob("*") if path.is_symlink() or path.is_file()]
    return sorted(os.fsencode(path.relative_to(snapshot)).decode(errors="backslashreplace") for path in paths)


def of_python(snapshot: Path) -> str:
    """The part of its name that is the digest of the Python files."""
    return snapshot.name.partition("-")[0]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git as it is where nobody has set anything."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A repository of three files, one of which no git ignores."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return repository(tmp_path / "repo", "train.py", "models/vit.py", "README.md")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "sweep" / "code"


def python(words: str, *, cwd: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A process with only these variables of PYTHON's."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-c", words],
        cwd=cwd,
        env={**environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


# which files


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


# links


def test_links_stay_links_inside_and_are_copied_from_outside(code: Path, into: Path, tmp_path: Path):
    write(tmp_path, "lib.py", "pictures/1.png")
    (code / "inside.py").symlink_to(code / "models/vit.py")
    (code / "folder").symlink_to("models")
    (code / "outside.py").symlink_to(tmp_path / "lib.py")
    (code / "pictures").symlink_to(tmp_path / "pictures")
    (code / ".#lock.py").symlink_to("me@host.12")
    (code / "loop.py").symlink_to("loop.py")
    (code / "outputs").symlink_to(tmp_path)
    snapshot = into / take(code, into)
    links = {path.name: os.readlink(path) for path in snapshot.iterdir() if path.is_symlink()}
    assert links == {"inside.py": "models/vit.py", "folder": "models", "pictures": str(tmp_path / "pictures")}
    assert (snapshot / "outside.py").read_text() == "# lib.py\n"
    assert not {".#lock.py", "loop.py", "outputs"} & set(os.listdir(snapshot))
    assert changes(snapshot, code) == []


def test_a_link_to_what_is_ignored_is_copied_if_it_is_a_file(code: Path, into: Path):
    (code / ".gitignore").write_text("made/\n")
    write(code, "made/a.py")
    (code / "a.py").symlink_to("made/a.py")
    (code / "b").symlink_to("made")
    assert held(into / take(code, into)) == [".gitignore", "README.md", "a.py", "models/vit.py", "train.py"]


def test_a_link_that_leads_to_another_folder_is_other_code(code: Path, into: Path):
    write(code, "one/a.py", "two/a.py")
    (code / "chosen").symlink_to("one")
    snapshot = into / take(code, into)
    (code / "chosen").unlink()
    (code / "chosen").symlink_to("two")
    assert changes(snapshot, code) == ["chosen"]
    assert digest(code) != of_python(snapshot)


def test_a_link_to_a_file_is_known_by_what_the_file_holds(code: Path, into: Path):
    (code / "AGENTS.md").symlink_to("README.md")
    (code / "old.py").symlink_to("train.py")
    before, snapshot = digest(code), into / take(code, into)
    (code / "README.md").write_text("new")
    assert digest(code) == before
    assert changes(snapshot, code) == []
    (code / "train.py").write_text("x = 1\n")
    assert changes(snapshot, code) == ["old.py", "train.py"]


def test_a_link_to_a_folder_of_which_nothing_is_copied_is_no_obstacle(code: Path, into: Path):
    (code / "drafts").mkdir()
    (code / "drafts/.#lock.py").symlink_to("me@host.12")
    (code / "chosen").symlink_to("drafts")
    snapshot = into / take(code, into)
    assert os.readlink(snapshot / "chosen") == "drafts"
    assert changes(snapshot, code) == []
    assert digest(code) == of_python(snapshot)


def test_a_linked_package_outside_is_refused(code: Path, into: Path, tmp_path: Path):
    write(tmp_path, "lib/__init__.py")
    (code / "lib").symlink_to("../lib")
    with pytest.raises(UserError) as error:
        take(code, into)
    assert str(error.value) == (
        f"lib is a link to a package outside of the code, so it would not be copied: {tmp_path / 'lib'}\n"
        "  put the package itself there, or install it and remove the link"
    )


# digest and changes


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
    write(code, "sweeps/lr.py", "sweeps/wide/lr.py", "sweeps/__init__.py", "sweeps/_job.py", "models/sweeps/x.py")
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
    for name in ("sweeps/__init__.py", "sweeps/_job.py", "models/sweeps/x.py"):
        (code / name).write_text("x = 1\n")
    assert changes(snapshot, code) == ["models/sweeps/x.py", "sweeps/__init__.py", "sweeps/_job.py"]
    assert digest(code) != before


# taking


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
        patched.setattr(_snapshot, "_read", lambda path, name: pytest.fail(f"{name} was read"))
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
    read, edits = _snapshot._read, ["x = 1\n", "x = 2\n"]

    def edited(path: str, name: str) -> tuple[bytes | None, bool]:
        content = read(path, name)
        if name == "train.py" and edits:
            (code / "train.py").write_text(edits.pop())
        return content

    monkeypatch.setattr(_snapshot, "_read", edited)
    name = take(code, into)
    assert (into / name / "train.py").read_text() == "x = 1\n"
    assert digest(code) == of_python(into / name)
    assert sorted(os.listdir(into)) == [".gitignore", name]


def test_a_log_that_grows_while_it_is_copied_is_no_obstacle_and_the_name_is_that_of_the_copy(
    code: Path, into: Path, monkeypatch
):
    write(code, "log.txt")
    read, seen = _snapshot._read, list[str]()

    def growing(path: str, name: str) -> tuple[bytes | None, bool]:
        with (code / "log.txt").open("a") as file:
            file.write("line\n")
        seen.append(name)
        return read(path, name)

    with monkeypatch.context() as patched:
        patched.setattr(_snapshot, "_read", growing)
        snapshot = into / take(code, into)
    assert seen.count("train.py") == 3  # to name it, to copy it, to see that it is the same: once each
    shutil.copy(snapshot / "log.txt", code / "log.txt")
    (code / "log.txt").chmod(0o644)
    assert take(code, into) == snapshot.name


def test_code_that_never_stops_changing_is_refused(code: Path, into: Path, monkeypatch):
    read, written = _snapshot._read, iter(range(1000))

    def edited(path: str, name: str) -> tuple[bytes | None, bool]:
        (code / "train.py").write_text(f"x = {next(written)}\n")
        return read(path, name)

    monkeypatch.setattr(_snapshot, "_read", edited)
    with pytest.raises(RunError) as error:
        take(code, into)
    assert str(error.value) == (
        f"the Python files of {code} were changed while they were copied, 5 times\n"
        "  submit again when nothing writes there"
    )
    assert os.listdir(into) == [".gitignore"]


def test_a_file_that_vanishes_while_it_is_copied_is_left_out(code: Path, into: Path, monkeypatch):
    read = _snapshot._read

    def vanished(path: str, name: str) -> tuple[bytes | None, bool]:
        (code / "README.md").unlink(missing_ok=True)
        (code / "models/vit.py").unlink(missing_ok=True)
        return read(path, name)

    with monkeypatch.context() as patched:
        patched.setattr(_snapshot, "_read", vanished)
        name = take(code, into)
    assert held(into / name) == ["train.py"]
    assert digest(code) == of_python(into / name)
    assert take(code, into) == name


def test_two_processes_take_the_same_snapshot_at_once(code: Path, into: Path):
    given = [str(code), str(into)]
    words = f"from pathlib import Path\nfrom sweeps import _snapshot\nprint(_snapshot.take(*map(Path, {given})))"
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
        "import resource\nfrom pathlib import Path\nfrom sweeps._snapshot import take\n"
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


# importing

IMPORT = "import cn.main, runs.default, models.vit, sweeps._store, train, sys, os\n"
SAY = "for n in ('cn.main', 'runs.default', 'models.vit', 'sweeps._store', 'train'): print(sys.modules[n].__file__)\n"
CHECK = "from sweeps._snapshot import verify\nfrom pathlib import Path\nverify(Path({!r}))\n"


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
    files = ["cn/main.py", "runs/default.py", "models/vit.py", "sweeps/_store.py", "train.py"]
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
        _snapshot.verify(tmp_path / "gone")
    assert str(error.value) == f"the code that was submitted is no more: {tmp_path}/gone\n  submit again"


def test_verify_looks_at_the_module_that_python_dash_m_runs(code: Path, into: Path):
    write(code, "tool/__init__.py")
    (code / "tool/__main__.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom sweeps._snapshot import verify\nverify(Path(sys.argv[1]))\n"
    )
    snapshot = into / take(code, into)
    environ = {**os.environ, "PYTHONPATH": f"{code}:{ROOT}"}
    command = [sys.executable, "-m", "tool", str(snapshot)]
    done = subprocess.run(command, cwd=into, env=environ, capture_output=True, text=True, check=False)
    files = f"tool from {code}/tool/__init__.py, tool.__main__ from {code}/tool/__main__.py"
    assert f"\n  it imported {files}\n" in done.stderr


def test_a_module_that_the_snapshot_does_not_hold_may_come_from_anywhere(tmp_path: Path, into: Path):
    write(tmp_path / "code", "tools/plot.py")
    words = "import cn.main, sweeps._store\n" + CHECK.format(str(into / take(tmp_path / "code", into)))
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
