"""A job with several nodes: the first node tells the others which trial to run, and receives how it ended."""

from __future__ import annotations

import errno
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cn.errors import RunError
from cn.launching.processes import GRACE, Part, free_port
from cn.launching.queue import Here
from cn.screen import say
from cn.sweeping.folder.secrets_file import read
from cn.sweeping.job.connection import PATIENCE, WAIT, Link, ports, start
from cn.sweeping.job.trial_process import Child, Ended, ask

MOST = 64  # connections that have not identified themselves


class Others:
    """The first node's connections to the supervisors of the other nodes."""

    def __init__(self, here: Here, label: str, nodes: int, secret: Path) -> None:
        """secret: the file with the batch's secret; a job with one node has none."""
        self.here, self.label, self.nodes, self.secret = here, label, nodes, secret
        self.links: dict[int, Link] = {}
        self.coming: list[Link] = []
        self.known: dict[Link, dict[str, Any]] = {}  # the first message of each new connection
        self.dropped = 0  # foreign connections, and lines with a wrong signature
        self.names: dict[int, str] = {}
        self.refused: list[str] = []  # errors of nodes that cannot run a trial
        self.ended: dict[int, Ended] = {}  # node -> how the current trial ended there
        self.listeners: list[socket.socket] = []
        self.lost: str | None = None  # why no further trial can begin

    @contextmanager
    def door(self) -> Iterator[None]:
        """Accept connections from the other nodes for up to WAIT s; RunError if one is missing or refused."""
        if self.nodes == 1:
            yield
            return
        self.start = start(self.here, self.label, read(self.secret))
        self.listeners, self.end = self._listen(), time.monotonic() + WAIT
        try:
            yield
        finally:
            for each in [*self.listeners, *(link.socket for link in self.coming)]:
                each.close()
            self.listeners, self.coming = [], []
            if self.dropped:
                say(f"connections that were not of this job's nodes, and were dropped: {self.dropped}", error=True)
        if self.refused:
            raise RunError(self.refused[0])

    def missing(self) -> list[int]:
        """Return the nodes that have not connected; RunError after WAIT s."""
        absent = [node for node in range(1, self.nodes) if node not in self.links]
        if absent and time.monotonic() > self.end:
            names = f"{'node' if len(absent) == 1 else 'nodes'} {', '.join(map(str, absent))} of 0 to {self.nodes - 1}"
            where = ", ".join(self.here.first) or "no address"
            raise RunError(f"{names} did not begin in {WAIT} s", f"they look for the first at: {where}")
        return absent

    @property
    def over(self) -> bool:
        """Whether the trial has ended on all other nodes."""
        return len(self.ended) == len(self.links)

    def sockets(self) -> list[socket.socket]:
        """Return the sockets to select on; a closed connection becomes readable too."""
        there = [link.socket for link in self.links.values() if not link.gone]
        return [*there, *self.listeners, *(link.socket for link in self.coming)]

    def part(self, processes: int) -> Part | None:
        """Return the ranks of the next trial on this node, of this many each, with a new port; None for one node."""
        return Part(0, processes * self.nodes, "127.0.0.1", free_port("")) if self.nodes > 1 else None

    def begin(self, trial: str, *, port: int, resumes: bool) -> None:
        """Start the trial's processes on the other nodes."""
        self.ended = {}
        for node, link in self.links.items():
            if not link.gone:
                link.say(trial=trial, port=port, resumes=resumes)
            if link.gone:
                self._lose(node)

    def signal(self, number: int) -> None:
        """Send a signal to the trial's processes on the other nodes."""
        for node, link in self.links.items():
            if node not in self.ended:
                link.say(signal=number)

    def drop(self) -> None:
        """Close the connections to nodes that do not answer."""
        for node, link in self.links.items():
            if node not in self.ended:
                link.close()
                self._lose(node)

    def listen(self) -> None:
        """Process the new connections and messages."""
        for found in select.select(self.listeners, [], [], 0)[0] if self.listeners else ():
            with suppress(OSError):  # the connection was closed again
                self.coming.append(Link(found.accept()[0], self.start, first=True))
        for link in self.coming:
            self._greet(link)
        for link in self.coming[:-MOST]:
            link.close()
        for link in self.coming:
            if link.gone:
                link.close()
                self.dropped += not link.heard
        self.coming = [link for link in self.coming if not link.gone and link not in self.links.values()]
        for node, link in self.links.items():
            if not link.gone and select.select([link.socket], [], [], 0)[0]:
                for words in link.hear():
                    self.ended[node] = Ended(words["status"], words["answer"], words["killed"], self.names[node])
            if link.gone and node not in self.ended:
                self._lose(node)

    def elsewhere(self) -> list[Ended]:
        """Return how the trial ended on the other nodes, in their order."""
        return [self.ended[node] for node in sorted(self.ended)]

    def close(self) -> None:
        """Close the connections, which ends the job on the other nodes."""
        for node, link in self.links.items():
            link.close()
            if link.dropped:
                say(f"lines that {self.names[node]} did not sign, and that were dropped: {link.dropped}", error=True)

    def _listen(self) -> list[socket.socket]:
        """Listen on a port that is free at each address by which the other nodes find this one, and only there."""
        where = _addresses(self.here.first)
        for port in ports(self.here):
            found: list[socket.socket] = []
            try:
                for family, address in where:
                    with _unless_elsewhere():
                        found.append(socket.create_server((address, port), family=family))
            except OSError:
                for each in found:
                    each.close()
                continue
            if found:
                return found
            names = ", ".join(self.here.first) or "no address"
            what = f"the nodes of the job cannot meet: {self.here.host} is not at {names}"
            raise RunError(what, "to say where it is: launch.setup='[export MASTER_ADDR=ADDRESS]'")
        taken = ", ".join(map(str, ports(self.here)))
        raise RunError(f"the nodes of the job cannot meet: {self.here.host} has all of these ports taken: {taken}")

    def _greet(self, link: Link) -> None:
        """Accept a connection that names its node and confirms our answer."""
        if select.select([link.socket], [], [], 0)[0]:
            for words in link.hear():
                if link in self.known:
                    self._enter(link, **self.known[link])
                elif type(words.get("node")) is not int or not 0 < words["node"] < self.nodes:
                    link.close()
                else:
                    self.known[link] = words
                    link.say(welcome=True)
        if link not in self.links.values() and time.monotonic() > link.since + PATIENCE:
            link.close()

    def _enter(self, link: Link, *, node: int, host: str, refused: str | None) -> None:
        if node in self.links:  # a node that had waited too long and connected again
            link.close()
            return
        self.links[node], self.names[node] = link, host
        if refused is not None:
            self.refused.append(f"on {host}: {refused}")

    def _lose(self, node: int) -> None:
        self.lost = f"{self.names[node]} was lost, with the processes of the run on it"
        self.ended[node] = Ended(-signal.SIGKILL, {"reason": self.lost})


def _addresses(names: Sequence[str]) -> list[tuple[socket.AddressFamily, str]]:
    """Resolve names to addresses; loopback addresses count only if there are no others."""
    found: dict[str, socket.AddressFamily] = {}
    for name in names:
        with suppress(OSError):
            for family, *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
                found[str(address[0])] = family
    outside = {address: family for address, family in found.items() if not ip_address(address).is_loopback}
    return [(family, address) for address, family in (outside or found).items()]


@contextmanager
def _unless_elsewhere() -> Iterator[None]:
    """Ignore the error for an address that this machine does not have."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise


def end_together(child: Child, others: Others) -> None:
    """Once the processes of one node have failed, wait for those of the other nodes, then kill them."""
    own = [Ended(child.status)] if child.status is not None else []
    if child.end is None and any(each.failed for each in (*own, *others.elsewhere())):
        child.end = time.monotonic() + GRACE
    if child.end is None or time.monotonic() < child.end:
        return
    child.end, child.asked = time.monotonic() + GRACE, child.asked + 1
    number = signal.SIGTERM if child.asked == 1 else signal.SIGKILL
    if child.status is None:
        child.killed = True
        ask(child.pid, number)
    others.signal(number)
    if child.asked > 2:
        others.drop()
