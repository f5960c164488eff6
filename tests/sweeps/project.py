"""A repository of its own for a test of sweeps: this one's code, with runs that take no torch and do as told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests import warm
from tests.sweeps.cluster import PATIENCE, known
from tests.sweeps.copied_code import code

TOLD = Path(__file__).parent / "told"
COMPARE = str(TOLD / "compare.py")

SWEEP = '''
from runs import Run
from runs.launch import Launch
from runs.launch.local import Local
from runs.told import Told
from sweeps import Axes, Sweep, grid, points, seeds


class {name}(Sweep):
    """{doc}"""

    base: Run = Told({base})
    axes: Axes = {axes}
    launch: Launch = Local(parallel=4)
'''


class Project:
    """A folder to type commands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trains = False  # whether train.py imports torch
        self.code = code()
        self.code.copy(folder)
        self.write("train.py", (TOLD / "train.py").read_text())
        self.write("runs/told.py", (TOLD / "told.py").read_text())
        for path in (folder / "sweeps").glob("[a-z]*.py"):
            path.unlink()  # the sweeps of the repository are not this test's

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).unlink(missing_ok=True)  # it may be a link
        (self.folder / name).write_text(text)
        for path in (self.folder / name).parent.glob(f"__pycache__/{Path(name).stem}.*"):
            path.unlink()  # Python tells old bytecode by whole seconds

    def end(self) -> None:
        """Kill what still runs in it."""
        end_below(self.folder)
        self.code.verify()

    @property
    def hold(self) -> Path:
        """While it is there, trials that are to hold do so."""
        return self.folder / "outputs" / "hold"

    def sweep(self, name: str, axes: str, *, base: str = "", doc: str = "A question.") -> str:
        """Write sweeps/NAME.py; its name."""
        self.write(f"sweeps/{name}.py", SWEEP.format(name=name.title().replace("_", ""), doc=doc, base=base, axes=axes))
        return name

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """`python WORDS`, which goes on beside the test."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def type(self, *words: str, status: int = 0, **environment: str) -> str:
        """What `python WORDS` prints, once it has ended with this status."""
        if not environment and words[0] in ("-m", "train.py"):
            process = warm.torch() if self.trains and words[0] == "train.py" else warm.config()
            done = process.run(list(words), cwd=self.folder, env=self.environment())
            out, error, found = done.stdout, done.stderr, done.returncode
        else:
            process = self.start(*words, **environment)
            out, error = process.communicate()
            found = process.returncode
        assert found == status, f"python {' '.join(words)}: {found}\n{out}\n{error}"
        return out if status == 0 else out + error

    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # for `python` in a container
        return kept | {"PATH": path, "COLUMNS": "200"}

    def sweeps(self, *words: str, status: int = 0) -> str:
        return self.type("-m", "sweeps", *words, status=status)

    def asked(self, *words: str) -> Any:
        """The data of a verb."""
        return json.loads(self.sweeps(*words, "--json"))

    def trials(self, name: str, *words: str) -> list[dict[str, Any]]:
        return self.asked("status", name, *words, "--all")["trials"]

    def only(self, name: str) -> dict[str, Any]:
        """The data of the one trial of a sweep."""
        (trial,) = self.trials(name)
        return trial

    def table(self, name: str) -> str:
        """What `status` says, without the rule below the header."""
        said = masked(self.sweeps("status", name)).splitlines(keepends=True)
        return "".join([said[0], *said[2:]])

    def states(self, name: str, *words: str) -> dict[str, int]:
        return self.asked("status", name, *words)["counts"]

    def until(self, name: str, ready: Callable[[dict[str, int]], bool], *words: str) -> dict[str, int]:
        """Wait for the counts of states to be as wanted.

        Each look is a command, which takes a processor 0.3 s. So one comes after a report of a trial has changed, and
        else seldom: the queue changes without a report.
        """
        counts: dict[str, int] = {}
        known: dict[Path, int] = {}
        begin, looked = time.monotonic(), float("-inf")

        def there() -> bool:
            nonlocal counts, known, looked
            found, now = self._written(), time.monotonic()
            if now - looked < (0.5 if found != known else max(2.0, 0.15 * (now - begin))):
                return False
            counts, known, looked = self.states(name, *words), found, time.monotonic()
            return ready(counts)

        self.wait_for(there)
        return counts

    def _written(self) -> dict[Path, int]:
        """When each report of a trial was written."""
        found: dict[Path, int] = {}
        for path in (self.folder / "outputs").glob("*/*/trials/*/*/trial.json"):
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime_ns
        return found

    def over(self, name: str, *words: str) -> dict[str, int]:
        """Wait until nothing is left that may change."""
        return self.until(name, lambda counts: not {"queued", "running", "waiting"} & counts.keys(), *words)

    def reports(self, folder: str) -> list[dict[str, Any]]:
        """The trial.json of every trial in a sweep's folder: what begun ones say, without a process that asks."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.folder / folder).glob("trials/*/??????????/trial.json")):
            with suppress(FileNotFoundError):  # its folder was put aside since
                found.append(json.loads(path.read_text()))
        return found

    def wait(self, folder: str, ready: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Until the reports are as wanted."""
        self.wait_for(lambda: ready(self.reports(folder)))

    def wait_for(self, there: Callable[[], bool], pause: float = 0.05) -> None:
        """Until it is so; in vain, with all that there is to know."""
        begin = time.monotonic()
        while not there():
            assert time.monotonic() - begin < PATIENCE, f"waited {PATIENCE} s in vain\n{self.known()}"
            time.sleep(pause)

    def known(self) -> str:
        """How trials stand, the ends of what they and their jobs printed last, and what SLURM says."""
        told: list[str] = []
        for name in ("trial.json", "output.txt", "*.out"):
            for path in sorted(self.folder.glob(f"outputs/**/{name}"), key=_changed)[-20:]:
                with suppress(FileNotFoundError):
                    told.append(f"--- {path.relative_to(self.folder)}\n{path.read_text(errors='replace')[-1500:]}\n")
        return "".join([*told, known(os.environ)])

    def saved(self, folder: str) -> list[int]:
        """The last step of every trial of `Told` in a sweep's folder that has saved one."""
        return sorted(int(path.read_text()) for path in (self.folder / folder).glob("trials/*/*/last.pt"))

    def until_saved(self, folder: str, steps: list[int]) -> None:
        self.wait_for(lambda: self.saved(folder) == steps)

    def steps(self, trial: dict[str, Any]) -> list[int]:
        """Those that a trial of `Told` has run, in their order, of all its attempts."""
        text = (self.folder / trial["folder"] / "metrics.jsonl").read_text()
        return [json.loads(line)["step"] for line in text.splitlines()]

    def begun(self, trial: dict[str, Any]) -> list[dict[str, Any]]:
        """What a trial of `Told` noted whenever it began or ended."""
        path = self.folder / trial["folder"] / "begun"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def end_below(folder: Path) -> None:
    """Kill the processes whose working directory is in a folder."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink().is_relative_to(folder):
                os.kill(int(link.parent.name), signal.SIGKILL)


def _changed(path: Path) -> float:
    """When a file was written; 0 if it is gone."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def masked(text: str) -> str:
    """Without what differs each time: the ids of trials and of code, times, and numbers of jobs."""
    text = re.sub(r"\b[0-9a-f]{10}\b", "ID________", text)
    text = re.sub(r"\b\d:\d\d:\d\d\b", "TIME___", text)
    return re.sub(r"(queued .* as|queued .* trials?:) \d+(, \d+)*", r"\1 JOB", text)


def words(launch: str, **fields: object) -> Sequence[str]:
    """`launch=slurm launch.gpus=1`."""
    return [f"launch={launch}", *(f"launch.{name}={value}" for name, value in fields.items())]
