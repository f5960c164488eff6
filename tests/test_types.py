"""Pyright is clean: strict for what users read and subclass, standard for the torch code behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("cn", "models", "data", "runs")


def test_public_files_are_strict_and_underscore_files_standard(tmp_path: Path) -> None:
    files = [ROOT / "train.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
    public = [path for path in files if path.name == "__init__.py" or not path.name.startswith("_")]
    config = tmp_path / "pyrightconfig.json"
    config.write_text(
        json.dumps(
            {
                "include": [str(path) for path in files],
                "strict": [str(path) for path in public],
                "typeCheckingMode": "standard",
                "pythonVersion": "3.11",
                "extraPaths": [str(ROOT)],
            }
        )
    )
    command = [sys.executable, "-m", "pyright", "--project", str(config), "--pythonpath", sys.executable]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout.strip().endswith("0 errors, 0 warnings, 0 informations"), result.stdout + result.stderr
