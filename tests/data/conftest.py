"""Small files in the real formats, and a server on loopback that knows ranges and can fail on purpose.

Fixtures:

    server        an HTTP server on loopback: it serves `files`, notes `requests`, and cuts or holds answers as told
    cache         (of every test) the folder of downloaded files, empty
    offline       no address can be looked up
    md5           `md5(content)`: the hash that published files are checked by
    idx           `idx(array)`: an array as a file of MNIST's format
    mnist         MNIST's four files, small, by their names; the node expects their hashes
    mnist_root    a folder with these files
"""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from data.cmnist import Cmnist
from data.mnist import TEST, TRAIN, Mnist

WAIT = 600  # s; a generous limit, for a busy machine


class Server:
    """Serves a dict of files, records each request, and truncates or delays answers on request."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = True  # whether a Range is honoured
        self.cuts: list[int] = []  # for the next requests: number of body bytes before the connection closes
        self.hold: threading.Event | None = None  # a truncated answer waits for this event instead of closing
        self.held = threading.Event()  # an answer is waiting
        self.requests: list[tuple[str, int]] = []  # file, and first byte asked for
        self.sent = 0  # bytes of bodies
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}/files/"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/files/")
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                start = int(asked[1]) if asked else 0
                server.requests.append((name, start))
                if name not in server.files:
                    self.send_error(404)
                    return
                content = server.files[name]
                start = start if server.ranges else 0
                if start and start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self.send_body(content[start:])

            def send_body(self, body: bytes) -> None:
                cut = server.cuts.pop(0) if server.cuts else None
                server.sent += len(body[:cut])
                self.wfile.write(body[:cut])
                self.wfile.flush()
                if cut is not None:
                    self.close_connection = True
                    if server.hold is not None:
                        server.held.set()
                        server.hold.wait(WAIT)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("data._download.TIMEOUT", (WAIT, WAIT))  # only the client's limit matters
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    if server.hold is not None:
        server.hold.set()
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for the test, instead of this user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cn"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr("socket.getaddrinfo", refuse)


@pytest.fixture(scope="session")
def md5() -> Callable[[bytes], str]:
    return lambda content: hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(scope="session")
def idx() -> Callable[[np.ndarray], bytes]:
    """Return an array of bytes in the idx format."""
    return lambda array: struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(
    md5: Callable[[bytes], str], idx: Callable[[np.ndarray], bytes], monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """MNIST's four files with 200 and 100 distinct images, in place of the published ones."""
    files = mnist_files(idx, sizes=(200, 100))
    for node in (Mnist, Cmnist):
        monkeypatch.setattr(node, "_md5", {name: md5(content) for name, content in files.items()})
    return files


def mnist_files(idx: Callable[[np.ndarray], bytes], sizes: Sequence[int]) -> dict[str, bytes]:
    random = np.random.RandomState(0)
    files: dict[str, bytes] = {}
    for (images, labels), size in zip((TRAIN, TEST), sizes, strict=True):
        files[images] = gzip.compress(idx(random.randint(0, 256, (size, 28, 28)).astype(np.uint8)), mtime=0)
        files[labels] = gzip.compress(idx((np.arange(size) % 10).astype(np.uint8)), mtime=0)
    return files


@pytest.fixture
def mnist_root(mnist: dict[str, bytes], tmp_path: Path) -> Path:
    root = tmp_path / "mnist"
    root.mkdir()
    for name, content in mnist.items():
        (root / name).write_bytes(content)
    return root
