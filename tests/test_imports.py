"""Who may import whom: `cn <- models, data <- runs <- sweeps`, models and data apart; nothing heavy before a run."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "cn": {"cn"},
    "models": {"cn", "models"},
    "data": {"cn", "data"},
    "runs": {"cn", "models", "data", "runs"},
    "sweeps": {"cn", "models", "data", "runs", "sweeps"},
    "train.py": {"cn", "models", "data", "runs", "sweeps"},
}
NEW = ROOT / "cn/new"  # files of a project that python -m cn new writes
OURS = {"cn", "models", "data", "runs", "sweeps", "tests", "train"}
HEAVY = {"torch", "torchvision", "numpy", "scipy", "sklearn", "matplotlib", "einops", "submitit", "pandas"}


FLOORS = [
    "the ground",
    "discovery",
    "nodes",
    "composing",
    "writing",
    "hydra_compat",
    "run_folder",
    "launching",
    "report",
    "sweeping",
    "importing",
    "cli",
    "testing",
    "__main__",
]  # of cn
IMPORTER = [
    "reading",
    "defaults_lists",
    "families",
    "classes",
    "writing",
    "sweeps",
    "conversion",
    "proof",
    "old_run",
    "project",
    "convert",
]  # rooms and files of cn.importing


class Import(NamedTuple):
    """One imported module."""

    file: Path
    line: int
    module: str
    at_start: bool  # when the file is imported, not within a function or for the type checker alone
    runs: bool  # not for the type checker alone

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def files() -> list[Path]:
    folders = [ROOT / name for name in ALLOWED if (ROOT / name).is_dir()]
    found = [path for folder in folders for path in sorted(folder.rglob("*.py")) if NEW not in path.parents]
    return [*found, ROOT / "train.py"]


@functools.cache
def imports(file: Path) -> list[Import]:
    def visit(node: ast.AST, at_start: bool, runs: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for name in child.names:
                    yield Import(file, child.lineno, name.name, at_start, runs)
            elif isinstance(child, ast.ImportFrom):
                package = ".".join(file.relative_to(ROOT).with_suffix("").parts[: -child.level]) if child.level else ""
                base = ".".join(filter(None, [package, child.module]))
                yield Import(file, child.lineno, base, at_start, runs)
                for name in child.names:
                    if module_file(f"{base}.{name.name}"):
                        yield Import(file, child.lineno, f"{base}.{name.name}", at_start, runs)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                yield from visit(ast.Module(child.body, []), False, False)
                yield from visit(ast.Module(child.orelse, []), at_start, runs)
            else:
                inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from visit(child, at_start and not inside, runs)

    return list(visit(ast.parse(file.read_text()), True, True))


def dotted(file: Path) -> str:
    """The name under which one of our own files is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_file(module: str) -> Path | None:
    """The file of one of our own modules."""
    path = ROOT.joinpath(*module.split("."))
    found = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    return found if found.is_file() else None


@functools.cache
def starts(file: Path) -> list[Path]:
    """Our files that this one imports when it is imported, and their packages."""
    ours = [each.module.split(".") for each in imports(file) if each.at_start and each.module.split(".")[0] in OURS]
    names = [".".join(parts[:depth]) for parts in ours for depth in range(1, len(parts) + 1)]
    return [inner for name in dict.fromkeys(names) if (inner := module_file(name)) is not None]


def started(file: Path) -> dict[Path, str]:
    """All of our files that importing this one imports, each with how it came to that."""
    found = {file: str(file.relative_to(ROOT))}
    todo = [file]
    while todo:
        current = todo.pop()
        for inner in starts(current):
            if inner not in found:
                found[inner] = f"{found[current]} -> {inner.relative_to(ROOT)}"
                todo.append(inner)
    return found


OF_CN = [file for file in files() if file.relative_to(ROOT).parts[0] == "cn" and file != ROOT / "cn" / "__init__.py"]


def is_public(file: Path) -> bool:
    """Whether a file is read before a run: all of `cn`, nodes, contracts, and the door."""
    parts = file.relative_to(ROOT).parts
    return parts[0] == "cn" or not any(part.startswith("_") and part != "__init__.py" for part in parts)


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_each_folder_imports_only_what_is_below_it(file: Path) -> None:
    allowed = ALLOWED[file.relative_to(ROOT).parts[0]]
    wrong = [each for each in imports(file) if (top := each.module.split(".")[0]) in OURS and top not in allowed]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("file", [file for file in files() if is_public(file)], ids=lambda f: str(f.relative_to(ROOT)))
def test_what_is_read_before_a_run_imports_nothing_heavy(file: Path) -> None:
    wrong = [
        f"{each}   ({how})"
        for start, how in started(file).items()
        for each in imports(start)
        if each.at_start and each.module.split(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def test_cn_never_imports_torch_not_even_within_a_function() -> None:
    wrong = [each for file in OF_CN for each in imports(file) if "torch" in each.module]
    assert not wrong, "\n".join(map(str, wrong))


def floor(module: str) -> int:
    """The place of a file of `cn` among its floors; the files beside the rooms are the ground."""
    room = module.split(".")[1]
    return FLOORS.index(room) if room in FLOORS else 0


@pytest.mark.parametrize("file", OF_CN, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_room_of_cn_imports_only_from_floors_below_it(file: Path) -> None:
    own = floor(dotted(file))
    inner = [each for each in imports(file) if each.module.startswith("cn.") and module_file(each.module)]
    wrong = [each for each in inner if floor(each.module) > own]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("file", sorted((ROOT / "cn/importing").rglob("*.py")), ids=lambda file: file.stem)
def test_a_room_of_the_importer_imports_only_from_rooms_before_it(file: Path) -> None:
    def place(module: str) -> int:
        return IMPORTER.index(module.split(".")[2])

    inner = [each for each in imports(file) if each.module.startswith("cn.importing.") and module_file(each.module)]
    wrong = [each for each in inner if place(each.module) > place(dotted(file))]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_files_of_cn_import_each_other_in_a_circle() -> None:
    below = {
        dotted(file): {each.module for each in imports(file) if each.runs and module_file(each.module)}
        for file in OF_CN
    }
    while leaves := [module for module, needs in below.items() if not needs & below.keys()]:
        for module in leaves:
            del below[module]
    assert not below, f"in a circle, or above one: {sorted(below)}"


ROOMS = [  # of cn, with an OFFERS
    *(
        "cli",
        "composing",
        "discovery",
        "hydra_compat",
        "importing",
        "launching",
        "nodes",
        "report",
        "run_folder",
        "sweeping",
        "writing",
    ),
]


class Use(NamedTuple):
    """A name of one of our own modules that a file uses."""

    file: Path
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)} uses {self.name} of {self.module}"


@functools.cache
def uses(file: Path) -> list[Use]:
    """Return the names that a file imports from our modules, and those that it reads from a module that it imports.

    Names that begin with an underscore are left out: pyright refuses them.
    """
    tree = ast.parse(file.read_text())
    found: list[Use] = []
    modules: dict[str, str] = {}  # as the file calls it -> its name
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                if module_file(inner := f"{node.module}.{each.name}"):
                    modules[each.asname or each.name] = inner
                elif module_file(node.module) and not each.name.startswith("_"):
                    found.append(Use(file, node.module, each.name))
        elif isinstance(node, ast.Import):
            modules |= {each.asname or each.name: each.name for each in node.names if module_file(each.name)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr.startswith("_"):
            continue
        if isinstance(node.value, (ast.Name, ast.Attribute)) and (module := modules.get(ast.unparse(node.value))):
            found.append(Use(file, module, node.attr))
    return found


def offers(room: str) -> set[tuple[str, str]]:
    """What the face of a room says others may use: module and name."""
    face = importlib.import_module(f"cn.{room}")
    return {(f"cn.{room}.{file}", name) for file, names in face.OFFERS.items() for name in names.split()}


@pytest.mark.parametrize("room", ROOMS)
def test_others_use_only_what_the_face_of_a_room_offers(room: str) -> None:
    inside = ROOT / "cn" / room
    outside = [file for file in files() if inside not in file.parents]
    used = [use for file in outside for use in uses(file) if f"{use.module}.".startswith(f"cn.{room}.")]
    assert used
    wrong = [use for use in used if use.module != f"cn.{room}" and (use.module, use.name) not in offers(room)]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_face_offers_is_there_and_is_used(room: str) -> None:
    used = {(use.module, use.name) for file in files() if ROOT / "cn" / room not in file.parents for use in uses(file)}
    assert not offers(room) - used, "offered, and nobody uses it"
    for module, name in offers(room):
        assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


LAZY = [file.parent for file in files() if file.name == "__init__.py" and "= lazily(" in file.read_text()]


@pytest.mark.parametrize("folder", LAZY, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_no_name_that_a_package_offers_lazily_is_a_file_of_it(folder: Path) -> None:
    """`from package import name` would give the file, once anything has imported the file."""
    package = importlib.import_module(".".join(folder.relative_to(ROOT).parts))
    names = inspect.getclosurevars(package.__getattr__).nonlocals["homes"].keys()
    assert names
    assert not names & {path.stem for path in folder.iterdir()}


def test_the_reader_of_imports_reads_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    for name in ("models/__init__.py", "models/deep/__init__.py", "models/deep/net.py", "data.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "models/vit.py").write_text(
        "import os, torch.nn as nn\nfrom . import deep\nfrom .deep import net\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import numpy\nelse:\n    import scipy\n"
        "class A:\n    import data\n    def f(self):\n        from sklearn import x\n"
        "try:\n    import pandas\nexcept ImportError:\n    pass\n"
    )
    found = {(each.module, each.at_start) for each in imports(tmp_path / "models/vit.py")}
    assert found == {
        ("os", True),
        ("torch.nn", True),
        ("models", True),
        ("models.deep", True),
        ("models.deep.net", True),
        ("typing", True),
        ("numpy", False),
        ("scipy", True),
        ("data", True),
        ("sklearn", False),
        ("pandas", True),
    }
    assert {path.name for path in started(tmp_path / "models/vit.py")} == {"vit.py", "__init__.py", "net.py", "data.py"}


@pytest.mark.slow
def test_importing_every_public_file_imports_no_torch() -> None:
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in files()
        if is_public(file)
    ]
    script = (
        "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
