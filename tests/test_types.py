"""Pyright is clean: strict for what users read and subclass, standard for the torch code behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Machinery of cn around libraries with few types. What users subclass and call is strict: Launch, Sweep, Goal.
INNER = re.compile(r"/cn/launching/[^_/]+\.py$|/cn/sweeping/(?!sweep/|goal|__init__)")
FOLDERS = ("cn", "models", "data", "runs", "sweeps")


def errors(files: list[Path], folder: Path) -> list[dict[str, Any]]:
    """What pyright says of these files, having read each: strict unless it is an inner part, by its name or INNER."""
    public = [path for path in files if not any(re.match("_(?!_)", part) for part in (path.parent.name, path.name))]
    public = [path for path in public if not INNER.search(path.as_posix())]
    config = folder / "pyrightconfig.json"
    config.write_text(
        json.dumps(
            {
                "include": [os.path.relpath(path, folder) for path in files],  # pyright takes no absolute ones
                "strict": [os.path.relpath(path, folder) for path in public],
                "typeCheckingMode": "standard",
                "pythonVersion": "3.11",
                "extraPaths": [str(ROOT)],
            }
        )
    )
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(config)]
    result = subprocess.run([*command, "--pythonpath", sys.executable], capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stdout + result.stderr  # 1: it found errors
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] == len(files)
    return report["generalDiagnostics"]


def test_public_files_are_strict_and_underscore_files_standard(tmp_path: Path) -> None:
    found = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    files = [ROOT / "train.py", *(path for path in found if ROOT / "cn/new" not in path.parents)]
    told = [
        f"{each['file']}:{each['range']['start']['line'] + 1}: {each['message']} ({each.get('rule')})"
        for each in errors(files, tmp_path)
    ]
    assert not told, "\n".join(told)


def test_an_error_is_found_and_an_underscore_file_may_leave_types_out(tmp_path: Path) -> None:
    source = "def half(number):\n    return number / 2\n\n\nwhole: int = 'one'\n"
    models, settings = tmp_path / "models", tmp_path / "settings"
    files = [models / name for name in ("mlp.py", "_mlp.py", "head/__init__.py")]
    settings.mkdir()
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    found = {(Path(each["file"]).relative_to(models).as_posix(), each["rule"]) for each in errors(files, settings)}
    plain, strict = "reportAssignmentType", "reportUnknownParameterType"
    assert {pair for pair in found if pair[1] in (plain, strict)} == {
        ("mlp.py", plain),
        ("mlp.py", strict),
        ("_mlp.py", plain),
        ("head/__init__.py", plain),
        ("head/__init__.py", strict),
    }
