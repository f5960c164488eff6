"""A job of several nodes: what runs on the first tells the others which trial to run, and hears how that ended."""

from __future__ import annotations

import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cn import RunError
from cn.errors import lines
from runs.launch._processes import GRACE
from runs.launch._queue import Here
from sweeps._child import Child, Ended, ask
from sweeps._link import WAIT, Link, ports, start


class Others:
    """The supervisors of a job's other nodes, as the first one's sees them."""

    def __init__(self, here: Here, label: str, nodes: int) -> None:
        self.here, self.label, self.nodes = here, label, nodes
        self.links: dict[int, Link] = {}
        self.names: dict[int, str] = {}
        self.refused: list[str] = []  # why one of them cannot run anything
        self.ended: dict[int, Ended] = {}  # how the trial that runs ended there
        self.listener: socket.socket | None = None
        self.lost: str | None = None  # why no other trial can be begun

    @contextmanager
    def door(self) -> Iterator[None]:
        """Within it they are let in, which may take so long; RunError where one has not come, or cannot do its part."""
        if self.nodes == 1:
            yield
            return
        self.listener, self.end = self._listen(), time.monotonic() + WAIT
        with self.listener:
            yield
        self.listener = None
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
        return [*there, self.listener] if self.listener is not None else there

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
            if self.listener is not None and found is self.listener:
                self._greet(Link(self.listener.accept()[0]))
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
        for link in self.links.values():
            link.close()

    def _listen(self) -> socket.socket:
        for port in ports(self.here):
            with suppress(OSError):
                return socket.create_server(("", port), family=self._family())
        taken = ", ".join(map(str, ports(self.here)))
        raise RunError(f"the nodes of the job cannot meet: {self.here.host} has all of these ports taken: {taken}")

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
        if not link.first():  # it waited for this no longer, and has come again
            link.close()
            return
        self.links[node], self.names[node] = link, words["host"]
        if words["refused"] is not None:
            self.refused.append(f"on {words['host']}: {words['refused']}")

    def _lose(self, node: int) -> None:
        self.lost = f"{self.names[node]} was lost, with the processes of the run on it"
        self.ended[node] = Ended(-signal.SIGKILL, {"reason": self.lost})


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
