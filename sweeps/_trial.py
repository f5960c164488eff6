"""One trial, in a process of its own: the program's function is called, and what came of it is told."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import signal
import sys
import threading
import traceback
import zlib
from pathlib import Path
from typing import Any, NoReturn

from cn import CNError, Job, UserError, command
from cn.errors import short
from cn.node import freeze
from cn.process import end_with_parent
from cn.record import FILE, dump, unplain
from cn.screen import say
from cn.words import command as words_of
from runs import Run
from runs._folder import near
from runs._ranks import Lost
from runs._state_files import DamagedError, read, set_aside
from runs.launch._processes import Part, start
from sweeps._snapshot import verify
from sweeps._store import Batch, Trial

# Libraries that take seconds to import and, imported, have started no thread: what a fork may share
SHARED = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "einops", "rich")


def run_trial(
    batch: Batch,
    trial: Trial,
    folder: Path,
    snapshot: Path,
    *,
    environment: dict[str, str],
    output: int | None,
    answer: int,
    resumes: bool,
    processes: int,
    part: Part | None,
) -> NoReturn:
    """Call `batch.function` with the trial's run, and end this process, which was forked for it.

    output: a file for what it prints; None: it prints where its parent does.
    answer: a pipe that takes, as JSON, the value that the function returned or the reason why it did not.
    processes: of the trial, on this node.
    part: which of its processes these are, where other nodes have some too.
    """
    told: dict[str, Any] = {}
    status = 1
    try:
        _settle(environment, output)
        os.chdir(batch.cwd)
        value = _call(batch, trial, folder, snapshot, resumes=resumes, processes=processes, part=part)
        told["value"] = value if isinstance(value, (int, float, bool, type(None))) else short(str(value))
        status = 0
    except CNError as error:
        status = error.status
        if part is not None and isinstance(error, Lost):  # another node knows better
            told["lost"] = str(error)
        else:
            _say(str(error))
        if status <= 128:  # else it was asked to stop
            told["reason"] = short(str(error).partition("\n")[0])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        told.update({} if status else {"reason": "called sys.exit before it had a result"})
        if isinstance(error.code, str):
            _say(error.code)
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:
        _say(traceback.format_exc().rstrip())
        told["reason"] = short(traceback.format_exception_only(error)[-1].strip().partition("\n")[0])
    told["modules"] = [name for name in sys.modules if name.partition(".")[0] in SHARED]
    _finish(answer, told, status)


def _say(text: str) -> None:
    """The reason is told though the disk is full and the output ends before it."""
    with contextlib.suppress(OSError):
        say(text, error=True)


def _call(
    batch: Batch, trial: Trial, folder: Path, snapshot: Path, *, resumes: bool, processes: int, part: Part | None
) -> Any:
    module, _, name = batch.function.partition(":")
    command.script = f"{module}.py"
    run = unplain(trial.config)
    if not isinstance(run, Run):
        raise UserError(f"a trial is a Run, and {trial.id} is a {type(run).__name__}")
    words = trial.typed
    try:
        words = words or tuple(words_of(run))
    except UserError:  # a class that the command line cannot name
        words = trial.words
    folder = near(folder)  # what the run says of its folder can be typed where the command was
    vars(run)["folder"] = folder
    freeze(run)
    function = getattr(importlib.import_module(module), name)
    verify(snapshot)  # also of what the function's own file imported
    if resumes:
        _mend(run, folder)
        job = Job(source=folder, argv=("--from", str(folder)))
        return start(function, run, job, count=processes, part=part)
    begin = ("--from", batch.source) if batch.source else ()
    source = Path(batch.source) if batch.source else None
    job = Job(overrides=words, argv=(*begin, *words), source=source, folder=folder)
    return start(function, run, job, count=processes, part=part)


def _mend(run: Run, folder: Path) -> None:
    """Write the configuration of a run that goes on once more, where its file is lost or damaged."""
    try:
        if isinstance(read(folder / FILE), dict):
            return
    except DamagedError:
        set_aside(folder / FILE)
    dump(run, folder)


def _settle(environment: dict[str, str], output: int | None) -> None:
    """Make the process its own: nothing of its parent's is left that would act here."""
    atexit._clear()
    os.setpgid(0, 0)  # so that what it starts can be ended with it
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # SLURM tells every process that the time limit is near
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.environ.update(environment)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if output is not None:
        os.dup2(output, 1)
        os.dup2(output, 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _finish(answer: int, told: dict[str, Any], status: int) -> NoReturn:
    """What a Python process does at its end; the parent's own ends are not this process's."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(answer, zlib.compress(json.dumps(told).encode()))  # some ten kB, and a pipe takes 64
    os._exit(status & 0xFF)
