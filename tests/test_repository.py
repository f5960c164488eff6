"""What the repository holds: no YAML, no address of a package registry, no path of one machine, and a small door."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|test\.pypi|anaconda\.org|conda\.anaconda|npmjs\.(?:com|org)|download\.pytorch\.org"
    r"|--(?:extra-)?index-url|--find-links|registry\.\w+\.\w+",
    re.IGNORECASE,
)
HOMES = re.compile(r"(?<![\w/.])(?:/home/\w+|/Users/\w+|/root/|/work/|[A-Z]:\\Users\\)")
MINE = {"tests/test_repository.py"}  # names what it forbids


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The files that git tracks, and those that it would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed, so it cannot list the files")
    if done.returncode:
        pytest.skip(f"git lists no files here: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\n") if name and (ROOT / name).is_file()]


def found(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    """Each line that matches, with its file."""
    places: list[str] = []
    for name in names:
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue  # no text
        places += [f"{name}:{i}: {line}" for i, line in enumerate(text.split("\n"), 1) if pattern.search(line)]
    return places


def test_no_yaml_is_tracked(tracked: list[str]) -> None:
    assert [name for name in tracked if Path(name).suffix.lower() in (".yaml", ".yml")] == []


def test_no_file_names_a_package_registry(tracked: list[str]) -> None:
    assert found(REGISTRIES, [name for name in tracked if name not in MINE]) == []


def test_no_file_names_a_folder_of_one_machine(tracked: list[str]) -> None:
    assert found(HOMES, [name for name in tracked if name not in MINE]) == []


def test_nothing_that_is_made_is_tracked(tracked: list[str]) -> None:
    made = ("__pycache__", ".egg-info", ".hypothesis", ".pytest_cache", ".ruff_cache", "outputs", "dist", "build")
    parts = [part for name in tracked for part in Path(name).parts]
    assert [part for part in parts if part in made or part.endswith((".pyc", ".egg-info"))] == []


def test_the_door_is_small_and_holds_no_class() -> None:
    source = (ROOT / "train.py").read_text()
    assert source.count("\n") <= 20
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def test_no_line_asks_for_a_decorator_list_or_call_that_names_an_option() -> None:
    folders = [ROOT / name for name in ("models", "data", "runs", "sweeps")]
    registered = re.compile(r"ConfigStore|@register|registry\.register|\.store\(")
    names = [str(path.relative_to(ROOT)) for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert found(registered, names) == []


@pytest.mark.parametrize(
    ("text", "home"),
    [("see /home/me/x", True), ("'/root/.cache'", True), ("models/root/x", False), ("~/x", False), ("/tmp/x", False)],
)
def test_a_home_is_known_when_it_is_seen(text: str, home: bool) -> None:
    assert bool(HOMES.search(text)) is home
