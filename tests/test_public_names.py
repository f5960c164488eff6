"""What a package offers besides its contract comes at its first use, and no recipe needs an underscore."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import PAGES, name

ROOT = Path(__file__).parents[1]
NAMES = {
    "data": (
        *("Batch", "BadExample", "Dataset", "ImageSplit", "Loaded", "Split", "Stream", "Streamed"),
        *("divide", "seed_of", "send", "size"),
    ),
    "runs": ("Training",),
    "runs.callbacks": ("Hooks",),
    "runs.logger": ("Writer",),
    "runs.optim": ("Several",),
    "runs.task": ("Objective",),
}


FIRST_USE = """
import importlib, json, os, sys
names = json.loads(sys.argv[1])
for package in names:
    importlib.import_module(package)
    assert not {"torch", "numpy"} & set(sys.modules), package
import torch  # once for all
for package, offered in names.items():
    if not os.fork():
        exec(f"from {package} import {', '.join(offered)}")
        os._exit(0)
    assert os.wait()[1] == 0, package
"""


@pytest.mark.slow
def test_a_public_name_can_be_imported_and_brings_nothing_heavy_before() -> None:
    """Each package's names by a process that has used no other's."""
    subprocess.run([sys.executable, "-c", FIRST_USE, json.dumps(NAMES)], cwd=ROOT, check=True)


@pytest.mark.slow
def test_a_task_and_its_objective_may_be_in_one_file_that_imports_no_torch() -> None:
    code = "import sys; from runs.task import Objective, Task; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_name_that_there_is_not_is_told_as_always() -> None:
    with pytest.raises(ImportError, match=r"cannot import name 'Nothing' from 'runs\.task'"):
        exec("from runs.task import Nothing")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_imports_no_file_that_begins_with_an_underscore(page: Path) -> None:
    imports = r"^\s*(?:from|import) (?:\S*\.)?_(?!_future__)\w+.*$"
    assert re.findall(imports, page.read_text(), flags=re.MULTILINE) == []
