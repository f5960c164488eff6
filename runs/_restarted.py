"""What torchrun starts again, with --max-restarts, goes on in the folder of the processes before.

Its name may have the time in it, so it is handed on: in the store that torchrun keeps on its first node while it lives.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

from cn.record import plain
from runs import Run
from runs._ranks import Ranks


def before(run: Run, ranks: Ranks) -> Path | None:
    """The folder in which a process that is gone began this run; asked by the first of the processes."""
    if ranks.kept is None or not ranks.kept.check([_key(run)]):
        return None
    folder, begun_by = json.loads(ranks.kept.get(_key(run)))
    return Path(folder) if begun_by != _me() else None  # one process may train the same run twice


def hand_on(folder: Path, run: Run, ranks: Ranks) -> Path:
    """The folder, which is kept for those that are started where one of these fails."""
    if ranks.kept is not None:
        ranks.kept.set(_key(run), json.dumps([str(folder), _me()]))
    return folder


def _key(run: Run) -> str:
    """One torchrun may train several runs, in turn."""
    return f"folder of {hashlib.sha256(json.dumps(plain(run)).encode()).hexdigest()}"


def _me() -> str:
    return f"{socket.gethostname()} {os.getpid()}"
