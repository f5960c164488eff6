"""What a project's options, runs and sweeps compose to, as plain data.

`python -m cn check` calls `composed` for the current code. For the code of another commit, it runs this file as a
script in a process of its own, in the folder of that code, with the `cn` that is found there.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from cn.composing.compose import assemble, compose, root_name
from cn.composing.patches import KEY as PATCHES
from cn.composing.patches import patches_of
from cn.discovery import discover
from cn.discovery.registry import is_bundle, key_of
from cn.discovery.source import place
from cn.errors import CNError, Notice
from cn.nodes.node import CN, CNMeta
from cn.nodes.patch import Patch
from cn.nodes.resolving import resolve
from cn.nodes.to_json import plain
from cn.writing.record_class import of_nodes

RUNS, SWEEPS = "runs", "sweeps"
Report = Callable[[str], None]
State = dict[str, Any]


def composed(report: Report = lambda what: None) -> State:
    """Return `options`, the number of options that were checked, `runs`, the record of each run by name, `sweeps`, the
    records of each sweep's trials by id, with their overrides, and `failures`.

    A failure has the keys `what`, such as `run=digits`, and `why`, the lines of the error. report: called with the
    name of each thing before it is composed.
    """
    found: State = {"options": 0, "runs": {}, "sweeps": {}, "failures": []}
    broken: set[tuple[str, str]] = set()
    seen: set[type] = set()
    sweeps = _sweeps()
    held: list[Any] = [*contracts(found["failures"]), Patch, *([] if sweeps is None else [sweeps])]
    for contract in dict.fromkeys(held):
        options, bad = discover.options((contract,), bundles=True)
        broken |= {(each.file, each.why) for each in bad}
        for name, cls in options.items():
            if cls in seen:
                continue
            seen.add(cls)
            found["options"] += 1
            package = contract.__module__
            kind = "run" if package == RUNS else "sweep" if contract is sweeps else ""
            key = f"{key_of(cls) or name}"
            report(key)
            try:
                if kind == "run":
                    found["runs"][name] = plain(compose(cast("type[CN]", cls), []))
                elif kind == "sweep":
                    found["sweeps"][name] = _trials(name)
                elif contract is Patch:
                    _patch(name, [each for each in held if each.__module__ == RUNS])
                else:
                    _option(cls)
            except Exception as error:  # of any file of the project
                found["failures"].append({"what": key, "why": told(error, cls)})
    found["failures"] += [{"what": file, "why": _why(file, why)} for file, why in sorted(broken)]
    return found


def contracts(failures: list[dict[str, Any]]) -> list[Any]:
    """Return the node classes in the `__init__.py` of each package of the project; a broken package is a failure."""
    found: list[Any] = []
    for file in sorted(Path().glob("[!._]*/**/__init__.py")):
        parts = file.parent.parts
        if any(part.startswith(("_", ".")) for part in parts) or not all(map(_is_package, file.parents)):
            continue
        if parts[0] in ("cn", "tests") or not of_nodes(parts[0]):
            continue
        try:
            module = discover.load(".".join(parts))
        except CNError as error:
            failures.append({"what": str(file), "why": str(error).split("\n")})
            continue
        found += [each for each in vars(module).values() if isinstance(each, CNMeta) and each is not CN]
    return sorted(
        {each for each in found if hasattr(sys.modules[each.__module__], "__path__")},
        key=lambda each: (each.__module__, each.__qualname__),
    )


def _sweeps() -> Any:
    """Return the contract of the project's sweeps, which may be the library's; None if there is no usable one."""
    if not Path(SWEEPS).is_dir():
        return None
    from cn.sweeping.project import contract

    try:
        return contract()
    except CNError:  # `contracts` has told it
        return None


def _why(file: str, why: str) -> list[str]:
    """Return all lines of the error of a broken file, of which `why` is the first."""
    try:
        discover.load(file.removesuffix(".py").replace("/", "."))
    except CNError as error:
        return str(error).split("\n")[1:] or [why]
    return [why]


def _is_package(folder: Path) -> bool:
    return folder == Path() or (folder / "__init__.py").is_file()


def _option(cls: Any) -> None:
    """Make a part of a run with its defaults. Its `check()` and derived values may need a run: they are not called."""
    resolve(cls)
    if is_bundle(cls):
        cls()
    else:
        assemble(cls, [])


def _patch(name: str, contracts: list[type[CN]]) -> None:
    """Compose a patch with the default run, or with another run that it may be meant for, beside the run's own."""
    first: CNError | None = None
    for contract, options in [(each, discover.options((each,))[0]) for each in contracts]:
        for words in ([], *([f"{root_name(contract)}={each}"] for each in options)) if options else ():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", Notice)
                    own = patches_of(assemble(contract, words), [])
                    compose(contract, words if name in own else [*words, f"+{PATCHES}={name}"])
                return
            except CNError as error:
                first = first or error
    if first is not None:
        raise first


def _trials(name: str) -> dict[str, Any]:
    from cn.sweeping.planning.named import find

    named = find(name)
    return {each.trial.id: {"words": list(each.trial.words), "config": each.trial.config} for each in named.planned()}


def told(error: Exception, cls: type) -> list[str]:
    """Return the lines of an error, with the file and line of a class or of what raised it."""
    if isinstance(error, CNError):
        why = str(error).split("\n")
        return why if any(".py:" in line for line in why) else [*why, f"  defined in {place(cls)}"]
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if Path(each.filename).is_relative_to(Path.cwd())] or list(frames)
    return [f"{type(error).__name__}: {error}", f"  at {os.path.relpath(own[-1].filename)}:{own[-1].lineno}"]


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # node files may print
    json.dump(composed(), answer)
    answer.close()
