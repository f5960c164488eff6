"""Python commands whose process is forked from one that has imported other people's packages already.

Importing torch takes a process 3 s, and Hydra 0.4 s. None of this repository's modules is imported beforehand, so a
command finds each of them as it is at that moment, in the folder that it is started in. A test of what a process
imports, of the process itself or of its signals starts one of its own instead.

    python warm.py serve FILE FILE MODULE ...     import the modules, and fork for each request on a socket
    python warm.py ask ADDRESS train.py ...       be such a command, in the place of `python train.py ...`
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import NoReturn

CONFIG = ("hydra.core.config_store", "hydra.core.override_parser.overrides_parser", "omegaconf")
STANDARD = ("asyncio", "logging.handlers", "multiprocessing", "pdb", "tokenize", "zipfile")
TORCH = ("torch", "torch.utils.data", "torch.distributed", "torch.nn.parallel")
SCIENCE = ("numpy", "scipy.io", "sklearn.datasets", "einops", "matplotlib.figure", "rich.console", "filelock")


class Warm:
    """A process that imports modules once and forks for each command."""

    def __init__(self, *modules: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self.address = str(self._folder / "socket")
        self._end, other = socket.socketpair()
        with other, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.address)
            listening.listen(64)
            files = [listening.fileno(), other.fileno()]
            self._process = subprocess.Popen(
                [sys.executable, "-X", "utf8", __file__, "serve", *map(str, files), *modules],
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=Path(__file__).parent,  # it is in no test's folder
                start_new_session=True,  # Ctrl-C is for the tests
            )
        atexit.register(self.close)

    def run(self, words: list[str], *, cwd: Path, env: Mapping[str, str]) -> CompletedProcess[str]:
        """What `python WORDS` prints, and its exit status."""
        pipes = [os.pipe(), os.pipe()]
        with open(os.devnull) as nothing:
            answer = _asked(self.address, words, cwd, env, [nothing.fileno(), *(write for _, write in pipes)])
        for _, write in pipes:
            os.close(write)
        read: list[str] = ["", ""]

        def drain(number: int) -> None:
            with open(pipes[number][0], encoding="utf-8", errors="replace") as file:
                read[number] = file.read()

        beside = threading.Thread(target=drain, args=[1])
        beside.start()
        drain(0)
        beside.join()
        return CompletedProcess([sys.executable, *words], _status(answer), *read)

    def close(self) -> None:
        self._end.close()
        self._process.wait()
        shutil.rmtree(self._folder)


def ask(address: str, words: list[str]) -> NoReturn:
    """Be the command `python WORDS`, which another process forks."""
    status = _status(_asked(address, words, Path(), os.environ, [0, 1, 2]))
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _asked(address: str, words: list[str], cwd: Path, env: Mapping[str, str], files: list[int]) -> socket.socket:
    """Ask for a command whose streams are these files; return the socket on which its exit status will come."""
    answer = socket.socket(socket.AF_UNIX)
    answer.connect(address)
    asked = json.dumps({"words": words, "cwd": str(cwd.absolute()), "env": dict(env)}).encode()
    socket.send_fds(answer, [len(asked).to_bytes(4, "big")], files)
    answer.sendall(asked)
    return answer


def _status(answer: socket.socket) -> int:
    with answer:
        return int.from_bytes(_exactly(answer, 4), "big", signed=True)


@functools.cache
def config() -> Warm:
    """With Hydra."""
    return Warm(*CONFIG, *STANDARD)


@functools.cache
def torch() -> Warm:
    """With torch and what runs import besides."""
    return Warm(*CONFIG, *STANDARD, *TORCH, *SCIENCE)


def _exactly(end: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = end.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def wait_for_a_command(listening: socket.socket, end: socket.socket) -> list[str] | None:
    """Returns in each process that is to be a command, with its words; in this one, once nobody asks any more."""
    while True:
        ready, _, _ = select.select([listening, end], [], [])
        if end in ready:
            return None
        answer, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            end.close()
            return _fork_command(answer)
        answer.close()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _fork_command(answer: socket.socket) -> list[str]:
    """Fork the process of the command, and return there; the caller's process waits for it, answers, and ends."""
    length, files, _, _ = socket.recv_fds(answer, 4, 3)
    asked = json.loads(_exactly(answer, int.from_bytes(length, "big")))
    child = os.fork()
    if child == 0:
        answer.close()
        _become(asked["cwd"], asked["env"], files)
        return asked["words"]
    for file in files:
        os.close(file)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    answer.sendall(status.to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(cwd: str, env: dict[str, str], files: list[int]) -> None:
    """Set what a process is given: its folder, variables, streams, and what Python makes of variables."""
    for stream, file in enumerate(files):
        os.dup2(file, stream)
        os.close(file)
    # anew, because Python has noted of the old ones what kind of file they write to
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    os.setsid()
    os.chdir(cwd)
    if process := sys.modules.get("multiprocessing.process"):
        process.ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]  # where a spawned process looks for the program
    os.environ.clear()
    os.environ.update(env)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    for action in filter(None, env.get("PYTHONWARNINGS", "").split(",")):
        warnings.simplefilter(action)  # type: ignore[arg-type]


def do(words: list[str]) -> None:
    """What `python WORDS` does in a new process, up to how it ends."""
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).absolute().parent))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder
    if sys.argv[1] == "ask":
        ask(sys.argv[2], sys.argv[3:])
    for name in sys.argv[4:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    sockets = [socket.socket(fileno=int(each)) for each in sys.argv[2:4]]
    if asked := wait_for_a_command(*sockets):
        do(asked)
