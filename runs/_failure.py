"""Error reports of a run that ended early: the cause, and how to go on."""

from __future__ import annotations

import errno
import os
import traceback
from pathlib import Path

import torch

from cn import CNError, Diverged, Pruned, RunError, UserError
from cn.errors import lines, short
from cn.launching.ranks import FILES, Lost, output
from cn.run_folder.folder import again, log
from cn.screen import say
from runs import Run, _checkpoint
from runs._network_error import unfit, without_gradient
from runs._processes.collectives import ALONE, Ranks
from runs._processes.stop import Stop
from runs._training.loop import Interrupted
from runs.callbacks._hooks import CallbackError

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


def explain(error: BaseException, run: Run, folder: Path, stop: Stop, ranks: Ranks = ALONE) -> Exception:
    """Return the error to end with, which log.txt records too; for a defect in the code, print its traceback first."""
    if isinstance(error, BrokenPipeError):  # the reader of our output has exited
        note(folder, str(error), ranks)
        return error
    gone = ranks.lost(error)
    told = Lost(lines(gone, _on(folder))) if gone else _known(error, run, folder, stop)
    trace = "".join(traceback.format_exception(error)).rstrip()
    if told is None and (fails := unfit(error, run)) is not None:
        note(folder, trace, ranks)
        kept = f"its traceback is in {_log(folder, ranks)}" if ranks.first or FILES in os.environ else None
        told = UserError(*str(fails).split("\n  "), kept, _on(folder) if _has(folder, _checkpoint.LAST) else None)
    if told is None:
        say(trace, error=True)
        if ranks.first:
            note(folder, trace)
        first = str(error).partition("\n")[0]
        what = first if isinstance(error, CallbackError) else f"{type(error).__name__}{': ' if first else ''}{first}"
        compiling = type(error).__module__.startswith(("torch._inductor", "torch._dynamo"))
        without = "to leave out the compiler: compile=false" if compiling else None
        told = RunError(what, without, f"its traceback is {_where(folder, ranks)}", _on(folder))
    note(folder, str(told), ranks)
    return told


def _where(folder: Path, ranks: Ranks) -> str:
    if ranks.first:
        return f"above, and in {_log(folder, ranks)}"
    return f"in {_log(folder, ranks)}" if FILES in os.environ else "above"


def _log(folder: Path, ranks: Ranks) -> Path:
    """Return the file that `note` writes to."""
    return folder / "log.txt" if ranks.first else output(folder, ranks.rank)


def note(folder: Path, text: str, ranks: Ranks = ALONE) -> None:
    """Append to log.txt, or print that it cannot be written; ranks other than 0 use their own file."""
    if not ranks.first:
        if FILES in os.environ:
            say(text, error=True)
        return
    try:
        log(folder, text)
    except OSError as error:
        say(f"log.txt cannot be written: {error}", error=True)


def _known(error: BaseException, run: Run, folder: Path, stop: Stop) -> CNError | None:
    """Return the error to report for a known kind of failure; None for a defect, whose traceback is needed."""
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        what = str(error) if isinstance(error, Interrupted) else f"stopped at once by {stop.asked or 'Ctrl-C'}"
        stopped = Interrupted(lines(what, _on(folder)))
        stopped.status = stop.status
        return stopped
    if isinstance(error, (Pruned, UserError, _checkpoint.Unreadable)):
        return error
    if isinstance(error, Diverged):
        lr = getattr(run.optim, "lr", None)
        calmer = [f"optim.lr={lr / 10:g}" if isinstance(lr, float) else "", "clip=1" if run.clip is None else ""]
        try_it = f"to try again more calmly: {again(folder)} {' '.join(filter(None, calmer))}".rstrip()
        kept = f"what it was before: {again(folder)} mode=eval" if _has(folder, _checkpoint.BEST) else None
        return Diverged(lines(str(error), try_it, kept))
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "DefaultCPUAllocator" in str(error):
        half, odd = divmod(run.data.batch_size, 2)
        same = f"the same steps in less memory: data.batch_size={half} accumulate={2 * run.accumulate}"
        return RunError("out of memory", None if odd else same, _on(folder))
    if isinstance(error, OSError) and _concerns(error, folder):
        return RunError(f"cannot write to {folder}: {error}", _on(folder))
    if idle := without_gradient(error):
        what = f"parallel=ddp: the loss of a step does not depend on {short(', '.join(idle))}"
        without = f"where no step needs them: {again(folder)} 'freeze=[{','.join(idle)}]'"
        return UserError(what, "so the processes waited for their gradients in vain", without)
    if isinstance(error, CNError):
        return RunError(*str(error).split("\n  "), _on(folder))
    return None


def _on(folder: Path) -> str:
    if _has(folder, _checkpoint.LAST):
        return f"to go on from the last checkpoint: {again(folder)}"
    if not folder.is_dir():
        return f"{folder} has been moved or removed; if it is elsewhere now: {again(Path('FOLDER'))}"
    return f"the run is in {folder}, which has no checkpoint yet"


def _has(folder: Path, name: str) -> bool:
    return (folder / name).exists()


def _concerns(error: OSError, folder: Path) -> bool:
    """Return whether the error is about a file in the folder; a full disk reports no file name."""
    if error.filename is None:
        return error.errno in DISK
    return Path(str(error.filename)).is_relative_to(folder)
