"""A job of several nodes: what runs on the first of them tells the others which trial to run, and hears how it ended.

Lines of JSON over TCP: not files, which another node may see late. One that is gone is known by its connection.
"""

from __future__ import annotations

import json
import random
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from runs.launch._queue import Here
from sweeps._child import Ended

PORTS = 8
WAIT = 300  # s that the nodes of a job may take to find each other
PATIENCE = 5.0  # s that the other end of a new connection has to say who it is


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


class Others:
    """The supervisors of a job's other nodes, as the first one's sees them."""

    def __init__(self, here: Here, label: str, nodes: int) -> None:
        self.here, self.label, self.nodes = here, label, nodes
        self.links: dict[int, Link] = {}
        self.names: dict[int, str] = {}
        self.refused: list[str] = []  # why one of them cannot run anything
        self.ended: dict[int, Ended] = {}  # how the trial that runs ended there
        self.door = self._listen() if nodes > 1 else None

    @property
    def ready(self) -> bool:
        return len(self.links) == self.nodes - 1

    @property
    def over(self) -> bool:
        """Whether nothing of the trial runs on any of them."""
        return len(self.ended) == len(self.links)

    def sockets(self) -> list[socket.socket]:
        """Where something may come; once one is gone, that is known."""
        there = [link.socket for link in self.links.values() if not link.gone]
        return [*there, self.door] if self.door is not None and not self.ready else there

    def begin(self, trial: str, *, port: int, resumes: bool) -> None:
        """Have their processes of a trial started."""
        self.ended = {}
        for node, link in self.links.items():
            if not link.gone:
                link.say(trial=trial, port=port, resumes=resumes)
            if link.gone:
                self._lose(node)

    def signal(self, number: int) -> None:
        """Send it to their processes of the trial that runs."""
        for node, link in self.links.items():
            if node not in self.ended:
                link.say(signal=number)

    def drop(self) -> None:
        """Wait no longer for those that do not answer."""
        for node, link in self.links.items():
            if node not in self.ended:
                link.close()
                self._lose(node)

    def listen(self) -> None:
        """Take in what has come."""
        for found in select.select(self.sockets(), [], [], 0)[0]:
            if self.door is not None and found is self.door:
                self._greet(Link(self.door.accept()[0]))
        for node, link in self.links.items():
            if not link.gone and select.select([link.socket], [], [], 0)[0]:
                for words in link.hear():
                    self.ended[node] = Ended(words["status"], words["answer"], words["killed"], self.names[node])
            if link.gone and node not in self.ended:
                self._lose(node)

    def missing(self) -> str:
        """Those that have not come: `node 1 of 0 to 2`."""
        absent = [str(node) for node in range(1, self.nodes) if node not in self.links]
        return f"{'node' if len(absent) == 1 else 'nodes'} {', '.join(absent)} of 0 to {self.nodes - 1}"

    def close(self) -> None:
        """Which they take as the end of the job."""
        for each in (*self.links.values(), *filter(None, [self.door])):
            each.close()

    def _listen(self) -> socket.socket:
        for port in ports(self.here):
            with suppress(OSError):
                return socket.create_server(("", port), family=self._family())
        raise OSError(f"all of {PORTS} ports are taken")

    def _family(self) -> socket.AddressFamily:
        """As the others will reach it."""
        for each in self.here.first:
            with suppress(OSError):
                return socket.getaddrinfo(each, None)[0][0]
        return socket.AF_INET

    def _greet(self, link: Link) -> None:
        words = link.first()
        node = words.get("node")
        if words.get("start") != start(self.here, self.label) or not isinstance(node, int) or node in self.links:
            link.close()  # not one of ours
            return
        link.say(welcome=start(self.here, self.label))
        self.links[node], self.names[node] = link, words["host"]
        if words["refused"] is not None:
            self.refused.append(f"on {words['host']}: {words['refused']}")

    def _lose(self, node: int) -> None:
        self.ended[node] = Ended(1, {"reason": f"{self.names[node]} was lost, with the processes of the run on it"})


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
                        yield link, address
                        return
                    link.close()
        yield None
        time.sleep(0.2)
