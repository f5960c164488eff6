"""How the supervisors of one job's nodes find each other and speak: lines of JSON over TCP, each with an HMAC.

Both ends know the secret of their batch. Each begins with a random line; of both and the secret comes the key of this
connection, and by it each line is signed with its direction and number (HMAC-SHA256, RFC 2104): what others send, or
send again, is not heard. Not through files, which another node may see late. One that is gone is known by its
connection.
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

from runs.launch._queue import Here

PORTS = 8
WAIT = 300  # s that the nodes of a job may take to find each other
PATIENCE = 10.0  # s that the other end of a new connection has to say who it is
RANDOM = 32  # letters of the line that each end begins with
LONGEST = 2**24  # bytes of a line; what a trial returns is in one
UNKNOWN = 4096  # the same, of who has not yet said anything right


def ports(here: Here) -> list[int]:
    """Where the first node listens, at the first of these that is free: another start of a job has others."""
    return random.Random(f"{here.number} {here.restarts}").sample(range(15_000, 32_000), PORTS)


class Link:
    """A connection to another node's supervisor."""

    def __init__(self, connected: socket.socket, secret: bytes, *, first: bool) -> None:
        """secret: of the job's start. first: whether this end is the first node's."""
        self.socket, self.secret, self.first = connected, secret, first
        self.socket.settimeout(PATIENCE)
        self.since = time.monotonic()
        self.own = secrets.token_hex(RANDOM // 2)
        self.key: bytes | None = None  # once the other end's random line has come
        self.said = self.heard = 0  # lines that were signed, each way
        self.dropped = 0  # lines that were not
        self.rest = b""
        self.gone = False
        self._send(self.own.encode())

    def say(self, **words: Any) -> None:
        """Sign and send; before the other end's first line has come, it is waited for."""
        while self.key is None and not self.gone:
            self._take(self._came(self.since + PATIENCE))
        if self.key is not None:
            text = json.dumps(words).encode()
            self._send(self._sign(text, self.said, first=self.first) + b" " + text)
            self.said += 1

    def hear(self) -> list[dict[str, Any]]:
        """What has come, and a little may come in between; nothing more comes from one that is gone."""
        return self._take(self._came())

    def close(self) -> None:
        self.gone = True
        self.socket.close()

    def await_first(self) -> dict[str, Any]:
        """What it says first, within its patience; empty where that does not come."""
        while not self.gone:
            if words := self._take(self._came(self.since + PATIENCE)):
                return words[0]
        return {}

    def _came(self, end: float = math.inf) -> bytes:
        """What has come, or comes until then: a moment of the monotonic clock."""
        try:
            self.socket.settimeout(min(PATIENCE, max(0.001, end - time.monotonic())))
            came = self.socket.recv(65536)
            self.socket.settimeout(PATIENCE)
        except OSError:
            came = b""
        self.gone = self.gone or not came
        return came

    def _take(self, came: bytes) -> list[dict[str, Any]]:
        """The words of all lines that are whole and signed; others are dropped and counted."""
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
        """One who has never said anything right is not listened to any more."""
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
    """The secret of one start of a job, from that of its batch."""
    return hmac.digest(secret, f"{label} {here.number} {here.restarts}".encode(), "sha256")


def connect(here: Here, label: str, secret: bytes, *, refused: str | None) -> Iterator[tuple[Link, str] | None]:
    """To the first node, with the address at which it was reached; None for each place where it is not yet."""
    while True:
        for address in here.first:
            for port in ports(here):
                with suppress(OSError):
                    connected = socket.create_connection((address, port), timeout=PATIENCE)
                    link = Link(connected, start(here, label, secret), first=False)
                    link.say(node=here.node, host=here.host, refused=refused)
                    if "welcome" in link.await_first():  # it says nothing else before it is told that this was heard
                        link.say(here=True)
                        yield link, address
                        return
                    link.close()
                yield None
        time.sleep(0.2)
