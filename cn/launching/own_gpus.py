"""GPUs of this machine that no other batch uses: each is held by an abstract socket, which the kernel frees with the
last process that has it open.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence


def hold(groups: Sequence[str], first: int) -> tuple[str, list[socket.socket]]:
    """Return the next group of GPUs from the index `first` on that nobody holds, and the sockets that hold it now.

    If all are held, trials share GPUs: return the group at `first`, and no sockets.
    """
    for place in range(first, first + len(groups)):
        group = groups[place % len(groups)]
        held = [each for name in group.split(",") if (each := _hold_one(name)) is not None]
        if len(held) == len(group.split(",")):
            return group, held
        for each in held:
            each.close()
    return groups[first % len(groups)], []


def _hold_one(name: str) -> socket.socket | None:
    one = socket.socket(socket.AF_UNIX)
    try:
        one.bind(f"\0cn GPU {name}")
    except OSError:  # it is held, or this system has no abstract sockets
        one.close()
        return None
    return one
