"""A schema in Python: what modules put into Hydra's ConfigStore, as files of the tree with types for their fields."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, cast

from cn.errors import UserError
from cn.importing.reading.other_process import run_module
from cn.importing.reading.yaml_files import File, files


def stored(modules: list[str]) -> dict[str, File]:
    """Return the options that modules store, by Hydra's name. UserError if a module cannot be imported."""
    done = run_module("cn.importing.reading.by_schema", *modules)
    if done.returncode:
        last = done.stderr.strip().split("\n")[-1]
        raise UserError(f"--schema {' '.join(modules)} cannot be imported from here", last)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "schema"
        options = cast("list[dict[str, Any]]", json.loads(done.stdout))
        for each in options:
            path = root / each["group"] / f"{each['name']}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            header = f"# @package {each['package']}\n" if each["package"] else ""
            path.write_text(header + each["yaml"], encoding="utf-8")
        found = files(root) if options else {}
    for each in options:
        file = found[f"{each['group']}/{each['name']}" if each["group"] else each["name"]]
        file.shown = f"{' '.join(modules)}, {file.config}"
        file.lines = {}
        file.odd = [(file.shown, why) for _, why in file.odd]
        file.types = {tuple(address.split(".")): kind for address, kind in each["types"].items()}
    return found
