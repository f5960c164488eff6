"""Restarts by torchrun (--max-restarts) resume in the folder of the earlier processes.

The folder's name may contain the time, so it is kept in torchrun's store, which lives on the first node.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

from cn.nodes.to_json import plain
from runs import Run
from runs._processes.collectives import Ranks


def before(run: Run, ranks: Ranks) -> Path | None:
    """Return the folder in which an earlier process began this run, or None; only rank 0 asks."""
    if ranks.kept is None or not ranks.kept.check([_key(run)]):
        return None
    folder, begun_by = json.loads(ranks.kept.get(_key(run)))
    return Path(folder) if begun_by != _me() else None  # one process may train the same run twice


def hand_on(folder: Path, run: Run, ranks: Ranks) -> Path:
    """Store the folder so that torchrun's restarted workers resume in it; return the folder."""
    if ranks.kept is not None:
        ranks.kept.set(_key(run), json.dumps([str(folder), _me()]))
    return folder


def _key(run: Run) -> str:
    """Return the store key of a run; one torchrun may train several runs."""
    return f"folder of {hashlib.sha256(json.dumps(plain(run)).encode()).hexdigest()}"


def _me() -> str:
    return f"{socket.gethostname()} {os.getpid()}"
