"""What a package offers besides its contract comes at its first use, and no recipe needs an underscore."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = {
    "data": (
        *("Batch", "BadExample", "Dataset", "ImageSplit", "Loaded", "Split", "Stream", "Streamed"),
        *("divide", "seed_of", "size"),
    ),
    "runs": ("Training",),
    "runs.callbacks": ("Hooks",),
    "runs.logger": ("Writer",),
    "runs.optim": ("Several",),
    "runs.task": ("Objective",),
}


@pytest.mark.parametrize(("package", "names"), NAMES.items(), ids=list(NAMES))
def test_a_public_name_can_be_imported_and_brings_nothing_heavy_before(package: str, names: tuple[str, ...]) -> None:
    heavy = "{'torch', 'numpy'} & set(sys.modules)"
    code = f"import sys, {package}; assert not {heavy}; from {package} import {', '.join(names)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_task_and_its_objective_may_be_in_one_file_that_imports_no_torch() -> None:
    code = "import sys; from runs.task import Objective, Task; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_name_that_there_is_not_is_told_as_always() -> None:
    with pytest.raises(ImportError, match=r"cannot import name 'Nothing' from 'runs\.task'"):
        exec("from runs.task import Nothing")


def test_the_readme_imports_no_file_that_begins_with_an_underscore() -> None:
    text = (ROOT / "READ_THIS_FIRST.md").read_text()
    assert re.findall(r"^\s*(?:from|import) (?:\S*\.)?_(?!_future__)\w+.*$", text, flags=re.MULTILINE) == []
