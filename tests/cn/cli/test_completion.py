"""Tab completion: Hydra's scripts for the shells, answered from the node files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cn import CN, compose
from cn.cli.help import complete
from tests.cn.conftest import REPOSITORY, start


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model=", "model=mlp model=vit model=vit/small"),
        ("model=mlp model.", "model.width="),
        ("model=mlp ", None),
        ("model=nonsense seed=x mode=t", "mode=train"),
        ("zzz", ""),
    ],
)
def test_bash_asks_with_the_line_that_is_typed(program: Any, line: str, words: str | None) -> None:
    done = program("-sc", "query=bash", COMP_LINE=f"python train.py {line}")
    assert (done.returncode, done.stderr) == (0, "")
    if words is None:
        assert "model.width=" in done.stdout.split()
    else:
        assert done.stdout.split() == words.split()


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_a_script_is_printed_for_each_shell(program: Any, shell: str) -> None:
    done = program("-sc", f"install={shell}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "train.py" in done.stdout or "query=" in done.stdout
    assert program("-sc", f"uninstall={shell}").returncode == 0


@pytest.mark.slow
def test_the_installed_script_completes_in_bash(tree: Path) -> None:
    script = """
        eval "$(python train.py -sc install=bash)"
        COMP_LINE="python train.py model=v"
        COMP_WORDS=(python train.py model=v)
        COMP_CWORD=2
        hydra_bash_completion
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(["bash", "-c", script], cwd=tree, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("model=vit\nmodel=vit/small\n", "")


@pytest.mark.slow
def test_a_broken_file_does_not_disturb_completion(tree: Path) -> None:
    (tree / "models/bad.py").write_text("1 / 0\n")
    done = start(tree, "train.py", "-sc", "query=bash", COMP_LINE="python train.py model=")
    assert (done.stdout.split(), done.stderr) == (["model=mlp", "model=vit", "model=vit/small"], "")


class Part(CN):
    size: int = 1


class Model(CN):
    parts: dict[str, Part] = {"a": Part()}


class Whole(CN):
    model: Model = Model()


def test_what_is_completed_after_a_tilde_can_be_composed() -> None:
    (word,) = complete(Whole, ["~"])
    assert word == "~model.parts.a"
    assert compose(Whole, [word]).model.parts == {}
