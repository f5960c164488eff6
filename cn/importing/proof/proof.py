"""Prove an import: compose many override sets with Hydra on the YAML and with CN on the classes, and compare."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from cn.errors import RunError, UserError
from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.packages import place_of
from cn.importing.proof.causes import Causes, cause_of
from cn.importing.proof.equal import Comparison
from cn.importing.proof.override_sets import Case, required, sets
from cn.importing.proof.words import NotTranslated, Words, read
from cn.importing.reading.other_process import run_module
from cn.importing.reading.yaml_files import File
from cn.importing.writing.resolvers import stubs

Progress = Callable[[str], None]
OLD = "1.1"  # the version_base of programs that give none
LEFT = {  # verdicts that are not counted, with what the summary says of them
    "left out": "add or delete a key, which a class does not allow",
    "Hydra refuses": "refused by Hydra alone",
}
PROMISE = "adds a key, or deletes one: a field of a class is there, or it is not"


@dataclasses.dataclass
class Result:
    """How one override set came out. verdict: equal, both refuse, differs, refused, or one of LEFT.

    cause, place: for a set that is not equal, why, and the line of YAML. seconds: of Hydra and of CN.
    """

    primary: str
    overrides: list[str]
    words: list[str]
    verdict: str
    cause: str = ""
    place: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)

    @property
    def good(self) -> bool:
        return self.verdict in ("equal", "both refuse")


class Proof:
    """Composes with both.

    version_base: of Hydra, as the program gave it to `hydra.main`. If it is not given, it is 1.1 for a tree that says
    `# @package _group_`, or that Hydra composes with 1.1 only; the report tells so.
    """

    def __init__(self, conversion: Conversion, *, version_base: str | None = None) -> None:
        self.conversion, self.version_base = conversion, version_base
        self.words = Words(conversion)
        self.causes = Causes(conversion, self.words)
        old = next((file for file in conversion.files.values() if file.is_old), None)
        if version_base is None and old is not None and _reads_old():
            self._use_old(old.shown, "`# @package _group_` means the file's own group")

    def composed_by_hydra(self, cases: list[Case]) -> list[dict[str, Any]]:
        """Return Hydra's answer to each case."""
        conversion = self.conversion
        task = {
            "folder": str(conversion.root.resolve()),
            "version_base": self.version_base,
            "plugins": list(_plugins(conversion.files)),
            "schema": conversion.schema,
            "resolvers": sorted(set(_resolvers(conversion.files))),
            "cases": cases,
        }
        return _answers("cn.importing.proof.by_hydra", task, len(cases))

    def composed_by_nodes(self, project: Path, cases: list[list[str]]) -> list[dict[str, Any]]:
        """Return what the classes of the project make of each list of words."""
        functions = [*stubs(self.conversion.functions), "now", "hydra"]
        names = {name: self.conversion.called.get(name, name) for name in functions}
        task = {"project": str(project.resolve()), "stubs": names, "environment": "stubs", "cases": cases}
        return _answers("cn.importing.proof.by_nodes", task, len(cases))

    def _use_old(self, place: str, why: str) -> None:
        self.version_base = OLD
        self.conversion.odd.append((place, f"Hydra composed with version_base {OLD}, with which {why}"))

    def refuse(self) -> dict[str, dict[str, Any]]:
        """Return Hydra's answer for each primary config with the choices it requires; UserError if it has none."""
        names = self.conversion.primaries
        cases = [(name, required(self.conversion, name)) for name in names]
        answers = dict(zip(names, self.composed_by_hydra(cases), strict=True))
        bad = next((name for name, answer in answers.items() if not answer["ok"]), None)
        if bad is not None and self.version_base is None and _reads_old():
            self.version_base = OLD
            old = dict(zip(names, self.composed_by_hydra(cases), strict=True))
            self.version_base = None
            if all(answer["ok"] for answer in old.values()):
                why = f"alone it can; without: {str(answers[bad]['error']).splitlines()[0]}"
                self._use_old(self.conversion.files[bad].shown, why)
                return old
        for name, answer in answers.items():
            if not answer["ok"]:
                file = self.conversion.files[name].shown
                why = str(answer["error"]).split("\n")[0]
                stored = "if a module of the program stores it in Hydra's ConfigStore: --schema MODULE"
                more = stored if why.startswith("MissingConfigException") else None
                raise UserError(f"{file} cannot be composed by Hydra either, so it is not imported", why, more)
        return answers

    def run(self, project: Path, most: int, seed: int, progress: Progress) -> list[Result]:
        """Compose at most `most` override sets of each primary config with both."""
        cases: list[Case] = []
        for name, answer in self.refuse().items():
            base = required(self.conversion, name)
            cases += sets(self.conversion, name, base, answer.get("unresolved"), most, seed)
        progress(f"composing {len(cases)} override sets with Hydra")
        by_hydra = self.composed_by_hydra(cases)
        progress(f"composing {len(cases)} override sets with CN")
        return self.compare(project, cases, by_hydra)

    def compare(self, project: Path, cases: list[Case], by_hydra: list[dict[str, Any]]) -> list[Result]:
        """Compose the cases with CN, and compare with Hydra's answers."""
        words: dict[int, list[str]] = {}
        why: dict[int, str] = {}
        for place, (primary, overrides) in enumerate(cases):
            try:
                words[place] = self.words.command(primary, overrides)
            except NotTranslated as error:
                why[place] = str(error)
        by_nodes = dict(zip(words, self.composed_by_nodes(project, list(words.values())), strict=True))
        return [
            self._result(case, answer, words.get(place), by_nodes.get(place), why.get(place, ""))
            for place, (case, answer) in enumerate(zip(cases, by_hydra, strict=True))
        ]

    def _result(
        self, case: Case, hydra: dict[str, Any], words: list[str] | None, ours: dict[str, Any] | None, why: str
    ) -> Result:
        primary, overrides = case
        typed = [read(each) for each in overrides]
        signed = any(each.sign and not self.words.is_patch(each) for each in typed)
        result = Result(primary, overrides, words or [], "equal")
        if ours is None:
            if not hydra["ok"]:
                return dataclasses.replace(result, verdict="both refuse")
            verdict = "left out" if signed else "refused"
            return dataclasses.replace(result, verdict=verdict, cause=PROMISE if signed else why)
        result.seconds = (float(hydra.get("seconds", 0)), float(ours.get("seconds", 0)))
        if not hydra["ok"]:
            if not ours["ok"] or unfinished(ours["plain"]):
                return dataclasses.replace(result, verdict="both refuse")
            cause = f"Hydra refuses it: {str(hydra['error']).splitlines()[0]}"
            return dataclasses.replace(result, verdict="Hydra refuses", cause=cause)
        if not ours["ok"]:
            if signed:
                return dataclasses.replace(result, verdict="left out", cause=PROMISE)
            place = self.causes.place_of_words(primary, typed)
            return dataclasses.replace(result, verdict="refused", cause=cause_of(str(ours["error"])), place=place)
        given = {tuple(each.key.split(".")) for each in typed if not self.words.is_group(each)}
        unchosen = frozenset(
            tuple(place_of(key)[1].split(".")) for key, option in hydra.get("choices", {}).items() if option is None
        )
        patches = frozenset(tuple(group.split("/")) for group in self.conversion.reader.patch_groups)
        comparison = Comparison(self.conversion.families, given, unchosen, patches)
        found = comparison.difference(hydra["resolved"], ours["plain"])
        if found is None:
            return result
        cause, place = self.causes.of_difference(primary, typed, found)
        return dataclasses.replace(result, verdict="differs", cause=cause, place=place)


def _plugins(files: dict[str, File]) -> Iterator[tuple[str, str]]:
    """Yield the options of Hydra's own groups that defaults lists choose."""
    for file in files.values():
        for entry in file.entries:
            group = (entry.group or "").removeprefix("/")
            full = group if group.startswith("hydra/") else f"{file.group}/{group}"
            if full.startswith("hydra/") and isinstance(entry.options, str):
                yield full, entry.options.removesuffix(".yaml")


def _resolvers(files: dict[str, File]) -> Iterator[str]:
    """Yield the names that interpolations call."""
    for file in files.values():
        if file.path.is_file():
            yield from re.findall(r"\$\{\s*([A-Za-z_][\w.]*)\s*:", file.path.read_text("utf-8", "replace"))


def unfinished(value: Any) -> bool:
    """Return whether a required value is not given, so that a run would be refused."""
    inner = cast("dict[str, Any]", value).values() if isinstance(value, dict) else ()
    return value == "???" or any(map(unfinished, inner))


def _reads_old() -> bool:
    """Return whether the installed Hydra knows version_base 1.1; 1.4 refuses it."""
    major, minor, *_ = importlib.metadata.version("hydra-core").split(".")
    return (int(major), int(minor)) < (1, 4)


def _answers(module: str, task: dict[str, Any], expected: int) -> list[dict[str, Any]]:
    """Run a process for a task, and return its answers. RunError if it ends early."""
    done = run_module(module, given=json.dumps(task))
    answers = [cast("dict[str, Any]", json.loads(line)) for line in done.stdout.splitlines()]
    if len(answers) < expected:
        told = _last(done.stderr) or [f"exit status {done.returncode}"]
        raise RunError(f"python -m {module} ended after {len(answers)} of {expected} override sets", *told)
    return answers


def _last(told: str) -> list[str]:
    """Return the last message of a process: what it says from its last line that is not indented."""
    rows = told.strip().splitlines()
    first = max((place for place, row in enumerate(rows) if row and not row[0].isspace()), default=0)
    return [row.strip() for row in rows[first:]]
