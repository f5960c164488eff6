"""A search goes on after its worker is killed at an exact place, or ended by SLURM: no point is lost or repeated."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cn.launching.locks import held_below
from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, words
from tests.sweeps.test_interrupted import start_waiting
from tests.sweeps.test_prune import AXES as VALUE
from tests.sweeps.test_prune import REPORTS, SAVED
from tests.sweeps.test_search import finished, hold, hunt, kill, once_each

KILL = """
def _dies(place, *pids):
    import os, signal
    from pathlib import Path

    mark = Path("outputs") / place
    if Path("outputs/armed").exists() and not mark.exists():
        mark.touch()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
"""
PLACES = {  # file, begin of the line before which a process of the search is killed, and which
    "in an ask, before the point is written": (
        "cn/sweeping/job/ask.py",
        "        self.points.add(Point(",
        "os.getppid(), os.getpid()",
    ),
    "between ask and train": (
        "cn/sweeping/job/supervisor.py",
        "        self.todo.extend(trials)\n",
        "os.getpid()",
    ),
    "in a report": (
        "cn/sweeping/job/reporter.py",
        '        with (self.folder / FILE).open("a") as file:\n',
        "os.getppid(), os.getpid()",
    ),
    "between train and tell": (
        "cn/sweeping/job/supervisor.py",
        "        came = chosen(parts)\n",
        "os.getpid()",
    ),
}
SLURM = words("slurm", gpus=1, hours=0.5, partition="low", parallel=3)


def armed(project: Project, place: str) -> str:
    """Have a process of the search kill itself once it comes to the place; the name of the mark that it leaves."""
    file, line, pids = PLACES[place]
    text = (project.folder / file).read_text()
    assert text.count(line) == 1, (file, line)
    indent = line[: len(line) - len(line.lstrip())]
    mark = place.replace(" ", "_").replace(",", "")
    text = text.replace(line, f"{indent}_dies({mark!r}, {pids})\n{line}")
    head, future, rest = text.partition("from __future__ import annotations\n")
    imports = "" if "\nimport os\n" in text else "import os\n"
    project.write(file, f"{head}{future}{imports}{KILL}{rest}")
    return mark


def reporting(project: Project) -> None:
    """Have each step reported to the sweep."""
    door = (project.folder / "train.py").read_text()
    project.write("train.py", door.replace(SAVED, REPORTS))


def prepared(project: Project, place: str) -> tuple[str, Path]:
    reporting(project)
    name = hunt(project, "Tpe(trials=14, startup=4)", base="pause=0.05, steps=3", axes=AXES, parallel=3)
    path = project.folder / "sweeps/hunt.py"
    text = path.read_text().replace("Axes, Cmaes", "Axes, Median, Prune, Cmaes")
    path.write_text(text.rstrip() + "\n    prune: Prune | None = Median(after=100)\n")
    mark = project.folder / "outputs" / armed(project, place)
    mark.parent.mkdir(exist_ok=True)
    (mark.parent / "armed").touch()
    return name, mark


AXES = 'space({"value": log_uniform(1e-3, 1)})'


def held(project: Project, name: str) -> list[dict[str, Any]]:
    """Submit the search; its three trials, once each of them holds after its second step."""
    hold(project)
    project.sweeps("submit", name, *SLURM)
    project.wait_for(lambda: project.saved("outputs/sweeps/hunt").count(2) == 3)
    return [each for each in project.trials(name) if each["state"] == "running"]


@pytest.mark.parametrize("place", PLACES)
def test_a_worker_killed_here_at_an_exact_place_loses_and_repeats_nothing(project: Project, place: str):
    name, mark = prepared(project, place)
    project.sweeps("submit", name)
    project.wait_for(lambda: mark.exists() and not list(held_below(project.folder / "outputs/sweeps/hunt/jobs")))
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 14}
    once_each(project, 14)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_a_worker_killed_on_a_cluster_at_an_exact_place_loses_and_repeats_nothing(
    project: Project, slurm: Cluster, place: str
):
    name, mark = prepared(project, place)
    project.sweeps("submit", name, *SLURM)
    project.wait_for(mark.exists)
    counts = finished(project, name)
    assert sum(counts.values()) <= 14
    project.sweeps("submit", name, *SLURM)
    assert finished(project, name) == {"done": 14}
    once_each(project, 14)


def test_a_search_goes_on_after_a_lost_node(project: Project, slurm: Cluster):
    name = hunt(project, "Random(trials=16)", base="act='hold', at=2, steps=5", axes=AXES)
    project.sweeps("submit", name, *SLURM, "search.trials=4")
    assert finished(project, name) == {"done": 4}
    trials = held(project, name)
    node = project.begun(trials[0])[0]["node"]
    there = [each["id"] for each in trials if project.begun(each)[0]["node"] == node]
    slurm.down(node)
    project.until(name, lambda counts: counts.get("waiting") == len(there))
    waiting = [each for each in project.trials(name) if each["state"] == "waiting"]
    assert sorted(each["id"] for each in waiting) == sorted(there)
    project.hold.unlink()
    start_waiting(project, slurm, name)
    finished(project, name)
    slurm.resume(node)
    project.sweeps("submit", name, *SLURM)
    assert finished(project, name) == {"done": 16}
    once_each(project, 16)
    for trial in waiting:
        first, again, _ = project.begun(trial)
        assert (first["step"], again["step"], again["node"] != node) == (0, 3, True)


def test_a_search_goes_on_after_its_time_limit(project: Project, slurm: Cluster):
    name = hunt(project, "Random(trials=8)", base="act='hold', at=2, steps=4", axes=AXES)
    hold(project)
    project.sweeps("submit", name, *words("slurm", gpus=1, hours=0.0333, parallel=2))
    project.until(name, lambda counts: counts.get("waiting", 0) == 2)
    project.hold.unlink()
    start_waiting(project, slurm, name)
    assert finished(project, name) == {"done": 8}
    once_each(project, 8)


def test_a_search_that_is_cancelled_goes_on_when_it_is_submitted_again(project: Project, slurm: Cluster):
    name = hunt(project, "Random(trials=12)", base="act='hold', at=2, steps=5", axes=AXES)
    project.sweeps("submit", name, *SLURM, "search.trials=4")
    assert finished(project, name) == {"done": 4}
    trials = held(project, name)
    project.sweeps("cancel", name)
    assert finished(project, name) == {"done": 4, "cancelled": 3}
    project.hold.unlink()
    project.sweeps("submit", name, *SLURM)
    assert finished(project, name) == {"done": 12}
    once_each(project, 12)
    assert [[each.get("step") for each in project.begun(trial)] for trial in trials] == [[0, 3, None]] * 3


def test_no_process_holds_the_log_of_another_trial(project: Project):
    """It is locked while a process holds it, so that the trial could not go on once it is promoted."""
    name = hunt(project, "Random(trials=4)", axes=VALUE, base="steps=10000, pause=0.1", parallel=3)
    project.sweeps("submit", name, "search.trials=2")
    project.wait_for(lambda: len(begun(project)) == 2)
    kill(project)
    project.sweeps("submit", name)  # these two begin before the process that asks for points
    project.wait_for(lambda: len(begun(project)) == 5)
    [supervisor] = {int(each.number) for each in held_below(project.folder / "outputs/sweeps/hunt/jobs")}
    for log, pid in begun(project)[-3:]:
        assert holders(log) == {supervisor, pid}


def begun(project: Project) -> list[tuple[Path, int]]:
    """The log and the process of each beginning of a trial, in order."""
    paths = (project.folder / "outputs/sweeps/hunt/trials").rglob("begun")
    notes = [(path, json.loads(line)) for path in paths for line in path.read_text().splitlines()]
    notes.sort(key=lambda note: note[1]["time"])
    return [(path.with_name("output.txt"), note["pid"]) for path, note in notes]


def holders(path: Path) -> set[int]:
    """The processes that have a file open."""
    found: set[int] = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # a process that has ended meanwhile
            if os.path.samefile(link, path):
                found.add(int(link.parts[2]))
    return found
