"""Any state file of a sweep may be damaged in any way: it is told by its name, and everything else goes on."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.project import Project

pytestmark = pytest.mark.slow

RECORDED = '''
"""A queue that is a file: a test sees what is in it, and nothing of it runs."""

from __future__ import annotations

import json
from pathlib import Path

from runs.launch import Launch
from cn.launching.queue import Here, Job, Queue

FILE = Path("outputs/queue.json")


class Recorded(Launch):
    """Jobs that wait for ever."""

    def build(self) -> Queue:
        return Recording()


class Recording(Queue):
    def submit(self, jobs):
        there = self.there()
        number = str(100 + len(there))
        self.write([*there, *([jobs.label, index, number] for index in range(jobs.count))])
        return number

    def jobs(self, name, folder):
        return [Job(label, index, number, "pending") for label, index, number in self.there()]

    def ended(self, numbers):
        return {}

    def cancel(self, name, folder):
        self.write([])

    def most(self):
        return 2

    def here(self):
        raise NotImplementedError

    def why(self):
        raise NotImplementedError

    def requeue(self):
        raise NotImplementedError

    def there(self):
        return json.loads(FILE.read_text()) if FILE.exists() else []

    def write(self, rows):
        FILE.write_text(json.dumps(rows))
'''

SWEEP = "points([{'value': 0.1}, {'value': 0.7}, {'act': 'raise'}, {'value': 0.3}, {'value': 0.4}])"
FOLDER = Path("outputs/sweeps/five")


class Folder:
    """A sweep of five trials, two done, one failed and two that wait, each time as good as new."""

    def __init__(self, project: Project) -> None:
        self.project, self.root, self.at = project, project.folder, project.folder / FOLDER
        project.write("runs/launch/recorded.py", RECORDED)
        project.sweep("five", SWEEP.replace(", {'value': 0.3}, {'value': 0.4}", ""), base="steps=2")
        project.sweeps("submit", "five")
        project.over("five")
        project.sweep("five", SWEEP, base="steps=2")
        path = self.root / "sweeps/five.py"
        text = path.read_text().replace("Local(parallel=4)", "Recorded()")
        path.write_text("from runs.launch.recorded import Recorded\n" + text)
        project.sweeps("submit", "five")
        self.trials = {" ".join(each["words"]): each for each in project.trials("five")}
        self.labels = sorted(path.stem for path in (self.at / "jobs").glob("*.jsonl"))
        self.ids = {name: each["id"] for name, each in self.trials.items()}
        (self.at / "stop.json").write_text(json.dumps({"reason": "why", "count": 3, "code": "0"}))
        (self.at / "failures.jsonl").write_text(json.dumps({"reason": "why", "code": "0"}) + "\n")
        self.codes = set((self.at / "code").glob("*"))
        first = json.loads((self.at / f"jobs/{self.labels[0]}.jsonl").read_text().splitlines()[0])
        self.code = self.at / "code" / first["snapshot"]
        self.kept = {path: path.read_bytes() for path in self.files() if not path.is_relative_to(self.at / "code")}
        shutil.copytree(self.code, self.root.parent / "code", symlinks=True)
        self.told = (self.code / "runs/told.py").read_bytes()
        self.stands: tuple[str, str] | None = None  # the damage that is done, and nothing else since
        words = [sys.executable, str(Path(__file__).with_name("driver.py"))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self.driver = subprocess.Popen(
            words, cwd=self.root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def files(self) -> list[Path]:
        return [path for path in (self.root / "outputs").rglob("*") if path.is_file()]

    def restore(self) -> None:
        """Make all state files what they were; the copy of the code is copied only where it is another."""
        for path in self.at.iterdir():
            if path.name != "code":
                away(path)
        for path in (self.at / "code").glob("*"):
            if path not in self.codes:
                away(path)
        told = self.code / "runs/told.py"
        if not told.is_file() or told.read_bytes() != self.told:
            away(self.code)
            shutil.copytree(self.root.parent / "code", self.code, symlinks=True)
        for path, text in self.kept.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)

    def damage(self, file: str, damage: str) -> None:
        """Make the folder new but for one file."""
        self.restore()
        DAMAGE[damage](self.of(file))
        self.stands = (file, damage)

    def type(self, *words: str) -> tuple[Any, str]:
        """The exit status of a verb, or the traceback that escaped, and what it printed."""
        assert self.driver.stdin is not None
        assert self.driver.stdout is not None
        self.driver.stdin.write(json.dumps(words) + "\n")
        self.driver.stdin.flush()
        status, said = json.loads(self.driver.stdout.readline())
        return status, said

    def data(self, *words: str) -> dict[str, Any]:
        status, said = self.type(*words, "--json")
        assert status == 0, f"{words}: {status}\n{said}"
        return json.loads(said)

    def states(self, name: str) -> dict[str, str]:
        return {each["id"]: each["state"] for each in self.data("status", name, "--all")["trials"]}

    def queue(self) -> list[Any]:
        return json.loads((self.root / "outputs/queue.json").read_text())

    def of(self, name: str) -> Path:
        """The path of a state file, from what the tests call it."""
        trial = {"done": "value=0.7", "failed": "act=raise"}
        kind, _, rest = name.partition(" ")
        if kind in trial:
            folder = self.root / self.trials[trial[kind]]["folder"]
            return folder / rest if rest else folder
        if kind in ("first", "last"):
            return self.at / "jobs" / rest.replace("N", self.labels[0 if kind == "first" else -1])
        if kind == "code":
            return self.code / rest if rest else self.code
        return self.at / name

    def close(self) -> None:
        self.driver.kill()
        self.driver.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    project = Project(tmp_path_factory.mktemp("damage") / "project")
    found = Folder(project)
    yield found
    found.close()
    project.end()


def overwritten(text: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        path.write_bytes(text)

    return write


def cut(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        text = path.read_bytes() if path.exists() else b""
        path.write_bytes(text[: len(text) // 2])


def away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def folder_instead(path: Path) -> None:
    away(path)
    path.mkdir()
    (path / "inside").touch()


def link_to_nothing(path: Path) -> None:
    away(path)
    path.symlink_to("nowhere")


def unreadable(path: Path) -> None:
    if not path.exists():
        path.touch()
    path.chmod(0)


def other_types(path: Path) -> None:
    """Lines of JSON whose values are all of another type; other files hold a number."""
    if path.is_dir():
        shutil.rmtree(path)
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        try:
            lines = [json.loads(path.read_text())]
        except (OSError, ValueError):
            lines = [3]
    path.write_text("".join(json.dumps(changed(line)) + "\n" for line in lines))


def changed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: [each] for name, each in value.items()}
    return [changed(each) for each in value] if isinstance(value, list) else [value]


DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut": cut,
    "empty": overwritten(b""),
    "bytes": overwritten(random.Random(0).randbytes(300)),
    "folder": folder_instead,
    "link": link_to_nothing,
    "unreadable": unreadable,
    "other types": other_types,
}
FILES = [
    "done trial.json",
    "failed trial.json",
    "done summary.json",
    "failed summary.json",
    "done metrics.jsonl",
    "done config.json",
    "failed output.txt",
    "done",
    "first N.jsonl",
    "last N.jsonl",
    "first N.id",
    "last N.id",
    "last N.cancelled",
    "first N/lock",
    "first N",
    "sweep.json",
    "identity.json",
    "stop.json",
    "failures.jsonl",
    ".lock",
    "code",
    "code runs/told.py",
]
VERBS = ["status", "plan", "submit", "results", "best", "logs", "cancel", "retry"]
CHANGING = ("submit", "cancel", "retry")
GONE = ("cut", "folder", "link")  # of a folder: it holds nothing any more, which is no damage to a file
TOLD = ["trial.json", "N.jsonl", "N.id", "stop.json", "done"]  # what `status` has to name where it is damaged


EACH = list(itertools.product(enumerate(FILES), enumerate(DAMAGE), enumerate(VERBS)))
PAIRS = [  # in a third of them, each two of a file, a damage and a verb meet
    pytest.param(file, damage, verb, marks=() if (one + two + three) % 3 == 0 else pytest.mark.long)
    for (one, file), (two, damage), (three, verb) in EACH
]


@pytest.mark.parametrize(("file", "damage", "verb"), PAIRS)
def test_no_damaged_file_stops_a_verb(folder: Folder, file: str, damage: str, verb: str):
    if folder.stands != (file, damage):
        folder.damage(file, damage)
    if verb in CHANGING:
        folder.stands = None
    status, said = folder.type(verb, "five")
    assert status == 0, f"{status}\n{said}"
    lost = {"failed trial.json": "act=raise", "done": "value=0.7"}.get(file)
    if verb == "status":
        found = folder.states("five")
        waiting = {name for name in ("value=0.3", "value=0.4") if file != "last N.jsonl"}
        assert {name: found[folder.ids[name]] for name in {*folder.ids} - {"value=0.3", "value=0.4"} | waiting} == {
            "value=0.1": "done",
            "value=0.7": ("failed" if damage in GONE else "damaged") if lost == "value=0.7" else "done",
            "act=raise": "damaged" if lost == "act=raise" else "failed",
            **dict.fromkeys(waiting, "queued"),
        }
        if (file.split()[-1] in TOLD and not (file == "done" and damage in GONE)) or file == "done summary.json":
            assert f"{folder.of(file).relative_to(folder.root)}" in said
            assert " is damaged: " in said
    if verb == "best":
        best = "value=0.1" if file in ("done", "done summary.json") else "value=0.7"
        assert said.split("\n")[0].endswith(best)
    if verb == "cancel":
        assert folder.queue() == []
    if verb == "retry":
        found = folder.states("five")
        assert {found[folder.ids[name]] for name in folder.ids} == {"done", "queued"}
        assert found[folder.ids["value=0.1"]] == "done"
        assert (found[folder.ids["value=0.7"]] == "queued") == (file == "done")  # nothing finished is trained again
        if file != "last N.jsonl":  # which its jobs are still to read
            assert folder.data("status", "five")["damaged"] == []
            assert len(folder.queue()) == len([state for state in found.values() if state == "queued"])


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("verb", ["status", "cancel", "retry", "results", "best"])
def test_a_sweep_that_its_folder_names_is_served_without_its_sweep_json(folder: Folder, damage: str, verb: str):
    folder.damage("sweep.json", damage)
    folder.stands = None
    status, said = folder.type(verb, str(FOLDER))
    assert status == 0, f"{status}\n{said}"
    if verb == "status":
        assert f"{FOLDER}/sweep.json is damaged: " in said
        assert " validation/accuracy " in said  # the batches know the goal too
    if verb == "best":
        assert said.split("\n")[0].endswith("value=0.7")
    if verb == "retry":
        assert folder.data("status", str(FOLDER))["damaged"] == []
