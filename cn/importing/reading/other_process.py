"""Run a module of `cn` in another process, which imports what a tree needs without a trace in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cn


def run_module(module: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run `python -m module words` with a text on its stdin; it imports this `cn`."""
    paths = [str(Path(cn.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, env=environment, check=False)
