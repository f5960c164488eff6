"""The folder of a run: its name, its first files, and the lock of the process that writes to it."""

from __future__ import annotations

import datetime
import errno
import fcntl
import json
import os
import re
import shlex
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from cn import program
from cn.errors import RunError, UserError
from cn.files import replacing, sync
from cn.job import Job
from cn.nodes.node import CN
from cn.paths import OUTPUTS as OUTPUTS
from cn.paths import at_home
from cn.run_folder.state_files import DamagedError, make_way, read
from cn.run_folder.status import RunStatus, is_finished
from cn.run_folder.where import names
from cn.screen import say
from cn.writing.record import FILE, dump

MOMENTS = 10  # attempts at a lock


def create(run: CN, job: Job) -> Path:
    """Make a folder with the run's command line and configuration, and return it; RunError if that fails.

    A folder with a configuration counts as a run, so the configuration is written last, and atomically.
    """
    moved = job.source is not None and not any(each.startswith("folder=") for each in job.overrides)
    own = folder_of(run)
    wanted = job.folder if moved else own or job.folder  # with --from, the recorded `folder` holds the earlier run
    _refuse_unread(wanted or OUTPUTS)
    try:
        folder = _exactly(wanted, key(type(run))) if wanted else _new(job)
        with claimed(folder):
            refuse_taken(folder, key(type(run)))  # another process may have made its run here just now
            (folder / "command.txt").write_bytes(os.fsencode(command_line(job) + "\n"))  # the letters that were typed
            dump(run, folder)
    except OSError as error:
        raise RunError(f"cannot make a run folder: {error}", f"to put it elsewhere: {key(type(run))}=PATH") from None
    return folder


def has_field(cls: type[CN]) -> bool:
    """Return whether the field `folder` chooses the folder of a class's runs: `_where_` names the field then."""
    return "folder" in names(cls)


def folder_of(run: CN) -> Path | None:
    """Return the folder that a run's own field chooses, if it has such a field and that is set."""
    folder: Path | None = getattr(run, "folder", None) if has_field(type(run)) else None
    return None if folder is None else at_home(folder)


def key(cls: type[CN]) -> str:
    """Return the key that chooses the folder of a run on the command line."""
    return "folder" if has_field(cls) else "hydra.run.dir"


def command_line(job: Job) -> str:
    """Return the shell command that requests the run."""
    words = job.argv or job.overrides
    if job.group:  # the typed words request all runs of the -m
        words = (*(["--from", str(job.source)] if job.source else []), *job.overrides)
    return program.command(*words)


def again(folder: Path, script: str | None = None) -> str:
    """Return the shell command that resumes the run in a folder; by default, of the program that runs now."""
    return program.command("--from", str(folder), program=script)


def tell(folder: Path, state: RunStatus, reason: str) -> None:
    """Record why a run ended, if its own processes were killed before they could, or did not know the reason."""
    path = folder / "summary.json"
    if not path.exists():
        return
    try:
        summary = read(path)
        if not isinstance(summary, dict):
            raise DamagedError(path, "it holds no object")
        if not is_finished(cast("dict[str, Any]", summary)):  # a finished run that is tested again keeps its result
            write_json(path, {**summary, "state": state, "reason": reason})
        log(folder, reason)
    except (OSError, DamagedError) as error:  # a full disk may have cut the file short
        say(f"summary.json cannot be written: {error}", error=True)


def log(folder: Path, text: str) -> None:
    """Append lines to log.txt; any letters can be written, in any locale."""
    with (folder / "log.txt").open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text + "\n")


def near(folder: Path) -> Path:
    """Return a folder relative to the current one, if it lies below the current one."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON atomically; on a full disk overwrite the file in place, since an existing file keeps its block."""
    text = json.dumps(value, indent=1) + "\n"
    try:
        with replacing(path) as beside:
            beside.write_text(text)
            make_way(path)
        with suppress(OSError):  # some file systems cannot sync a folder
            sync(path.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not path.exists() or len(text) > 4096:
            raise
        with path.open("r+") as file:
            file.write(text)
            file.truncate()


@contextmanager
def claimed(folder: Path, instead: str | None = None) -> Generator[None]:
    """Lock the folder, so that no other process can claim it; the kernel releases the lock if this process dies.

    instead: a line of advice for the error about a folder that is not writable.
    """
    try:
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error}", instead) from None
    with lock:
        try:
            if not _locked(lock):
                what = f"{folder} is being written to by another process"
                raise RunError(what, "wait for it to end, or stop it")
        except OSError as error:
            what = f"{folder} cannot be locked, so two processes could write to it: {error}"
            raise RunError(what, "choose a folder on another file system: folder=PATH") from None
        yield


def _locked(lock: TextIO) -> bool:
    """Lock the file, and return whether that is possible; others hold the lock for a moment to test it."""
    for _ in range(MOMENTS):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def _exactly(folder: Path, key: str) -> Path:
    refuse_taken(folder, key)
    if folder.absolute() == OUTPUTS.absolute() or next(folder.glob(f"*/{FILE}"), None) is not None:
        what = f"{key}={near(folder)}: runs have folders in it, and no command would find them beside its own run"
        raise UserError(what, f"write: {key}={shlex.quote(str(near(folder) / 'NAME'))}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _refuse_unread(folder: Path) -> None:
    """Raise UserError for a path that cannot be encoded in the current locale: torch could not open its files."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError:
        what = f"{folder.absolute()}: some letters of this path are none in the locale of this shell"
        raise UserError(what, "type first: export PYTHONUTF8=1") from None


def refuse_taken(folder: Path, key: str = "folder") -> None:
    """Raise UserError for a folder that holds a run; `key` chooses the folder on the command line."""
    if (folder / FILE).exists():
        folder = near(folder)
        again_there = f"to {'go on with it' if key == 'folder' else 'run it again'}: {again(folder)}"
        raise UserError(f"{key}={folder}: a run is there already", again_there, "for a new run: another folder")


def name_of(overrides: Sequence[str]) -> str:
    """Return a folder name for a run with these overrides; no shell requires quotes for it."""
    plain = re.sub(r"[][(){}'\"~ ]", "", ",".join(overrides))
    return re.sub(r"[^\w.=,+-]+", "-", plain, flags=re.ASCII)[:120]


def _new(job: Job) -> Path:
    """Make outputs/TIME_OVERRIDES, or outputs/TIME/OVERRIDES for a run of a -m; a number is added to a taken name."""
    named = name_of(job.overrides)
    now = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if job.group:
        return fresh(OUTPUTS / job.group / (named or "default"))
    return fresh(OUTPUTS / (f"{now}_{named}" if named else now))


def fresh(wanted: Path) -> Path:
    """Make a new folder of that name; a number is added to a taken name."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise RunError(f"{wanted.parent} holds ten thousand runs named {wanted.name}")
