"""How the supervisors of one job's nodes find each other and speak: lines of JSON over TCP.

Not through files, which another node may see late. One that is gone is known by its connection.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from runs.launch._queue import Here

PORTS = 8
WAIT = 300  # s that the nodes of a job may take to find each other
PATIENCE = 30.0  # s that the other end of a new connection has to say who it is


def ports(here: Here) -> list[int]:
    """Where the first node listens, at the first of these that is free: another start of a job has others."""
    return random.Random(f"{here.number} {here.restarts}").sample(range(15_000, 32_000), PORTS)


class Link:
    """A connection to another node's supervisor."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE)
        self.rest = b""
        self.gone = False

    def say(self, **words: Any) -> None:
        try:
            self.socket.sendall(json.dumps(words).encode() + b"\n")
        except OSError:
            self.gone = True

    def hear(self) -> list[dict[str, Any]]:
        """What has come, and a little may come in between; nothing more comes from one that is gone."""
        try:
            came = self.socket.recv(65536)
        except OSError:
            came = b""
        self.gone = self.gone or not came
        *whole, self.rest = (self.rest + came).split(b"\n")
        return [json.loads(line) for line in whole]

    def first(self) -> dict[str, Any]:
        """What it says first, and nothing that comes after; empty where that is not in our words."""
        line = b""
        with suppress(OSError, ValueError):
            while not line.endswith(b"\n") and len(line) < 10_000 and (byte := self.socket.recv(1)):
                line += byte
            words = json.loads(line)
            return words if isinstance(words, dict) else {}
        return {}

    def close(self) -> None:
        self.gone = True
        self.socket.close()


def start(here: Here, label: str) -> str:
    """What two supervisors have to have in common."""
    return f"{label} {here.number} {here.restarts}"


def connect(here: Here, label: str, *, refused: str | None) -> Iterator[tuple[Link, str] | None]:
    """To the first node, with the address at which it was reached; None, again and again, until it is there."""
    while True:
        for address in here.first:
            for port in ports(here):
                with suppress(OSError):
                    link = Link(socket.create_connection((address, port), timeout=PATIENCE))
                    link.say(start=start(here, label), node=here.node, host=here.host, refused=refused)
                    if link.first().get("welcome") == start(here, label):
                        link.say(here=True)
                        yield link, address
                        return
                    link.close()
        yield None
        time.sleep(0.2)
