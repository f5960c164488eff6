"""`python -m cn check`: whether everything of a project composes, and what changed since a commit."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

from cn import program
from cn.cli import composed
from cn.cli.parser import Parser
from cn.errors import CNError, UserError, short
from cn.lazy import needs
from cn.run_folder.differences import ABSENT, differences, text, values_in
from cn.run_folder.folder import OUTPUTS
from cn.run_folder.folders import below
from cn.screen import answering, as_json_text, say
from cn.table import fold
from cn.writing.record import RecordWarning, load

HELP = """\
python -m cn check [--against REV]

  python -m cn check                  whether every option, run and sweep composes, and every run below outputs/ loads
  python -m cn check --against REV    also what the code of a commit composes otherwise: fields of runs and of trials,
                                      and how many done trials of sweeps no longer count

  --json    the same as JSON
  -h, --help: this page

Exit status: 0 if nothing is found, 1 if something fails or differs, 2 for a mistake in the words."""
SHOWN = 6  # trials of a sweep
CODE = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"


@answering()
def check(words: list[str]) -> int:
    """Check the project in the current folder, and return the exit status."""
    program.script = "-m cn check"
    flags = Parser()
    flags.add_argument("--against", metavar="REV")
    flags.add_argument("--json", action="store_true")
    flags.add_argument("-h", "--help", action="store_true")
    given = flags.parse_args(words)
    if given.help:
        say(fold(HELP))
        return 0
    if not Path(composed.RUNS, "__init__.py").is_file():
        what = "there is no run here to check: runs/__init__.py is not there"
        raise UserError(what, "go to the folder of a project, or write one: python -m cn new PROJECT")
    commit = None if given.against is None else _commit(given.against)
    with _progress() as report:
        found = checked(commit, report)
    say(as_json_text(found) if given.json else shown(found, given.against))
    return 1 if found["failures"] or found["changes"] else 0


def checked(commit: str | None, report: composed.Report = lambda what: None) -> dict[str, Any]:
    """Return the numbers of what composes, `failures`, and `changes` since a commit."""
    now = composed.composed(report)
    failures, loaded = list(now["failures"]), 0
    for each in below(OUTPUTS) if OUTPUTS.is_dir() else []:
        report(str(each.folder))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RecordWarning)
                load(each.folder)
            loaded += 1
        except CNError as error:
            failures.append({"what": str(each.folder), "why": str(error).split("\n")})
        except Exception as error:  # of any file of the project
            failures.append({"what": str(each.folder), "why": composed.told(error, type(error))})
    changes: list[dict[str, Any]] = []
    if commit is not None:
        report(f"the code of {commit[:10]}")
        old = _composed_at(commit)
        changes = compared(old, now)
        known = {each["what"] for each in now["failures"]}
        failures += [
            {**each, "what": f"{each['what']} of {commit[:10]}"}
            for each in old["failures"]
            if each["what"] not in known
        ]
    counts = {"options": now["options"], "runs": len(now["runs"]), "sweeps": len(now["sweeps"]), "recorded": loaded}
    return {**counts, "failures": failures, "changes": changes}


def compared(old: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each run and each sweep of the old code that composes otherwise, or no longer, field by field."""
    found: list[dict[str, Any]] = []
    for name, record in old["runs"].items():
        if name not in now["runs"]:
            found.append({"what": f"run={name}", "gone": True})
        elif fields := _fields(record, now["runs"][name]):
            found.append({"what": f"run={name}", "fields": fields})
    for name, trials in old["sweeps"].items():
        planned = now["sweeps"].get(name)
        if planned is None:
            found.append({"what": f"sweep={name}", "gone": True})
            continue
        lost = {identity: trial for identity, trial in trials.items() if identity not in planned}
        if not lost:
            continue
        by_words = {tuple(each["words"]): each["config"] for each in planned.values()}
        fields: dict[str, Any] = {}
        for trial in lost.values():
            if (config := by_words.get(tuple(trial["words"]))) is not None:
                fields = {**_fields(trial["config"], config), **fields}
        orphans = sorted(lost.keys() & _done(name))
        what = {"what": f"sweep={name}", "fields": fields, "trials": sorted(lost), "orphans": orphans}
        found.append(what)
    return found


def _fields(old: dict[str, Any], new: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields that differ, each with the value `before` and `now`; a key is left out if there is none."""
    rows = differences([values_in(old), values_in(new)])
    return {
        key: {name: value for name, value in zip(("before", "now"), row, strict=True) if value is not ABSENT}
        for key, row in rows.items()
    }


def _done(name: str) -> set[str]:
    """Return the ids of a sweep's done trials."""
    from cn.sweeping.folder.look import look
    from cn.sweeping.folder.trial_status import TrialStatus
    from cn.sweeping.planning.named import find

    return {key for key, each in look(find(name).store).trials.items() if each.state == TrialStatus.DONE}


def shown(found: dict[str, Any], against: str | None) -> str:
    """Return what was found as a text."""
    what = {"options": "option", "runs": "run", "sweeps": "sweep", "recorded": "recorded run"}
    counts = ", ".join(f"{found[key]} {word}{'' if found[key] == 1 else 's'}" for key, word in what.items())
    parts = [f"checked: {counts}"]
    for each in found["failures"]:
        parts += ["", f"{each['what']} fails", *(f"  {line.strip()}" for line in each["why"])]
    for each in found["changes"]:
        parts += ["", f"{each['what']} {'is gone' if 'gone' in each else 'differs'}"]
        for key, row in each.get("fields", {}).items():
            before, now = (text(row.get(name, ABSENT)) for name in ("before", "now"))
            parts.append(f"  {key}: {before or '(none)'} -> {now or '(none)'}")
        if trials := each.get("trials"):
            told = ", ".join(trials[:SHOWN]) + (", ..." if len(trials) > SHOWN else "")
            parts.append(
                f"  no longer planned: {len(trials)} trials ({told}), of which {len(each['orphans'])} are done"
            )
    if against is not None and not found["changes"] and not found["failures"]:
        parts.append(f"no run and no sweep of {against} composes otherwise now")
    return "\n".join(parts)


def _commit(rev: str) -> str:
    """Return the hash of a commit; UserError if git, the repository or the commit is not there."""
    try:
        inside = subprocess.run(["git", "rev-parse", "--show-prefix"], capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError("--against needs git, which is not installed", "leave out --against") from None
    if inside.returncode:
        raise UserError("--against needs a git repository, and this folder is in none", "leave out --against")
    asked = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"]
    done = subprocess.run(asked, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"--against {short(rev)}: there is no such commit", "see: git log --oneline")
    return done.stdout.strip()


def _composed_at(commit: str) -> dict[str, Any]:
    """Return what the code of a commit composes to; it is unpacked in a temporary folder, which is always removed."""
    with _ending(), tempfile.TemporaryDirectory(prefix="cn-check-") as folder:
        archive = Path(folder, "code.tar")
        made = subprocess.run(
            ["git", "archive", "--format=tar", "-o", str(archive), commit], capture_output=True, text=True
        )
        if made.returncode:
            raise UserError(f"git cannot give the code of {commit[:10]}", made.stderr.strip())
        code = Path(folder, "code")
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(code, filter="data")
        except tarfile.TarError as error:
            raise UserError(f"the code of {commit[:10]} cannot be unpacked", short(str(error))) from None
        command = [sys.executable, "-c", CODE, str(Path(composed.__file__).resolve())]
        done = subprocess.run(command, cwd=code, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            what = f"the code of {commit[:10]} cannot say what it composes to"
            raise UserError(what, short(why), "compare with a later commit")
        return cast("dict[str, Any]", json.loads(done.stdout))


@contextlib.contextmanager
def _ending() -> Generator[None]:
    """Turn SIGTERM into an exit, so that temporary folders are removed."""

    def end(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _progress() -> Generator[composed.Report]:
    """Show on a terminal what is checked now."""
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    needs("the progress of a check", "rich")
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.completed} checked"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, transient=True, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda what: bar.update(task, description=what, advance=1)
