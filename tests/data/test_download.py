"""Fetching: whole, once, resumed after any interruption, and never used unless the md5 is right."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cn import UserError
from data._download import fetch, local
from tests.data.conftest import WAIT

CONTENT = bytes(range(256)) * 4000  # 1 024 000 bytes
NAME = "a.bin"
SCRIPT = """
import resource, sys
from cn import UserError
from data import _download
from data._download import fetch
_download.TIMEOUT = (600, 600)
if limit := int(sys.argv[3]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
try:
    print(*fetch(["a.bin"], md5={"a.bin": sys.argv[2]}, address=sys.argv[1], folder="f"))
except UserError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def right(md5) -> dict[str, str]:
    return {NAME: md5(CONTENT)}


@pytest.fixture
def get(server, right) -> Callable[[], Path]:
    server.files[NAME] = CONTENT
    return lambda: fetch([NAME], md5=right, address=server.address, folder="f")[0]


@pytest.fixture
def start(server, right) -> Callable[..., subprocess.Popen[str]]:
    """Another process that fetches; `limit` is the size in bytes that its files may have."""
    server.files[NAME] = CONTENT
    command = [sys.executable, "-c", SCRIPT, server.address, right[NAME]]
    root = Path(__file__).parents[2]

    def start(limit: int = 0) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command, str(limit)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, **pipes)

    return start


def test_a_file_is_fetched_once(get, server, cache):
    assert get() == cache / "f" / NAME
    assert get().read_bytes() == CONTENT
    assert server.requests == [(NAME, 0)]


def test_an_address_may_lack_its_last_slash(server, right):
    server.files[NAME] = CONTENT
    assert fetch([NAME], md5=right, address=server.address.rstrip("/"), folder="f")[0].read_bytes() == CONTENT


def test_a_cut_connection_is_taken_up_where_it_ended(get, server):
    server.cuts = [300_000, 200_000]
    assert get().read_bytes() == CONTENT
    assert server.requests == [(NAME, 0), (NAME, 300_000), (NAME, 500_000)]
    assert server.sent == len(CONTENT)


def test_what_came_before_a_failure_is_not_fetched_again(get, server, cache):
    server.cuts = [300_000, 0]
    with pytest.raises(UserError) as error:
        get()
    assert str(error.value) == (
        f"a.bin could not be fetched from {server.address}: the connection was cut\n"
        f"  put a.bin into '{cache}/f', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=digits, which needs no download"
    )
    assert not (cache / "f" / NAME).exists()
    assert get().read_bytes() == CONTENT
    assert server.requests == [(NAME, 0), (NAME, 300_000), (NAME, 300_000)]
    assert server.sent == len(CONTENT)


@pytest.mark.slow
def test_a_killed_process_is_taken_up_by_the_next(get, start, server, cache):
    part = cache / "f" / f"{NAME}.part"
    server.cuts, server.hold = [524_288], threading.Event()
    with start() as process:
        assert server.held.wait(WAIT)
        wait_for(lambda: part.exists() and part.stat().st_size == 524_288)
        process.send_signal(signal.SIGKILL)
    assert get().read_bytes() == CONTENT
    assert server.requests == [(NAME, 0), (NAME, 524_288)]
    assert server.sent == len(CONTENT)


@pytest.mark.slow
def test_two_processes_fetch_one_file(start, server, cache):
    server.cuts, server.hold = [300_000], threading.Event()  # the first is held in the middle until both are there
    with start() as one, start() as other:
        assert [process.stdout.readline() for process in (one, other)] == ["ready\n"] * 2
        assert server.held.wait(WAIT)
        server.hold.set()
        outputs = [process.communicate(timeout=WAIT) for process in (one, other)]
    assert outputs == [(f"{cache / 'f' / NAME}\n", "")] * 2
    assert (cache / "f" / NAME).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


@pytest.mark.slow
def test_a_full_disk_loses_nothing(get, start, server, cache):
    with start(limit=524_288) as process:
        _, errors = process.communicate(timeout=WAIT)
    assert errors == f"'{cache}/f' cannot be used: File too large\n  XDG_CACHE_HOME chooses another place\n"
    assert process.returncode == 1
    assert get().read_bytes() == CONTENT
    assert server.requests == [(NAME, 0), (NAME, 524_288)]


def test_a_server_without_ranges_is_asked_for_all(get, server):
    server.ranges, server.cuts = False, [300_000]
    assert get().read_bytes() == CONTENT
    assert server.sent == 300_000 + len(CONTENT)


@pytest.mark.parametrize("left", [b"of another file", b"x" * len(CONTENT), CONTENT + b"too long"])
def test_a_wrong_beginning_is_thrown_away(get, server, cache, left):
    (cache / "f").mkdir(parents=True)
    (cache / "f" / f"{NAME}.part").write_bytes(left)
    assert get().read_bytes() == CONTENT
    assert server.requests == [(NAME, len(left)), (NAME, 0)]


def test_a_whole_part_needs_no_byte_more(get, server, cache):
    (cache / "f").mkdir(parents=True)
    (cache / "f" / f"{NAME}.part").write_bytes(CONTENT)
    assert get().read_bytes() == CONTENT
    assert server.sent == 0


def test_a_damaged_file_in_the_cache_is_replaced(get, server, cache):
    (cache / "f").mkdir(parents=True)
    (cache / "f" / NAME).write_bytes(CONTENT[:-1])
    assert get().read_bytes() == CONTENT


def test_a_wrong_file_is_refused_and_thrown_away(get, server, cache, right):
    server.files[NAME] = CONTENT[:-1] + b"x"
    with pytest.raises(UserError) as error:
        get()
    assert str(error.value) == (
        f"a.bin from {server.address} is not the published file: its md5 is not {right[NAME]}\n"
        "  it was thrown away\n"
        f"  put a.bin into '{cache}/f', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=digits, which needs no download"
    )
    assert {path.name for path in (cache / "f").iterdir()} <= {f"{NAME}.lock"}


def test_a_file_that_is_not_there(get, server, cache):
    del server.files[NAME]
    with pytest.raises(UserError) as error:
        get()
    assert str(error.value) == (
        f"a.bin could not be fetched from {server.address}: the server answered 404 Not Found\n"
        f"  put a.bin into '{cache}/f', or into a folder named with data.root=FOLDER\n"
        "  or name a mirror with data.mirror=ADDRESS, or use data=digits, which needs no download"
    )


def test_a_silent_server_is_given_up(get, server, monkeypatch):
    monkeypatch.setattr("data._download.TIMEOUT", (10, 0.2))
    server.cuts, server.hold = [0, 0], threading.Event()
    with pytest.raises(UserError, match=r"^a\.bin could not be fetched from .*: no answer in 0\.2 s\n"):
        get()


def test_a_cache_that_cannot_be_made(get, cache):
    cache.parent.mkdir()
    cache.write_text("a file where a folder should be")
    with pytest.raises(UserError) as error:
        get()
    assert str(error.value) == f"'{cache}/f' cannot be used: Not a directory\n  XDG_CACHE_HOME chooses another place"


def test_a_terminal_sees_progress(get, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    get()
    assert "a.bin" in terminal.getvalue()
    assert "1.0/1.0 MB" in terminal.getvalue()


def test_no_terminal_sees_nothing(get, capsys):
    get()
    assert capsys.readouterr() == ("", "")


def test_a_folder_of_the_users_is_read_and_left_alone(tmp_path, right, server):
    (tmp_path / NAME).write_bytes(CONTENT)
    assert local([NAME], md5=right, root=tmp_path) == [tmp_path / NAME]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError) as error:
        local(["a.gz", "b.gz"], md5={}, root=tmp_path / "none")
    assert str(error.value) == f"data.root is '{tmp_path}/none', which is not a folder\n  it must hold a.gz, b.gz"


def test_a_folder_that_lacks_files(tmp_path, right):
    (tmp_path / NAME).write_bytes(CONTENT)
    with pytest.raises(UserError) as error:
        local(["b.gz", NAME, "c.gz"], md5=right, root=tmp_path)
    assert str(error.value) == (
        f"data.root is '{tmp_path}', which lacks b.gz, c.gz\n"
        "  put the published file there, or leave out data.root to have it fetched"
    )


def test_a_damaged_file_of_the_users_is_refused_and_kept(tmp_path, right, md5):
    (tmp_path / NAME).write_bytes(CONTENT[:1000])
    with pytest.raises(UserError) as error:
        local([NAME], md5=right, root=tmp_path)
    assert str(error.value) == (
        f"'{tmp_path}/a.bin' is not the published file: its md5 is {md5(CONTENT[:1000])}, not {right[NAME]}\n"
        "  it has 1000 bytes, and is damaged or cut short\n"
        "  put the published file there, or leave out data.root to have it fetched"
    )
    assert (tmp_path / NAME).read_bytes() == CONTENT[:1000]


def test_a_packed_file_may_stand_unpacked(tmp_path, md5):
    (tmp_path / "a").write_bytes(CONTENT)
    known = {"a.gz": "another", "a": md5(CONTENT)}
    assert local(["a.gz"], md5=known, root=tmp_path) == [tmp_path / "a"]


def test_a_home_is_understood(tmp_path, right, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / NAME).write_bytes(CONTENT)
    assert local([NAME], md5=right, root=Path("~")) == [tmp_path / NAME]


def wait_for(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)
