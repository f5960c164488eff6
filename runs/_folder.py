"""The folder of a run: its name, what it keeps of how the run was asked for, and who may write to it."""

from __future__ import annotations

import datetime
import errno
import fcntl
import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cn import Job, RunError, UserError, command
from cn.errors import lines
from cn.record import dump
from cn.screen import say
from runs import Run
from runs._state_files import DamagedError, read, replace

OUTPUTS = Path("outputs")


def create(run: Run, job: Job) -> Path:
    """A new folder with the run's command line and configuration; RunError where it cannot be made.

    The configuration makes a folder count as a run, so it comes last, and whole or not at all.
    """
    moved = job.source is not None and not any(each.startswith("folder=") for each in job.overrides)
    wanted = job.folder if moved else run.folder or job.folder  # the folder of the run it came from is taken
    _refuse_unread(wanted or OUTPUTS)
    try:
        folder = _exactly(wanted) if wanted else _new(job)
        (folder / "command.txt").write_bytes(os.fsencode(command_line(job) + "\n"))  # the letters that were typed
        dump(run, folder)
    except OSError as error:
        raise RunError(lines(f"cannot make a run folder: {error}", "to put it elsewhere: folder=PATH")) from None
    return folder


def command_line(job: Job) -> str:
    """The command that asked for the run, for a shell."""
    words = job.argv or job.overrides
    if job.group:  # what was typed asked for all of them
        words = (*(["--from", str(job.source)] if job.source else []), *job.overrides)
    return shlex.join(["python", command.script, *words])


def again(folder: Path) -> str:
    """The command that goes on with the run in a folder, for a shell."""
    return shlex.join(["python", command.script, "--from", str(folder)])


def tell(folder: Path, state: str, reason: str) -> None:
    """Have the folder say why its run ended, where the run's own processes did not live to, or knew less."""
    path = folder / "summary.json"
    if not path.exists():
        return
    try:
        summary = read(path)
        if not isinstance(summary, dict):
            raise DamagedError(path, "it holds no object")
        if summary.get("state") != "finished":  # what it came to stands, where it was tested again
            write_json(path, {**summary, "state": state, "reason": reason})
        log(folder, reason)
    except (OSError, DamagedError) as error:  # a full disk may have torn it
        say(f"summary.json cannot be written: {error}", error=True)


def log(folder: Path, text: str) -> None:
    """Add lines to log.txt, whatever letters they have and whatever the locale is."""
    with (folder / "log.txt").open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text + "\n")


def near(folder: Path) -> Path:
    """The same folder, named from the current one where it lies below that."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all; on a full disk in place, since a file that is there has a block of its own."""
    text = json.dumps(value, indent=1) + "\n"
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text)
        replace(partial, path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not path.exists() or len(text) > 4096:
            raise
        with path.open("r+") as file:
            file.write(text)
            file.truncate()
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """What was written to a file, or put into a folder, is on the disk when it returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Within it, no other process can claim the folder; the kernel gives it back when this one dies."""
    try:
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise RunError(
            lines(f"cannot write to {folder}: {error}", f"to test it all the same: {again(folder)} mode=eval")
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                lines(f"{folder} is being written to by another process", "wait for it to end, or stop it")
            ) from None
        yield


def _exactly(folder: Path) -> Path:
    refuse_taken(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _refuse_unread(folder: Path) -> None:
    """UserError for a path that Python could not read in the locale it runs in: torch opens no such file."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        what = f"{folder.absolute()}: some letters of this path are none in the locale of this shell"
        raise UserError(lines(what, "type first: export PYTHONUTF8=1")) from None


def refuse_taken(folder: Path) -> None:
    """UserError for a folder that holds a run."""
    if (folder / "config.json").exists():
        folder = near(folder)
        again_there = f"to go on with it: {again(folder)}"
        raise UserError(lines(f"folder={folder}: a run is there already", again_there, "for a new run: another folder"))


def name_of(overrides: Sequence[str]) -> str:
    """A folder's name for a run with these overrides, in letters that no shell asks to quote."""
    plain = re.sub(r"[][(){}'\"~ ]", "", ",".join(overrides))
    return re.sub(r"[^\w.=,+-]+", "-", plain, flags=re.ASCII)[:120]


def _new(job: Job) -> Path:
    """outputs/TIME_OVERRIDES, or outputs/TIME/OVERRIDES for one of several; numbered where it is taken."""
    named = name_of(job.overrides)
    now = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if job.group:
        return fresh(OUTPUTS / job.group / (named or "default"))
    return fresh(OUTPUTS / (f"{now}_{named}" if named else now))


def fresh(wanted: Path) -> Path:
    """A new folder of that name; numbered where it is taken."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise RunError(f"{wanted.parent} holds ten thousand runs named {wanted.name}")
