"""`cn` in another repository: installed as a wheel, with the user's own folders and none of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cn.conftest import REPOSITORY, python, run_its_tests, start

pytestmark = pytest.mark.slow

FILES = {
    "optimizers/__init__.py": python(
        "from cn import CN", "", "", "class Optimizer(CN):", "    rate: float = 0.1  # step size"
    ),
    "optimizers/sgd.py": python(
        "from optimizers import Optimizer",
        "",
        "",
        "class SGD(Optimizer):",
        "    momentum: float = 0.9",
        "",
        "",
        "class Nesterov(SGD): ...",
    ),
    "runs/__init__.py": python(
        "from cn import CN",
        "from optimizers import Optimizer",
        "from optimizers.sgd import SGD",
        "",
        "",
        "class Run(CN):",
        "    optimizer: Optimizer = SGD(rate=0.5)",
        "    steps: int = 10",
    ),
    "runs/default.py": python("from runs import Run", "", "", "class Default(Run): ..."),
    "runs/long/slow.py": python("from runs import Run", "", "", "class Slow(Run):", "    steps: int = 1000"),
    "go.py": python(
        "import sys",
        "",
        "import cn",
        "from runs import Run",
        "",
        "",
        "def go(run: Run, job: cn.Job) -> int:",
        "    assert 'torch' not in sys.modules",
        "    print(type(run.optimizer).__name__, run.optimizer.rate, run.steps, cn.__file__)",
        "    return run.steps",
        "",
        "",
        "if __name__ == '__main__':",
        "    cn.main(go)",
    ),
    "test_nodes.py": python(
        "import pytest",
        "from runs import Run",
        "from optimizers import Optimizer",
        "",
        "",
        "def test_every_key(compose, keys):",
        "    assert keys(Optimizer) == keys('optimizer') == ['sgd', 'sgd/nesterov']",
        "    for key in keys(Optimizer):",
        "        assert compose(Run, f'optimizer={key}').optimizer.momentum == 0.9",
    ),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from a copy of the repository, as it is now."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(REPOSITORY / "cn", source / "cn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "READ_THIS_FIRST.md", "LICENSE"):
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "-w",
        str(out),
        ".",
    ]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = out.glob("cn-*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed in."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([*command, str(wheel)], capture_output=True, check=True)
    return target


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another repository."""
    root = tmp_path_factory.mktemp("elsewhere")
    for path, source in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)
    return root


def test_the_wheel_holds_the_config_layer_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cn"}
    modules = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "cn").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert "cn/py.typed" in names


def test_another_repository_runs_with_it(installed: Path, elsewhere: Path) -> None:
    done = start(elsewhere, "go.py", "optimizer=sgd/nesterov", "run=long/slow", path=installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Nesterov 0.1 1000 {installed}/cn/__init__.py\n"
    done = start(elsewhere, "go.py", path=installed)
    assert done.stdout.startswith("SGD 0.5 10 ")


def test_its_command_line_is_the_same_there(installed: Path, elsewhere: Path) -> None:
    done = start(elsewhere, "go.py", "--help", path=installed)
    assert done.stdout.startswith(
        "python go.py [NAME=VALUE ...]\n\nchoose\n  run        [default] long/slow\n  optimizer  [sgd] sgd/nesterov\n\n"
        "Default, runs/default.py:4\n  steps  int  10\n\n"
        "optimizer = SGD, optimizers/sgd.py:4\n  optimizer.rate      float  0.5  step size\n"
        "  optimizer.momentum  float  0.9\n"
    )
    done = start(elsewhere, "go.py", "--cfg", "job", path=installed)
    assert done.stdout == (
        "from optimizers.sgd import SGD\nfrom runs.default import Default\n\n"
        "run = Default(optimizer=SGD(rate=0.5, momentum=0.9), steps=10)\n"
    )
    done = start(elsewhere, "go.py", "-m", "optimizer=glob(*)", "steps=1,2", path=installed)
    assert done.stdout.count("\n[") == 3
    done = start(elsewhere, "go.py", "optimizer=adam", path=installed)
    assert (done.returncode, done.stderr) == (
        2,
        "optimizer=adam: no optimizer is called 'adam'\n"
        "  options are the subclasses of Optimizer (optimizers/__init__.py:4)\n  choose from: sgd, sgd/nesterov\n",
    )


def test_hydra_flags_work_there(installed: Path, elsewhere: Path, tmp_path: Path) -> None:
    done = start(elsewhere, "go.py", "optimizer=sgd/nesterov", f"hydra.run.dir={tmp_path}/it", path=installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nesterov 0.1 10 ")
    assert not list(tmp_path.rglob("*.yaml"))


def test_its_pytest_plugin_works_there(installed: Path, elsewhere: Path) -> None:
    done = run_its_tests(elsewhere, installed)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_tree_may_have_no_runs_at_all(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "go.py").write_text(
        python(
            "from cn import CN, Job, main",
            "class Size(CN):",
            "    width: int = 3  # metres",
            "def go(size: Size, job: Job) -> None:",
            "    print(size)",
            "if __name__ == '__main__':",
            "    main(go)",
        )
    )
    assert start(tmp_path, "go.py", "width=4", path=installed).stdout == "Size(width=4)\n"
    assert start(tmp_path, "go.py", "--cfg", "job", path=installed).stdout == (
        "from __main__ import Size\n\nrun = Size(width=3)\n"
    )
    assert "  width  int  3  metres\n" in start(tmp_path, "go.py", "--help", path=installed).stdout
    assert start(tmp_path, "go.py", "widht=4", path=installed).stderr == (
        "widht=4: Size has no field 'widht'\n  defined in go.py:2\n  nearest: width\n  see: python go.py --help\n"
    )
