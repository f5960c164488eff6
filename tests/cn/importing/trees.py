"""Small trees of YAML, written from Python texts, imported and proved; and old runs of Hydra over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cn.importing import project
from cn.importing.conversion import Conversion
from cn.importing.convert import Converter
from cn.importing.defaults_lists.packages import place_of
from cn.importing.proof.equal import Comparison
from cn.importing.proof.override_sets import Case
from cn.importing.proof.proof import Proof, Result
from cn.importing.writing.resolvers import stubs

ROOT = Path(__file__).parents[3]
IS_1_3 = version("hydra-core").startswith("1.3")
LOAD = """
import importlib, json, os, sys, warnings
from pathlib import Path
sys.path.insert(0, os.getcwd())
from omegaconf import OmegaConf
from cn.errors import CNError
from cn.importing.proof import by_hydra, by_nodes
from cn.importing.old_run.loaded import of_hydra
task = json.load(sys.stdin)
by_nodes._stub(task["stubs"])
os.environ = by_nodes.Environment()
OmegaConf.register_new_resolver("oc.env", by_hydra._variable, replace=True)
run = importlib.import_module("runs").Run
for path in task["paths"]:
    answer = {"plain": None, "told": []}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            answer["plain"] = by_nodes.composed(of_hydra(Path(path), run), [])
        except CNError as error:
            answer["told"] = [str(error)]
    answer["told"] += [str(each.message) for each in told]
    print(json.dumps(answer, default=str))
"""


class Imported(NamedTuple):
    """What an import of a small tree gave."""

    conversion: Conversion
    folder: Path

    def text(self, path: str) -> str:
        return (self.folder / path).read_text()

    def results(self, *sets: str, primary: str = "config") -> list[Result]:
        """Compose override sets with both, each a text of words."""
        cases: list[Case] = [(primary, each.split()) for each in sets]
        proof = Proof(self.conversion)
        return proof.compare(self.folder, cases, proof.composed_by_hydra(cases))

    def unequal(self, *sets: str, primary: str = "config") -> list[str]:
        """Return each override set that is not equal, with its cause."""
        results = self.results(*sets, primary=primary)
        return [f"{' '.join(each.overrides)}: {each.verdict}: {each.cause}" for each in results if not each.good]


class Old(NamedTuple):
    """An old run of Hydra, loaded as a run of the classes."""

    overrides: list[str]
    difference: str  # from what Hydra composed; "" if there is none
    told: list[str]  # an error, or notices
    loaded: bool


def old_runs(imported: Imported, cases: list[Case], *, bare: bool = False) -> list[Old]:
    """Write what Hydra leaves of each case that it can compose, and load it. bare: its config.yaml alone."""
    conversion, folder = imported
    proof = Proof(conversion)
    runs = [(*case, answer) for case, answer in zip(cases, proof.composed_by_hydra(cases), strict=True) if answer["ok"]]
    paths = [leave(folder / f"old/{i}", *run, bare=bare) for i, run in enumerate(runs)]
    names = {name: conversion.called.get(name, name) for name in [*stubs(conversion.functions), "now", "hydra"]}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps({"stubs": names, "paths": [str(each.relative_to(folder)) for each in paths]}),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Old] = []
    for (_, overrides, hydra), line in zip(runs, done.stdout.splitlines(), strict=True):
        answer = json.loads(line)
        given = {tuple(each.lstrip("+~").partition("=")[0].split(".")) for each in overrides}
        unchosen = frozenset(
            tuple(place_of(key)[1].split(".")) for key, option in hydra["choices"].items() if option is None
        )
        loaded = answer["plain"] is not None
        other = Comparison(conversion.families, given, unchosen).difference(hydra["resolved"], answer["plain"] or {})
        found.append(Old(overrides, str(other) if loaded and other else "", answer["told"], loaded))
    return found


def leave(folder: Path, primary: str, overrides: list[str], answer: dict[str, Any], *, bare: bool = False) -> Path:
    """Write the `.hydra` folder of a run that Hydra composed, and return its config.yaml."""
    settings = {"job": {"config_name": primary}, "runtime": {"choices": answer["choices"]}}
    files = {"overrides.yaml": overrides, "hydra.yaml": {"hydra": settings}}
    inner = folder / ".hydra"
    inner.mkdir(parents=True)
    for name, body in {"config.yaml": answer["unresolved"], **({} if bare else files)}.items():
        (inner / name).write_text(yaml.safe_dump(body, sort_keys=False))
    return inner / "config.yaml"


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write a tree; a name without an ending is that of a YAML file. Returns its root."""
    root = folder / "conf"
    for name, text in files.items():
        path = root / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def imported(folder: Path, files: dict[str, str], *primaries: str, exact: bool = False) -> Imported:
    """Write a tree and import it."""
    root = write(folder, files)
    conversion = Converter(root, list(primaries or ["config"]), exact=exact).convert()
    project.write(project.texts(conversion, "new"), folder / "new")
    return Imported(conversion, folder / "new")
