"""What the repository may not hold."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    asked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip("this is no git checkout, so what is tracked is not known")
    return [ROOT / name for name in asked.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_yaml(tracked: list[Path]) -> None:
    assert not [path for path in tracked if path.suffix in (".yaml", ".yml")]


def test_no_address_of_a_package_registry_and_no_path_of_one_machine(tracked: list[Path]) -> None:
    # written in two parts, so that this file does not hold what it looks for
    registry = r"(extra-)?index-" + r"url|find-" + r"links|py" + r"pi\.org|pythonhosted|registry\.npm"
    home = r"(^|[^\w.])/(ro" + r"ot|ho" + r"me|wo" + r"rk)/[a-z.]"
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if re.search(registry, line, re.IGNORECASE) or re.search(home, line)
    ]
    assert not found


def test_the_door_is_small_and_holds_no_class() -> None:
    source = (ROOT / "train.py").read_text()
    assert len(source.splitlines()) <= 20
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def test_the_loop_is_read_in_one_go() -> None:
    assert len((ROOT / "runs/_loop.py").read_text().splitlines()) <= 200
