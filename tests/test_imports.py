"""Who imports whom: cn <- models, data <- runs <- sweeps, and no torch where people wait for a word."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY = {
    "cn": set[str](),
    "models": {"cn"},
    "data": {"cn"},
    "runs": {"cn", "models", "data"},
    "sweeps": {"cn", "models", "data", "runs"},
}
HEAVY = {"torch", "numpy", "sklearn", "scipy", "matplotlib", "einops", "rich", "pooch", "PIL", "requests"}
FILES = [path for folder in MAY for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(tree: ast.AST, *, everywhere: bool) -> Iterator[str]:
    """The top-level names of the modules that a file imports; without `everywhere`, only those at its import."""
    for node in ast.walk(tree) if everywhere else at_import(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "a relative import"
            yield node.module.split(".")[0]


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a file is imported: not those of functions, nor those for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from at_import(node)


def is_public(path: Path) -> bool:
    return path.name == "__init__.py" or not path.name.startswith("_")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_stands_below_it(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    ours = set(imports(ast.parse(path.read_text()), everywhere=True)) & MAY.keys()
    assert ours <= MAY[folder] | {folder}


@pytest.mark.parametrize("path", list(filter(is_public, FILES)), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_public_file_imports_nothing_heavy(path: Path) -> None:
    assert not set(imports(ast.parse(path.read_text()), everywhere=False)) & HEAVY


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[-2] == "cn"], ids=lambda path: path.name)
def test_cn_never_imports_torch(path: Path) -> None:
    assert "torch" not in imports(ast.parse(path.read_text()), everywhere=True)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["model=cnn", "--help"],
        ["--cfg", "job"],
        ["model=vit", "model.dimm=3"],
        ["epochs=many"],
        ["model.num_hidden=-1"],
        ["model=vit,mlp"],
        ["--from", "nowhere"],
        ["mode=eval"],
        ["-m", "model=vit,nosuch"],
        ["-sc", "query=bash"],
    ],
    ids=" ".join,
)
def test_no_torch_for_help_for_the_configuration_nor_for_any_mistake(words: list[str]) -> None:
    program = "import atexit, runpy, sys; atexit.register(lambda: print('torch' in sys.modules)); " + (
        f"sys.argv = {['train.py', *words]!r}; runpy.run_path('train.py', run_name='__main__')"
    )
    environment = {"COMP_LINE": "python train.py model=", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "False", done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if done.stderr else 0)
    assert len(done.stderr.splitlines()) <= 6
