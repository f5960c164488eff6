"""The connection between the supervisors of a job's nodes: lines of JSON over TCP, each signed with an HMAC.

Both ends know the secret of their batch. Each end begins with a random line; both lines and the secret give the key of
this connection, which signs each line with its direction and number (HMAC-SHA256, RFC 2104): forged and replayed lines
are dropped. Files are not used, because another node may see them late. A closed connection shows that a node is gone.
"""

from __future__ import annotations

import hmac
import json
import math
import random
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cn.launching.queue import Here

PORTS = 8
WAIT = 300  # s; the maximum time for the nodes of a job to find each other
PATIENCE = 10.0  # s; the maximum time for a new connection to identify itself
RANDOM = 32  # letters of each end's first line
LONGEST = 2**24  # bytes; the maximum of a line, which may hold a trial's result
UNKNOWN = 4096  # the same, before the first valid line


def ports(here: Here) -> list[int]:
    """Return the ports that the first node tries in order; another start of the job gets other ports."""
    return random.Random(f"{here.number} {here.restarts}").sample(range(15_000, 32_000), PORTS)


class Link:
    """A connection to another node's supervisor."""

    def __init__(self, connected: socket.socket, secret: bytes, *, first: bool) -> None:
        """secret: of the job's start. first: whether this end is the first node."""
        self.socket, self.secret, self.first = connected, secret, first
        self.socket.settimeout(PATIENCE)
        self.since = time.monotonic()
        self.own = secrets.token_hex(RANDOM // 2)
        self.key: bytes | None = None  # known once the other end's random line arrives
        self.said = self.heard = 0  # signed lines sent, and received
        self.dropped = 0  # unsigned lines
        self.rest = b""
        self.gone = False
        self._send(self.own.encode())

    def say(self, **words: Any) -> None:
        """Sign and send a message; waits for the other end's first line if necessary."""
        while self.key is None and not self.gone:
            self._take(self._came(self.since + PATIENCE))
        if self.key is not None:
            text = json.dumps(words).encode()
            self._send(self._sign(text, self.said, first=self.first) + b" " + text)
            self.said += 1

    def hear(self) -> list[dict[str, Any]]:
        """Complete messages received so far; [] once the peer is gone."""
        return self._take(self._came())

    def close(self) -> None:
        self.gone = True
        self.socket.close()

    def await_first(self) -> dict[str, Any]:
        """Return the first message, waiting up to PATIENCE; {} if none comes."""
        while not self.gone:
            if words := self._take(self._came(self.since + PATIENCE)):
                return words[0]
        return {}

    def _came(self, end: float = math.inf) -> bytes:
        """Receive bytes, waiting until `end` on the monotonic clock."""
        try:
            self.socket.settimeout(min(PATIENCE, max(0.001, end - time.monotonic())))
            came = self.socket.recv(65536)
            self.socket.settimeout(PATIENCE)
        except OSError:
            came = b""
        self.gone = self.gone or not came
        return came

    def _take(self, came: bytes) -> list[dict[str, Any]]:
        """Return the messages of complete, signed lines; other lines are dropped and counted."""
        *whole, self.rest = (self.rest + came).split(b"\n")
        found: list[dict[str, Any]] = []
        for line in whole:
            if self.key is None:
                self._meet(line)
                continue
            signature, _, text = line.partition(b" ")
            if hmac.compare_digest(signature, self._sign(text, self.heard, first=not self.first)):
                self.heard += 1
                found.append(json.loads(text))
            else:
                self._drop()
        if len(self.rest) > (LONGEST if self.heard else UNKNOWN):
            self.rest = b""
            self._drop()
        return found

    def _meet(self, line: bytes) -> None:
        if len(line) != RANDOM:
            self._drop()
            return
        both = [self.own.encode(), line] if self.first else [line, self.own.encode()]
        self.key = hmac.digest(self.secret, b" ".join(both), "sha256")

    def _drop(self) -> None:
        """Drop a line; close the connection if it has never sent a valid line."""
        self.dropped += 1
        if not self.heard:
            self.close()

    def _sign(self, text: bytes, number: int, *, first: bool) -> bytes:
        assert self.key is not None
        return hmac.digest(self.key, b"%d %d " % (first, number) + text, "sha256").hex().encode()

    def _send(self, line: bytes) -> None:
        try:
            self.socket.sendall(line + b"\n")
        except OSError:
            self.gone = True


def start(here: Here, label: str, secret: bytes) -> bytes:
    """Derive the secret of one start of a job from the secret of its batch."""
    return hmac.digest(secret, f"{label} {here.number} {here.restarts}".encode(), "sha256")


def connect(here: Here, label: str, secret: bytes, *, refused: str | None) -> Iterator[tuple[Link, str] | None]:
    """Connect to the first node; yield the link and its address, or None after each failed attempt."""
    while True:
        for address in here.first:
            for port in ports(here):
                with suppress(OSError):
                    connected = socket.create_connection((address, port), timeout=PATIENCE)
                    link = Link(connected, start(here, label, secret), first=False)
                    link.say(node=here.node, host=here.host, refused=refused)
                    if "welcome" in link.await_first():  # the other end is silent until it confirms our message
                        link.say(here=True)
                        yield link, address
                        return
                    link.close()
                yield None
        time.sleep(0.2)
