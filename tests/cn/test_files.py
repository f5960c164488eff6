"""A file is written whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cn.files import link_or_copy, remove_unfinished, replacing, sync, write_whole

ROOT = Path(__file__).parents[2]
HALF = b"h" * 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "file.json"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


@contextmanager
def umask(mode: int) -> Iterator[None]:
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


def typed(code: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("content", ["tëxt\n", b"\xff\0", ""])
def test_a_file_gets_its_content(path: Path, content: str | bytes) -> None:
    write_whole(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(path) == ["file.json"]


def test_the_permissions_are_those_of_any_new_file(path: Path) -> None:
    path.chmod(0o600)
    with umask(0o027):
        write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_replaced_and_what_it_points_to_stays(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    write_whole(link, "new")
    assert (link.is_symlink(), link.read_text(), path.read_text()) == (False, "new", "old")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(path: Path, error: BaseException) -> None:
    def fail() -> None:
        with replacing(path) as beside:
            beside.write_bytes(HALF)
            raise error

    with pytest.raises(type(error)) as raised:
        fail()
    assert raised.value is error
    assert (path.read_bytes(), names(path)) == (b"old", ["file.json"])


def test_a_new_file_whose_folder_is_not_there_is_told_by_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        write_whole(tmp_path / "absent" / "file", "new")


FULL = """
import resource, signal, sys
from pathlib import Path
from cn.files import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
try:
    write_whole(Path(sys.argv[1]), b"n" * 5000)
except OSError as error:
    print(error.strerror)
"""


def test_a_file_that_may_grow_no_further_stays_as_it_was(path: Path) -> None:
    """As on a full disk, part of the new content was written."""
    assert typed(FULL, path).communicate()[0] == "File too large\n"
    assert (path.read_bytes(), names(path)) == (b"old", ["file.json"])


KILLED = """
import os, signal, sys
from pathlib import Path
from cn import files
step = sys.argv[2]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if step != "write":
    setattr(files if step == "sync" else os, step, die)
with files.replacing(Path(sys.argv[1])) as beside:
    with beside.open("wb") as file:
        file.write(b"n" * 100_000)
        file.flush()
        if step == "write":
            die()
        file.write(b"n" * 100_000)
"""


@pytest.mark.parametrize("step", ["write", "sync", "replace"])
def test_a_kill_leaves_the_old_file_and_a_part_that_can_be_removed(path: Path, step: str) -> None:
    process = typed(KILLED, path, step)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert names(path) == [f".file.json.{process.pid}", "file.json"]
    others = [".file.json.host", ".other.json.12", "file.json.12"]
    for name in others:
        path.with_name(name).touch()
    remove_unfinished(path.parent, "f*.json", "absent")
    assert names(path) == sorted([*others, "file.json"])


def test_a_part_that_a_process_of_the_same_number_left_does_no_harm(path: Path) -> None:
    """It was killed between giving another file a second name and renaming that."""
    other = path.with_name("other")
    other.write_bytes(b"other")
    os.link(other, path.with_name(f".file.json.{os.getpid()}"))
    write_whole(path, "new")
    assert (path.read_text(), other.read_text()) == ("new", "other")
    assert names(path) == ["file.json", "other"]


def test_the_content_is_on_the_disk_before_the_name_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noted(name: str, function: Callable[..., None]) -> Callable[..., None]:
        def called(*words: object) -> None:
            done.append(f"{name} {path.read_text()}")
            function(*words)

        return called

    monkeypatch.setattr(os, "replace", noted("rename", os.replace))
    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    write_whole(path, "new")
    sync(path.parent)
    write_whole(path, "newer", synced=False)
    assert done == ["fsync old", "rename old", "fsync new", "rename new"]


WRITER = """
import sys
from pathlib import Path
from cn.files import write_whole
for _ in range(100):
    write_whole(Path(sys.argv[1]), sys.argv[2] * 100_000, synced=False)
"""


@pytest.mark.slow
def test_who_reads_while_processes_and_threads_write_sees_whole_contents(path: Path) -> None:
    path.write_text("a" * 100_000)
    failures: list[BaseException] = []

    def write(letter: str) -> None:
        try:
            for _ in range(100):
                write_whole(path, letter * 100_000, synced=False)
        except BaseException as error:
            failures.append(error)

    processes = [typed(WRITER, path, letter) for letter in "ab"]
    threads = [threading.Thread(target=write, args=(letter,)) for letter in "cd"]
    for each in threads:
        each.start()
    seen: set[str] = set()
    while any(each.is_alive() for each in threads) or any(each.poll() is None for each in processes):
        text = path.read_text()
        assert text == text[0] * 100_000
        seen.add(text[0])
    assert [each.communicate()[0] for each in processes] == ["", ""]
    assert [each.returncode for each in processes] == [0, 0]
    assert failures == []
    assert len(seen) > 1
    assert names(path) == ["file.json"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_where_a_file_can_have_no_second_name_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "a").write_text("content")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "content"


def test_a_full_disk_is_no_reason_to_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("content")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="No space left"):
        link_or_copy(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "b").exists()
