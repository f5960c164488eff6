"""A job of several nodes: what runs on the first tells the others which trial to run, and hears how that ended."""

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

from cn import RunError
from cn.errors import lines
from cn.screen import say
from runs.launch._processes import GRACE
from runs.launch._queue import Here
from sweeps._child import Child, Ended, ask
from sweeps._link import PATIENCE, WAIT, Link, ports, start
from sweeps._secret import read

MOST = 64  # connections that have not said yet who they are


class Others:
    """The supervisors of a job's other nodes, as the first one's sees them."""

    def __init__(self, here: Here, label: str, nodes: int, secret: Path) -> None:
        """secret: the file of the batch's, which jobs of one node have not."""
        self.here, self.label, self.nodes, self.secret = here, label, nodes, secret
        self.links: dict[int, Link] = {}
        self.coming: list[Link] = []
        self.known: dict[Link, dict[str, Any]] = {}  # what those of them said who were heard
        self.dropped = 0  # connections and lines of others, and lines that were changed on their way
        self.names: dict[int, str] = {}
        self.refused: list[str] = []  # why one of them cannot run anything
        self.ended: dict[int, Ended] = {}  # how the trial that runs ended there
        self.listeners: list[socket.socket] = []
        self.lost: str | None = None  # why no other trial can be begun

    @contextmanager
    def door(self) -> Iterator[None]:
        """Within it they are let in, which may take so long; RunError where one has not come, or cannot do its part."""
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
        """The nodes that have not come."""
        absent = [node for node in range(1, self.nodes) if node not in self.links]
        if absent and time.monotonic() > self.end:
            names = f"{'node' if len(absent) == 1 else 'nodes'} {', '.join(map(str, absent))} of 0 to {self.nodes - 1}"
            where = ", ".join(self.here.first) or "no address"
            raise RunError(lines(f"{names} did not begin in {WAIT} s", f"they look for the first at: {where}"))
        return absent

    @property
    def over(self) -> bool:
        """Whether nothing of the trial runs on any of them."""
        return len(self.ended) == len(self.links)

    def sockets(self) -> list[socket.socket]:
        """Where something may come; once one is gone, that is known."""
        there = [link.socket for link in self.links.values() if not link.gone]
        return [*there, *self.listeners, *(link.socket for link in self.coming)]

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
        for found in select.select(self.listeners, [], [], 0)[0] if self.listeners else ():
            with suppress(OSError):  # it has gone again
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
        """How the trial ended there, in the order of the nodes."""
        return [self.ended[node] for node in sorted(self.ended)]

    def close(self) -> None:
        """Which they take as the end of the job."""
        for node, link in self.links.items():
            link.close()
            if link.dropped:
                say(f"lines that {self.names[node]} did not sign, and that were dropped: {link.dropped}", error=True)

    def _listen(self) -> list[socket.socket]:
        """On a port that is free at each address by which the others look for this node, and at no other address."""
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
            raise RunError(lines(what, "to say where it is: launch.setup='[export MASTER_ADDR=ADDRESS]'"))
        taken = ", ".join(map(str, ports(self.here)))
        raise RunError(f"the nodes of the job cannot meet: {self.here.host} has all of these ports taken: {taken}")

    def _greet(self, link: Link) -> None:
        """Let one in who says which node it is, and then that it has heard so."""
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
        if node in self.links:  # it had waited too long, and came again
            link.close()
            return
        self.links[node], self.names[node] = link, host
        if refused is not None:
            self.refused.append(f"on {host}: {refused}")

    def _lose(self, node: int) -> None:
        self.lost = f"{self.names[node]} was lost, with the processes of the run on it"
        self.ended[node] = Ended(-signal.SIGKILL, {"reason": self.lost})


def _addresses(names: Sequence[str]) -> list[tuple[socket.AddressFamily, str]]:
    """Where names lead to; to this machine alone, as some name themselves, only where they lead nowhere else."""
    found: dict[str, socket.AddressFamily] = {}
    for name in names:
        with suppress(OSError):
            for family, *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
                found[str(address[0])] = family
    outside = {address: family for address, family in found.items() if not ip_address(address).is_loopback}
    return [(family, address) for address, family in (outside or found).items()]


@contextmanager
def _unless_elsewhere() -> Iterator[None]:
    """Pass over an address that this machine has not."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise


def end_together(child: Child, others: Others) -> None:
    """Where the processes of one node have failed, those of the others end by themselves, or are ended."""
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
