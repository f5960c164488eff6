"""A real SLURM on this machine: two nodes with four GPUs each, of which only the device files are there."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.sweeps.daemon import Daemon
from tests.sweeps.settings import GPUS, NODES, slurm_conf, slurmdbd_conf

OURS = re.compile(r"(SLURM|SLURMD|SBATCH|SRUN|SALLOC|SQUEUE|SINFO|SACCT|SCONTROL|SCANCEL|SUBMITIT)_")
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
ACCOUNTING_NEEDS = ("slurmdbd", "mariadbd", "mariadb-install-db")
PATIENCE = 600  # s that anything may take to come, on however loaded a machine
QUIET = 4  # s; a slurmd that kills a job looks each second for what is left of it, and kills a new start's steps too


class Cluster:
    """Daemons of its own, whose files all lie in `folder`."""

    def __init__(self, folder: Path, *, accounting: bool = False) -> None:
        self.folder = folder
        self.accounting = accounting
        self.conf = folder / "slurm.conf"
        listeners = ["slurmctld", "slurmdbd", *NODES]
        self.ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
        self.daemons: dict[str, Daemon] = {}

    @staticmethod
    def missing(*, accounting: bool = False) -> str:
        """Why there can be none here; empty where there can."""
        if os.geteuid() != 0:
            return "only root can start a SLURM"
        lacking = [name for name in NEEDED + ACCOUNTING_NEEDS * accounting if not shutil.which(name, path=PATH)]
        return f"not installed: {', '.join(lacking)}" if lacking else ""

    def start(self) -> None:
        """Both nodes are idle when this returns."""
        self._make_files()
        try:
            self._start_munge()
            if self.accounting:
                self._start_accounting()
            self._launch("slurmctld", "-D", "-i")
            for node in NODES:
                self.start_node(node)
            self._until(self._is_idle, "idle nodes")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """No process is left, jobs' own included, whether they end when asked to or not."""
        while self.daemons:
            self.daemons.popitem()[1].kill()  # the last one first
        shutil.rmtree(self.folder / "database", ignore_errors=True)  # over 100 MB

    def environment(self) -> dict[str, str]:
        """This process's variables, without those of a job that it may itself be in."""
        kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        return {**kept, "SLURM_CONF": str(self.conf)}

    @contextmanager
    def selected(self) -> Iterator[Cluster]:
        """submitit in this process, and what this process starts, speak to this cluster."""
        before = dict(os.environ)
        set_environment(self.environment())
        try:
            yield self
        finally:
            set_environment(before)

    @contextmanager
    def configured(self, **settings: object) -> Iterator[None]:
        """Other lines of slurm.conf for a while: `MaxArraySize=20`, `MinJobAge=2`."""
        self._configure(settings)
        try:
            yield
        finally:
            self._configure({})

    def run(self, *command: str) -> str:
        """What a command of SLURM's prints; its failure is raised with what it said."""
        env = self.environment()
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def sbatch(self, command: str, *words: str) -> str:
        """The number of a job that runs a command line, in the current folder."""
        return self.run("sbatch", "--parsable", *words, f"--wrap={command}").strip()

    def squeue(self, *words: str) -> dict[str, str]:
        """The state of each job and task that is not over."""
        return pairs(self.run("squeue", "-h", "-r", "-o", "%i %T", *words))

    def tasks(self) -> list[str]:
        """The array and the task, `12_0`, of each job of the queue."""
        return sorted(self.run("squeue", "-h", "-r", "-o", "%F_%K").split())

    def states(self, job: str) -> dict[str, str]:
        """The state of a job, or of each task of an array, over or not."""
        return self.squeue("-t", "all", "-j", job)

    def show(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says; of an array, ask for one task (`12_0`)."""
        words = self.run("scontrol", "-o", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait(self, job: str, states: str | Collection[str]) -> dict[str, str]:
        """Until the job, or each task of the array, is in one of the states, which are squeue's long names."""
        wanted = {states} if isinstance(states, str) else set(states)
        found: dict[str, str] = {}

        def there() -> bool:
            nonlocal found
            found = self.states(job)
            return bool(found) and wanted.issuperset(found.values())

        self._until(there, f"job {job} to be {' or '.join(sorted(wanted))}", lambda: str(found))
        return found

    def start_requeued(self, job: str) -> None:
        """Starts a requeued job or task, which SLURM holds back for about 120 s, once its last run is long gone."""
        since, seen = time.monotonic(), False

        def is_held_back() -> bool:
            return self.show(job)["Reason"] == "BeginTime"

        def is_ready() -> bool:
            nonlocal since, seen
            if not is_held_back():
                since = time.monotonic()
                return seen  # it took so long that it starts by itself
            seen = True
            if self._has_steps(self.show(job)["JobId"]):
                since = time.monotonic()
            return time.monotonic() - since > QUIET

        self._until(is_ready, f"job {job} to be requeued", lambda: str(self.show(job)))
        try:
            self.run("scontrol", "update", f"JobId={job}", "StartTime=now")
        except RuntimeError:
            if is_held_back():
                raise

    def expire(self, job: str, *, seconds: int = 0) -> None:
        """Moves a running job's time limit to now, or to later; slurmctld looks at limits every 30 s."""

        def is_accepted() -> bool:
            try:
                self.run("scontrol", "update", f"JobId={job}", f"EndTime=now+{seconds}")
            except RuntimeError as error:
                if "Invalid time specified" not in str(error):  # that "now" was over when the controller read it
                    raise
                return False
            return True

        self._until(is_accepted, f"the limit of job {job} to be moved")

    def down(self, node: str) -> None:
        """As an administrator does: its jobs are requeued, or end as NODE_FAIL."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def resume(self, node: str) -> None:
        """As an administrator does, after `down`."""
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def crash(self, node: str) -> None:
        """Power off: slurmd and all jobs of the node are gone; slurmctld knows in five minutes, or by `reboot`."""
        self.daemons.pop(node).kill()

    def reboot(self, node: str) -> None:
        """Its jobs are requeued, or end as NODE_FAIL; it is down until resumed."""
        self.crash(node)
        time.sleep(1.5)  # slurmctld compares whole seconds
        self.start_node(node)
        self._until(lambda: self._nodes().get(node) == "down", f"{node} to be down")

    def start_node(self, node: str) -> None:
        self._launch("slurmd", "-D", "-b", "-N", node, name=node)

    def stop_controller(self) -> None:
        """Jobs run on; commands of SLURM's fail until it is back."""
        self.daemons.pop("slurmctld").end()

    def start_controller(self) -> None:
        self._launch("slurmctld", "-D", "-i")
        self._until(lambda: bool(self._nodes()), "an answer of slurmctld")

    def restart_controller(self) -> None:
        self.stop_controller()
        self.start_controller()

    def clear(self) -> None:
        """As it was after the start: no jobs, all nodes idle."""
        if "slurmctld" not in self.daemons:
            self.start_controller()
        for node in NODES:
            if node not in self.daemons:
                self.start_node(node)
        self.run("scancel", "--user=root")
        for node, state in self._nodes().items():
            if state.startswith(("down", "drain")):
                self.resume(node)
        self._until(self._is_idle, "idle nodes")

    def processes(self) -> list[int]:
        """All that belong to it, jobs' own included."""
        return [pid for daemon in self.daemons.values() for pid in daemon.processes()]

    def _make_files(self) -> None:
        for name in ("state", *NODES):
            (self.folder / name).mkdir(parents=True)
        for number in range(GPUS):  # what they really are is /dev/null
            os.mknod(self.folder / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        self._write("munge.key", os.urandom(1024))
        self._write("gres.conf", f"Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n".encode())
        self._write_conf({})

    def _write(self, name: str, content: bytes) -> None:
        """At once, because daemons read it; for root alone, because munged and slurmdbd insist."""
        part = self.folder / f"{name}.part"
        part.touch(mode=0o600)
        part.write_bytes(content)
        part.replace(self.folder / name)

    def _write_conf(self, changed: Mapping[str, object]) -> None:
        self._write("slurm.conf", slurm_conf(self.folder, self.ports, changed, accounting=self.accounting).encode())

    def _configure(self, changed: Mapping[str, object]) -> None:
        self._write_conf(changed)
        self.restart_controller()  # not every setting is read again by a running one
        self.run("scontrol", "reconfigure")

    def _start_munge(self) -> None:
        path = self.folder / "munge"
        files = [f"--{name}-file={path}.{name}" for name in ("key", "pid", "log", "seed")]
        # forced, because it would refuse a folder that others may not enter, as those of tests are
        self._launch("munged", "--foreground", "--force", f"--socket={path}.socket", *files)
        self._until(Path(f"{path}.socket").exists, "munged")

    def _start_accounting(self) -> None:
        data, where, port = self.folder / "database", self.folder / "database.socket", self.ports["slurmdbd"]
        as_root = ("--no-defaults", "--user=root", f"--datadir={data}")
        by_socket = "--auth-root-authentication-method=socket"
        self.run(which("mariadb-install-db"), *as_root, by_socket, "--skip-test-db")
        fast = ("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0")
        self._launch("mariadbd", *as_root, f"--socket={where}", "--skip-networking", *fast)
        self._until(where.exists, "mariadbd")
        self._write("slurmdbd.conf", slurmdbd_conf(self.folder, self.ports).encode())
        self._launch("env", f"MYSQL_UNIX_PORT={where}", which("slurmdbd"), "-D", name="slurmdbd")
        self._until(lambda: is_open(port), "slurmdbd")

    def _launch(self, program: str, *words: str, name: str = "") -> None:
        name = name or program
        output = self.folder / f"{name}.out"
        self.daemons[name] = Daemon([which(program), *words], output=output, environment=self.environment())

    def _has_steps(self, number: str) -> bool:
        """Still, on a node: one that is set down kills its jobs when slurmctld has already requeued them."""
        title = f"slurmstepd: [{number}.".encode()
        for pid in self.processes():
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(title):
                    return True
        return False

    def _nodes(self) -> dict[str, str]:
        """Empty while slurmctld does not answer."""
        try:
            return pairs(self.run("sinfo", "-h", "-N", "-o", "%N %T"))
        except RuntimeError:
            return {}

    def _is_idle(self) -> bool:
        return self._nodes() == dict.fromkeys(NODES, "idle") and not self.squeue()

    def _until(self, true: Callable[[], bool], what: str, now: Callable[[], str] = str) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            if dead := [name for name, daemon in self.daemons.items() if not daemon.is_alive]:
                raise RuntimeError(f"{', '.join(dead)} ended while waiting for {what}{self._logs()}")
            if time.monotonic() > end:
                raise TimeoutError(f"waited {PATIENCE} s for {what} {now()}\n{known(self.environment())}{self._logs()}")
            time.sleep(0.1)

    def _logs(self) -> str:
        """Their ends."""
        logs = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "".join(f"\n--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)


def known(environment: Mapping[str, str]) -> str:
    """What SLURM says of every job and node, for a test that waited in vain; empty where there is none."""
    said: list[str] = []
    for what in ("job", "node") if "SLURM_CONF" in environment else ():
        command = ["scontrol", "-o", "show", what]
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
        said.append(f"--- {' '.join(command)}\n{done.stdout}{done.stderr}")
    return "".join(said)


def pairs(text: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in text.splitlines())


def which(program: str) -> str:
    path = shutil.which(program, path=PATH)
    assert path is not None, program
    return path


def free_ports(count: int) -> list[int]:
    """Below those that the system gives away by itself, so that they stay free while a daemon is away.

    Nor is one of them a port at which the nodes of a job meet, of which some tests must have the first to themselves.
    """
    ports = random.SystemRandom().sample(range(10000, 12500), 20 * count)
    return [port for port in ports if not is_open(port)][:count]


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def set_environment(values: Mapping[str, str]) -> None:
    for name in os.environ.keys() - values.keys():
        del os.environ[name]
    os.environ.update(values)
