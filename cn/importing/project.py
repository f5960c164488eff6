"""Write the files of an imported project: all of them, or none."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

from cn.errors import RunError, UserError, short
from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.packages import place_of
from cn.importing.families.names import by_last_part, camel
from cn.importing.proof.override_sets import options
from cn.importing.proof.words import Words, read
from cn.importing.sweeps.axes import NoAxis
from cn.importing.sweeps.hydra_settings import CONTRACT, SLURM, launchers, settings, slurm
from cn.importing.sweeps.sweeps import sweep

TRAIN = '''"""python train.py run={run}      (--help shows what can be chosen and set)"""

from __future__ import annotations

from cn import Job, main

from runs import Run


def train(run: Run, job: Job) -> None:
    """What the program did with `cfg` belongs here; `cn.instantiate(run.NAME)` builds a node that has a target."""
    print(run)


if __name__ == "__main__":
    main(train)
'''
PYPROJECT = """[project]
name = "{name}"
version = "0.1.0"
dependencies = ["cn"]

[tool.ruff]
line-length = 120

[tool.ruff.lint]
ignore = [
    "N999",  # a file bears the name that chooses it on the command line
    "RUF012",  # a mutable default of a node is fresh for each instance
]
"""
SWEEPS = '"""Sweeps: python -m cn sweeps plan NAME."""\n'
DEFAULT = '''from __future__ import annotations

from runs.{module} import {name}


class Default({name}):
    """The run of a command without run=."""
'''


def refuse_taken(folder: Path) -> None:
    """Raise UserError if the folder cannot be a new one."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder} is there already, and is no folder", "write: another name")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is there already, and is not empty", "write: another name")


def beside(folder: Path) -> Path:
    """Return the folder that holds the files until all are written. What a killed process left there is removed."""
    found = folder.with_name(f".{folder.name}.unfinished")
    if found.is_dir() and not found.is_symlink():
        shutil.rmtree(found)
    return found


def texts(conversion: Conversion, name: str) -> dict[str, str]:
    """Return the text of every file, by its path."""
    first = conversion.runs[conversion.primaries[0]]
    found = {**conversion.texts, "train.py": TRAIN.format(run=first), "pyproject.toml": PYPROJECT.format(name=name)}
    if "runs/default.py" not in found:
        cls = conversion.class_names[conversion.primaries[0]]
        found["runs/default.py"] = DEFAULT.format(module=first.replace("/", "."), name=cls)
    return {**found, **_sweeps(conversion, first), **_launchers(conversion)}


def _sweeps(conversion: Conversion, first: str) -> dict[str, str]:
    """Return a class for each set of a sweeper's parameters."""
    words, primary = Words(conversion), conversion.primaries[0]
    base = (f"runs.{first.replace('/', '.')}", conversion.class_names[primary])

    def key(name: str, values: list[Any]) -> tuple[str, list[Any]]:
        word = read(name)
        chosen = [read(f"{name}={each}") for each in values]
        if any(map(words.is_patch, chosen)):
            return "patches", [words.patches(words.applied(primary, [each])) for each in chosen]
        if word.sign == "~":
            raise NoAxis("it deletes a key, which a class does not allow")
        if not words.is_group(word):
            keys = word.key.split(".")
            if word.sign and conversion.families.at(tuple(keys)) is None:
                raise NoAxis("it adds a key, which a class does not allow")
            return ".".join(words.families.typed(keys)), values
        address = place_of(word.key)[1]
        options = [words.option(word.group, str(each)) or each for each in values]
        return "/".join(words.families.typed(address.split("."))), options

    def offered(name: str) -> list[str]:
        """Return the options that Hydra's `glob` finds: none in a folder below the group."""
        return [each for each in options(conversion, read(name).group) if "/" not in each]

    found: dict[str, str] = {}
    every = [each for each in settings(conversion.files, "sweeper") if each.values.get("params")]
    names = by_last_part(each.file.config for each in every)
    for each in every:
        name = names[each.file.config]
        text, lost = sweep(each, name, key, offered, base)
        for param, why in lost.items():
            place = each.file.place((*each.at, "params", param))
            conversion.odd.append((place, f"{param} is no axis of the sweep, since {why}"))
        if text is not None:
            conversion.sweeps[each.file.config] = f"sweeps/{name}.py"
            found[f"sweeps/{name}.py"] = text
    return {"sweeps/__init__.py": SWEEPS, **found} if found else {}


def _launchers(conversion: Conversion) -> dict[str, str]:
    """Return the files of a launch group, if the tree has settings for submitit."""
    found = [each for each in settings(conversion.files, "launcher") if set(each.values) & set(SLURM)]
    if not found:
        return {}
    names = by_last_part((each.file.config for each in found), ("Annotated", "Count", "Ge", "Hours"))
    made = [slurm(each) for each in found]
    for each, (_, lost) in zip(found, made, strict=True):
        conversion.odd.extend((each.file.place(each.at), f"{what}: Slurm has no such setting") for what in lost)
    places = [each.file.place(each.at) for each in found]
    classes = [(camel(names[each.file.config]), fields) for each, (fields, _) in zip(found, made, strict=True)]
    text = launchers(classes, places)
    return {"runs/launch/__init__.py": CONTRACT, "runs/launch/slurm.py": text}


def refuse_broken(found: dict[str, str]) -> None:
    """Raise RunError for the first module that is no Python, so that nothing is written."""
    for path, text in found.items():
        if not path.endswith(".py"):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                compile(text, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line: int | None = getattr(error, "lineno", None)
            what = f"{path}{f':{line}' if line else ''} would be no Python: {getattr(error, 'msg', error)}"
            shown = short(text.split("\n")[line - 1].strip()) if line else None
            fault = "this is a fault of the importer, not of the YAML, and nothing is written"
            next_ = "write: the YAML of this line in another form, then the same command; and tell the authors of CN"
            raise RunError(what, shown, fault, next_) from None


def write(found: dict[str, str], folder: Path) -> None:
    """Write the files into a folder. RunError if one of them would be no Python."""
    refuse_broken(found)
    for path, text in found.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
