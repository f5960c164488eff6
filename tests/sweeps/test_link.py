"""How the supervisors of a job's nodes find each other, and what they take for the end of a trial."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from cn import RunError
from cn.launching.queue import Here
from cn.launching.slurm_queue import SlurmQueue
from cn.sweeping.folder import secrets_file
from cn.sweeping.job import connection, peers
from cn.sweeping.job.connection import Link, connect, ports, start
from cn.sweeping.job.peers import Others, end_together
from cn.sweeping.job.trial_process import Child, Ended, chosen
from runs.launch.slurm import Slurm

JOB = 1_000_000 + os.getpid()  # which decides on the ports: no job of a SLURM that other tests start is called so
FIRST = Here(0, f"{JOB}_0", "n1", first=("127.0.0.1",))
SECOND = Here(0, f"{JOB}_0", "n2", node=1, first=("127.0.0.1",))


LABEL = "0001-ab"


@pytest.fixture(autouse=True)
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """That of the batch, in the file `secret` of the current folder."""
    monkeypatch.chdir(tmp_path)
    secrets_file.make(Path("secret"))
    return secrets_file.read(Path("secret"))


def first_of(nodes: int = 2, here: Here = FIRST) -> Others:
    """What runs on the first node."""
    return Others(here, LABEL, nodes, Path("secret"))


def come(here: Here = SECOND, *, label: str = LABEL, refused: str | None = None) -> Link:
    """What runs on another node."""
    secret = secrets_file.read(Path("secret"))
    return next(found[0] for found in connect(here, label, secret, refused=refused) if found is not None)


def dial() -> socket.socket:
    return socket.create_connection(("127.0.0.1", ports(FIRST)[0]))


def link_of(secret: bytes, *, here: Here = SECOND, label: str = LABEL) -> Link:
    """A new connection to the first node, of one who knows this secret."""
    return Link(dial(), start(here, label, secret), first=False)


def until_over(others: Others, child: Child | None = None) -> None:
    """What a job does while a trial runs on its other nodes."""
    end = time.monotonic() + 600
    while not others.over:
        assert time.monotonic() < end
        others.listen()
        if child is not None:
            end_together(child, others)


def meet() -> tuple[Others, Link]:
    """The first node with the second."""
    others, found = first_of(), list[Link]()
    with others.door():
        thread = threading.Thread(target=lambda: found.append(come()))
        thread.start()
        while others.missing():
            others.listen()
        thread.join()
    return others, found[0]


@pytest.fixture
def met() -> Iterator[tuple[Others, Link]]:
    others, link = meet()
    yield others, link
    others.close()
    link.close()


def test_another_start_of_a_job_meets_elsewhere_and_so_do_other_jobs():
    found = [ports(Here(0, number, "n1", restarts)) for number in ("12_0", "12_1", "13_0") for restarts in (0, 1)]
    assert ports(Here(0, "12_0", "n2", node=1)) == found[0]
    assert len({some[0] for some in found}) == len(found)
    assert all(15_000 <= each < 32_000 for some in found for each in some)  # Linux gives out none of them by itself


def test_a_node_is_told_what_to_begin_and_how_it_ended_is_heard(met: tuple[Others, Link]):
    others, link = met
    others.begin("abc", port=7, resumes=True)
    assert link.hear() == [{"trial": "abc", "port": 7, "resumes": True}]
    others.signal(signal.SIGTERM)
    assert link.hear() == [{"signal": 15}]
    assert not others.over
    link.say(status=1, answer={"reason": "why"}, killed=False)
    until_over(others)
    assert others.elsewhere() == [Ended(1, {"reason": "why"}, killed=False, host="n2")]
    others.begin("def", port=8, resumes=False)
    assert not others.over
    others.close()
    assert link.hear()[0]["trial"] == "def"
    assert (link.hear(), link.gone) == ([], True)


def test_a_node_that_is_gone_ends_the_trial_and_lets_none_begin(met: tuple[Others, Link]):
    others, link = met
    others.begin("abc", port=7, resumes=False)
    link.close()
    until_over(others)
    why = "n2 was lost, with the processes of the run on it"
    assert (others.lost, others.elsewhere()) == (why, [Ended(-9, {"reason": why})])
    others.begin("def", port=7, resumes=False)
    assert others.over


def until_dropped(others: Others, count: int) -> None:
    end = time.monotonic() + 600
    while others.dropped < count:
        assert time.monotonic() < end
        others.listen()


def meeting(others: Others) -> Link:
    """The second node, once it has been let in."""
    found: list[Link] = []
    thread = threading.Thread(target=lambda: found.append(come()))
    thread.start()
    while others.missing():
        others.listen()
    thread.join()
    return found[0]


STRANGE = [
    f'{{"start": "0001-ab {JOB}_0 0", "node": 1, "host": "n2", "refused": null}}\n'.encode(),
    b"GET / HTTP/1.1\r\n\r\n",
    b"[]\n",
    b"\n",
    b"\xff" * 33 + b"\n",
    b"a" * 5000,
    b"a" * 32 + b"\n" + b"0" * 64 + b' {"node": 1}\n',
    b"a" * 32 + b"\n{}\n",
    b"a" * 32 + b"\n\n",
    b"a" * 32 + b"\n" + "é".encode("latin-1") * 64 + b" {}\n",
    b"a" * 32 + b"\n" + b"x" * 9000,
    b"",
]


def test_what_strangers_say_is_dropped_and_counted(capsys: pytest.CaptureFixture[str]):
    others = first_of()
    with others.door():
        for count, said in enumerate(STRANGE, 1):
            with dial() as stranger:
                stranger.sendall(said)
                stranger.shutdown(socket.SHUT_WR)
                until_dropped(others, count)
        assert (others.missing(), others.links, others.coming) == ([1], {}, [])
        link = meeting(others)
    assert capsys.readouterr().err == "connections that were not of this job's nodes, and were dropped: 12\n"
    others.begin("abc", port=7, resumes=False)
    assert link.hear()[0]["trial"] == "abc"
    others.close()
    link.close()


def test_who_has_another_secret_is_no_node_of_the_job(secret: bytes):
    others = first_of()
    with others.door():
        restarted = Here(0, f"{JOB}_0", "n2", restarts=1, node=1, first=("127.0.0.1",))
        impostors = [
            link_of(b"0" * 32),
            link_of(b""),
            link_of(secret, label="0002-ab"),
            link_of(secret, here=restarted),
            link_of(secret, here=Here(0, f"{JOB}_1", "n2", node=1, first=("127.0.0.1",))),
        ]
        for count, link in enumerate(impostors, 1):
            threading.Thread(target=link.say, kwargs={"node": 1, "host": "n2", "refused": None}, daemon=True).start()
            until_dropped(others, count)
        assert others.missing() == [1]
        for link in impostors:
            link.close()
    others.close()


@pytest.mark.parametrize("node", [0, 2, 99, -1, None, "1", [1], True, 1.5])
def test_a_node_that_the_job_has_not_is_not_let_in(secret: bytes, node: Any):
    others = first_of()
    with others.door():
        link = link_of(secret)
        thread = threading.Thread(target=lambda: link.say(node=node, host="n2", refused=None))
        thread.start()
        end = time.monotonic() + 600
        while thread.is_alive() or others.coming:
            assert time.monotonic() < end
            others.listen()
        assert (others.missing(), others.known) == ([1], {})
        assert (link.hear(), link.gone) == ([], True)
        link.close()


def test_who_repeats_what_a_node_has_said_is_not_heard(secret: bytes):
    """A listener on the way has all bytes of a connection; they open no other, and end no trial of it."""
    others = first_of()
    said = bytearray()

    class Spy(Link):
        def _send(self, line: bytes) -> None:
            said.extend(line + b"\n")
            super()._send(line)

    with others.door():
        link = Spy(dial(), start(SECOND, LABEL, secret), first=False)
        thread = threading.Thread(target=lambda: link.say(node=1, host="n2", refused=None))
        thread.start()
        while thread.is_alive() or not others.known:
            others.listen()
        assert link.hear() == [{"welcome": True}]
        link.say(here=True)
        while others.missing():
            others.listen()
        with dial() as replayed:
            replayed.sendall(said)
            until_dropped(others, 1)
    others.begin("abc", port=7, resumes=False)
    link.say(status=0, answer={"value": 1.0}, killed=False)
    until_over(others)
    others.begin("def", port=7, resumes=False)
    link.socket.sendall(bytes(said).splitlines(keepends=True)[-1])  # "abc has ended", once more
    assert link.hear()[-1]["trial"] == "def"
    link.say(status=1, answer={"reason": "why"}, killed=False)
    until_over(others)
    assert others.elsewhere() == [Ended(1, {"reason": "why"}, killed=False, host="n2")]
    assert others.links[1].dropped == 1
    others.close()
    link.close()


def test_what_was_said_in_one_direction_is_not_heard_in_the_other(met: tuple[Others, Link]):
    others, link = met
    others.begin("abc", port=7, resumes=False)
    came = link.socket.recv(65536)
    link.socket.sendall(came)
    link.say(status=0, answer={}, killed=False)
    until_over(others)
    assert others.links[1].dropped == 1


def test_who_connects_and_says_nothing_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch):
    others = first_of()
    with others.door():
        silent = [dial() for _ in range(70)]
        link = meeting(others)
        assert len(others.coming) <= peers.MOST
        monkeypatch.setattr(peers, "PATIENCE", -1)
        others.listen()
        assert (others.coming, others.dropped) == ([], 70)
        for each in silent:
            each.close()
    others.close()
    link.close()


@pytest.mark.slow
@pytest.mark.parametrize("says", [b"x", b"a" * 32 + b"\n"], ids=["drips", "is silent"])
def test_a_stranger_on_the_first_port_keeps_no_node_out(says: bytes, monkeypatch: pytest.MonkeyPatch):
    """It says a little at a time, and never who it is."""
    monkeypatch.setattr(connection, "PATIENCE", 0.5)

    def drip(server: socket.socket) -> None:
        with server, server.accept()[0] as connected, suppress(OSError):
            connected.sendall(says)
            connected.settimeout(0.2)
            while True:
                with suppress(TimeoutError):
                    while connected.recv(1000):
                        pass
                    return
                if len(says) == 1:
                    connected.sendall(says)

    server = socket.create_server(("127.0.0.1", ports(FIRST)[0]))
    threading.Thread(target=drip, args=(server,), daemon=True).start()
    others = first_of()
    with others.door():
        link = meeting(others)
    link.close()
    others.close()


def test_it_listens_where_the_others_look_for_it_and_nowhere_else():
    others = first_of(here=Here(0, f"{JOB}_0", "n1", first=("127.0.0.1", "127.0.0.3")))
    with others.door():
        assert [each.getsockname()[0] for each in others.listeners] == ["127.0.0.1", "127.0.0.3"]
        port = others.listeners[0].getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
    with pytest.raises(RunError) as refused, first_of(here=Here(0, f"{JOB}_0", "n1", first=("203.0.113.7",))).door():
        pass
    assert str(refused.value) == (
        "the nodes of the job cannot meet: n1 is not at 203.0.113.7\n"
        "  to say where it is: launch.setup='[export MASTER_ADDR=ADDRESS]'"
    )


def test_a_secret_is_its_owners_alone(secret: bytes, tmp_path: Path):
    assert len(secret) == 32
    assert stat.S_IMODE(Path("secret").stat().st_mode) == 0o600
    secrets_file.make(Path("other"))
    assert secrets_file.read(Path("other")) != secret
    knows = "by this secret the nodes of a job know each other"
    again = "to have a new one, in a folder that keeps it: cancel the sweep, then retry it"

    def refused() -> str:
        with pytest.raises(RunError) as error, first_of().door():
            pass
        with pytest.raises(RunError) as other:
            come()
        assert str(error.value) == str(other.value)
        return str(error.value)

    for mode in (0o640, 0o604, 0o620, 0o602):
        Path("secret").chmod(mode)
        assert refused() == f"secret can be read or changed by others: {knows}\n  {again}"
    Path("secret").chmod(0o600)
    for text in (b"", secret[:-1], secret + b"0"):
        Path("secret").write_bytes(text)
        assert refused() == f"secret is damaged: it has not 32 bytes: {knows}\n  {again}"
    Path("secret").unlink()
    assert refused() == f"secret cannot be read (No such file or directory): {knows}\n  {again}"
    Path("secret").symlink_to("other")
    assert refused() == f"secret cannot be read (Too many levels of symbolic links): {knows}\n  {again}"
    Path("secret").unlink()
    os.mkfifo("secret", 0o600)
    assert refused() == f"secret is no file: {knows}\n  {again}"


def test_a_node_that_gave_up_before_it_was_let_in_may_come_again(secret: bytes):
    others = first_of()
    with others.door():
        early = link_of(secret)
        thread = threading.Thread(target=lambda: early.say(node=1, host="n2", refused=None))
        thread.start()
        while not others.known:
            others.listen()
        thread.join()
        early.close()
        link = meeting(others)
        assert others.lost is None
    link.close()
    others.close()


def test_taken_ports_are_passed_by_and_what_answers_otherwise_is_left():
    taken = [socket.create_server(("", port)) for port in ports(FIRST)[:2]]
    threading.Thread(target=lambda: taken[0].accept()[0].close(), daemon=True).start()
    taken[1].close()
    others, link = meet()
    taken[0].close()
    others.close()
    link.close()
    servers = [socket.create_server(("", port)) for port in ports(FIRST)]
    with pytest.raises(RunError) as refused, others.door():
        pass
    assert str(refused.value) == (
        f"the nodes of the job cannot meet: n1 has all of these ports taken: {', '.join(map(str, ports(FIRST)))}"
    )
    for server in servers:
        server.close()


def test_a_node_that_does_not_come_or_cannot_do_its_part_is_told(monkeypatch: pytest.MonkeyPatch):
    others = first_of()

    def listen() -> None:
        thread = threading.Thread(target=lambda: come(refused="this is not the code").close())
        thread.start()
        with others.door():
            while others.missing():
                others.listen()

    with pytest.raises(RunError, match=r"^on n2: this is not the code$"):
        listen()
    others.close()
    monkeypatch.setattr(peers, "WAIT", -1)
    others = first_of(3)
    with pytest.raises(RunError) as late, others.door():
        others.missing()
    assert str(late.value) == ("nodes 1, 2 of 0 to 2 did not begin in -1 s\n  they look for the first at: 127.0.0.1")


@pytest.fixture
def heedless() -> Iterator[Child]:
    """A trial's process that does not end when it is asked to."""
    does = "import signal, time; signal.signal(15, lambda *_: print('asked', flush=True)); print('begun', flush=True)"
    words = [sys.executable, "-c", f"{does}\nwhile True: time.sleep(1)"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, process_group=0, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield Child(cast(Any, None), process.pid, cast(Any, None), cast(Any, None), -1, 0, [], whole=True)
        process.kill()


@pytest.mark.slow
def test_what_hangs_since_another_node_failed_is_ended(
    met: tuple[Others, Link], heedless: Child, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(peers, "GRACE", 0.3)
    others, link = met
    others.begin("abc", port=7, resumes=False)
    end_together(heedless, others)
    assert heedless.end is None  # nothing has failed
    link.say(status=1, answer={"reason": "rank 1: why"}, killed=False)
    end = time.monotonic() + 600
    while heedless.status is None:
        assert time.monotonic() < end
        others.listen()
        end_together(heedless, others)
        found, status = os.waitpid(heedless.pid, os.WNOHANG)
        heedless.status = os.waitstatus_to_exitcode(status) if found else None
    assert (heedless.status, heedless.killed, others.over) == (-signal.SIGKILL, True, True)
    assert heedless.asked >= 2  # the first time it does not end
    parts = [Ended(heedless.status, killed=heedless.killed), *others.elsewhere()]
    assert chosen(parts).reason == "rank 1: why"


@pytest.mark.slow
def test_a_node_that_hangs_since_the_first_failed_is_asked_twice_and_then_given_up(
    met: tuple[Others, Link], heedless: Child, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(peers, "GRACE", 0.1)
    others, link = met
    others.begin("abc", port=7, resumes=False)
    heedless.status = 1
    until_over(others, heedless)
    words: list[dict[str, Any]] = []
    while not link.gone:
        words += link.hear()
    assert words == [{"trial": "abc", "port": 7, "resumes": False}, {"signal": 15}, {"signal": 9}, {"signal": 9}]
    own = Ended(1, {"reason": "rank 0 knows why"})
    assert chosen([own, *others.elsewhere()]) is own


FINE, LOST, STOPPED = Ended(0, {"value": 0.5}), Ended(1, {"reason": "it is gone", "lost": "it is gone"}), Ended(143)
RAISED, KILLED = Ended(1, {"reason": "rank 1: why"}, host="n2"), Ended(-9, killed=True)


@pytest.mark.parametrize(
    ("parts", "came"),
    [
        ([FINE, FINE], FINE),
        ([FINE, RAISED], RAISED),
        ([LOST, RAISED], RAISED),
        ([STOPPED, RAISED], RAISED),
        ([KILLED, RAISED], RAISED),
        ([LOST, STOPPED], STOPPED),
        ([LOST, KILLED], LOST),
        ([LOST, Ended(143, killed=True)], LOST),
    ],
)
def test_the_end_of_a_trial_is_that_of_the_node_which_knows(parts: list[Ended], came: Ended):
    assert chosen(parts) is came


def test_what_killed_the_processes_of_a_node_is_told_with_its_name():
    memory = "killed by SIGKILL, as the kernel does where memory runs out"
    assert [Ended(-9, host=host).reason for host in (None, "n2")] == [memory, f"on n2: {memory}"]


@pytest.mark.parametrize(
    ("fields", "there", "processes", "seen"),
    [
        ({"gpus": 8}, "0,1,2,3,4,5,6,7", 8, [None]),
        ({"gpus": 0, "pack": 2}, None, 1, [None, None]),
        ({"gpus": 1, "pack": 3}, "5", 1, [None, None, None]),
        ({"gpus": 4, "pack": 2}, "4,5,6,7", 2, ["4,5", "6,7"]),
        ({"gpus": 2, "pack": 4}, "0,1", 1, ["0", "1", "0", "1"]),
        ({"gpus": 4, "pack": 2, "in_turn": True}, "0,1,2,3", 4, [None]),
        ({"nodes": 2, "gpus": 4, "pack": 2, "in_turn": True}, "0,1,2,3", 4, [None]),
    ],
)
def test_trials_of_a_job_have_their_part_of_its_gpus(
    fields: dict[str, Any], there: str | None, processes: int, seen: list[str | None], monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0", "CUDA_VISIBLE_DEVICES": there}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    launch = Slurm(**fields)
    launch.check()
    queue = launch.build()
    assert isinstance(queue, SlurmQueue)
    assert queue.processes == processes
    assert [each.get("CUDA_VISIBLE_DEVICES") for each in queue.here().environments] == seen


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({"SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1", "SLURM_STEP_NODELIST": "n[3-4]"}, ("10.0.0.1", "n3")),
        ({"SLURM_STEP_NODELIST": "n[3-4]"}, ("n3",)),
        ({"MASTER_ADDR": "ib3", "SLURM_STEP_NODELIST": "n[3-4]"}, ("ib3",)),
    ],
)
def test_where_the_first_node_is_reached(
    environment: dict[str, str], first: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    for name in ("MASTER_ADDR", "SLURM_LAUNCH_NODE_IPADDR", "SLURM_STEP_NODELIST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "SLURM_ARRAY_JOB_ID": "12",
        "SLURM_ARRAY_TASK_ID": "0",
        "SLURM_NODEID": "1",
        **environment,
    }.items():
        monkeypatch.setenv(name, value)
    here = Slurm(nodes=2).build().here()
    assert (here.node, here.first) == (1, first)
