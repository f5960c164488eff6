"""The process of one trial: call the program's function, and report its value or error."""

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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from cn import program
from cn.errors import CNError, UserError, short
from cn.job import PRUNED, Diverged, Job
from cn.launching.processes import Part, Spread
from cn.launching.rank import Rank
from cn.launching.ranks import Lost
from cn.launching.shared import imported, reseed
from cn.launching.signals import stopping
from cn.launching.workers import fork
from cn.nodes.node import CN
from cn.nodes.traversal import freeze
from cn.process import end_with_parent
from cn.run_folder.folder import has_field, near
from cn.run_folder.recorded import Recorded, goal_among, numbers
from cn.run_folder.state_files import DamagedError, read, set_aside
from cn.screen import say
from cn.sweeping.folder.past import state_before
from cn.sweeping.folder.store import Batch, Store, Trial
from cn.sweeping.job.reporter import reporter
from cn.sweeping.submitting.snapshots import verify
from cn.writing.command_line import command as words_of
from cn.writing.record import FILE, dump, unplain


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
    """Call `batch.function` with the trial's run, and exit this process, which was forked for it.

    output: file descriptor for its output; None: inherit the parent's output.
    answer: write end of a pipe for the function's value or the error, as JSON.
    processes: number of the trial's processes on this node.
    part: which ranks these are, if the trial has several nodes.
    """
    told: dict[str, Any] = {}
    status = 1
    begun: list[Rank] = []
    try:
        _settle(environment, output)
        os.chdir(batch.cwd)
        if processes > 1 or part is not None:
            fork(begun, processes)
        value = _call(batch, trial, folder, snapshot, resumes=resumes, processes=processes, part=part, begun=begun)
        found = numbers(value)
        if isinstance(value, Mapping) or found:  # a number of NumPy or torch becomes a plain one
            value = found.get(goal_among(found))
        told["value"] = value if isinstance(value, (int, float, bool, type(None))) else short(str(value))
        status = 0
    except CNError as error:
        status = error.status
        if part is not None and isinstance(error, Lost):  # another node has the actual reason
            told["lost"] = str(error)
        else:
            _say(str(error))
        if status == PRUNED:
            told["pruned"] = True
        elif status <= 128:  # otherwise it was asked to stop
            told["reason"] = short(str(error).partition("\n")[0])
            told["diverged"] = isinstance(error, Diverged)
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
    told["modules"] = sorted({*imported(), *(name for rank in begun for name in rank.imported)})
    _finish(answer, told, status)


def _say(text: str) -> None:
    """Print an error; ignore a full disk or a closed output."""
    with contextlib.suppress(OSError):
        say(text, error=True)


def _call(
    batch: Batch,
    trial: Trial,
    folder: Path,
    snapshot: Path,
    *,
    resumes: bool,
    processes: int,
    part: Part | None,
    begun: list[Rank],
) -> Any:
    module, _, name = batch.function.partition(":")
    program.script = program.of_function(batch.function)
    run: CN = unplain(trial.config)
    words = trial.typed
    try:
        words = words or tuple(words_of(run))
    except UserError:  # the command line cannot name its class
        words = trial.words
    reports = reporter(batch, snapshot.parents[1], folder)
    folder = near(folder)  # relative to the directory of the command
    if has_field(type(run)):
        vars(run)["folder"] = folder
    freeze(run)
    function = getattr(importlib.import_module(module), name)
    verify(snapshot)  # includes modules that the function's file imported
    call = Spread(function, processes, part, begun)
    if not batch.makes_folder and (part is None or part.first == 0):
        call = Recorded(call)
    if resumes:
        _mend(run, folder)
        own = None if batch.makes_folder else folder
        job = Job(source=folder, argv=("--from", str(folder)), folder=own, reports=reports, branches=trial.branches)
        return call(run, job)
    begin = ("--from", batch.source) if batch.source else ()
    source = Path(batch.source) if batch.source else None
    past = state_before(Store(snapshot.parents[1]), trial)
    job = Job(
        overrides=words,
        argv=(*begin, *words),
        source=source,
        folder=folder,
        reports=reports,
        past=None if past is None else past._replace(folder=near(past.folder)),
        branches=trial.branches,
    )
    return call(run, job)


def _mend(run: CN, folder: Path) -> None:
    """Rewrite the configuration of a resumed run if its file is lost or damaged."""
    try:
        if isinstance(read(folder / FILE), dict):
            return
    except DamagedError:
        set_aside(folder / FILE)
    dump(run, folder)


def _settle(environment: dict[str, str], output: int | None) -> None:
    """Reset the state that the fork inherited: exit handlers, signals, process group, stdin and output."""
    atexit._clear()
    os.setpgid(0, 0)  # a process group of its own, so that its subprocesses can be killed with it
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # SLURM sends it to every process before the time limit
    for number in (*stopping(), signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.environ.update(environment)
    reseed()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if output is not None:
        os.dup2(output, 1)
        os.dup2(output, 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _finish(answer: int, told: dict[str, Any], status: int) -> NoReturn:
    """Run the end of a Python process without the parent's exit handlers."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(answer, zlib.compress(json.dumps(told).encode()))  # about 10 kB; a pipe holds 64 kB
    os._exit(status & 0xFF)
