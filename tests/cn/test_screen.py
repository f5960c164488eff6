"""What a program shows: no text commands the terminal, and standard output has nothing but answers."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cn.screen import escaped, one_line
from tests.cn.conftest import REPOSITORY, on_terminal, start

pytestmark = pytest.mark.slow

NASTY = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202eabc\x7f\u2028"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202eabc\x7f\u2028"
ANSWERS = {
    "completion": (["-sc", "query=bash"], {"COMP_LINE": "python train.py model="}),
    "the script of completion": (["-sc", "install=bash"], {}),
    "help": (["--help"], {}),
    "cfg": (["--cfg", "job", "model=loud"], {}),
    "cfg of hydra": (["--cfg", "hydra", "model=loud"], {}),
    "info": (["--info", "defaults", "model=loud"], {}),
    "explain": (["--explain", "model", "model=loud"], {}),
    "version": (["--version"], {}),
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (NASTY, SHOWN),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("é, 漢, 🙂, \xa0, \u3000", "é, 漢, 🙂, \xa0, \u3000"),
        ("\udcff\0\b\x85", r"\udcff\x00\x08\x85"),
        ("\\x1b is typed", "\\x1b is typed"),
    ],
)
def test_what_could_command_a_terminal_is_shown_as_python_writes_it(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert one_line(text) == shown.replace("\n", "\\n").replace("\t", "\\t")


def test_nothing_is_printed_but_through_the_screen() -> None:
    wrong: list[str] = []
    for folder in ("cn", "models", "data", "runs", "sweeps"):
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            name = file.relative_to(REPOSITORY).as_posix()
            if name in ("cn/screen.py", "cn/shadowing.py") or name.startswith("cn/new/"):
                continue  # the second imports nothing, and the third is a project of somebody else's
            for node in ast.walk(ast.parse(file.read_text())):
                call = ast.unparse(node) if isinstance(node, ast.Call) else ""
                to = call.partition("file=")[2]
                printed = call.startswith("print(") and (not to or to.startswith("sys."))
                if printed or call.startswith(("sys.stdout.write", "sys.stderr.write")):
                    wrong.append(f"{file.relative_to(REPOSITORY)}:{node.lineno}: {call}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def loud(tree: Path) -> Path:
    """The small repository, of which each file, and a process that one starts, prints what looks like an answer."""
    (tree / "models/loud.py").write_text(
        "import os\nfrom models import Model\nprint('noise=1')\nos.system('echo noise=2')\n"
        "class Loud(Model):\n    def build(self) -> str:\n        return 'loud'\n"
    )
    for file in ("models/__init__.py", "runs/__init__.py", "train.py"):
        (tree / file).write_text("print('noise=3')\n" + (tree / file).read_text())
    return tree


@pytest.mark.parametrize("asked", ANSWERS)
def test_what_node_files_print_is_no_part_of_an_answer(loud: Path, asked: str) -> None:
    words, variables = ANSWERS[asked]
    done = start(loud, "train.py", *words, **variables)
    assert done.returncode == 0, done.stderr
    assert "noise" not in done.stdout
    assert done.stdout.strip()
    assert "noise=3" in done.stderr
    if "loud" in " ".join(words) or asked in ("completion", "help"):
        assert "noise=1" in done.stderr
        assert "noise=2" in done.stderr


def test_what_a_run_prints_is_its_own(loud: Path) -> None:
    done = start(loud, "train.py", "model=loud")
    assert done.stdout.endswith("trained Loud with seed 1\n")
    assert done.stderr == ""


@pytest.mark.parametrize("module", ["runs", "sweeps"])
def test_the_json_of_a_module_has_no_word_of_a_node_file(tmp_path: Path, module: str) -> None:
    for name in ("cn", "models", "data", "runs", "sweeps"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "sweeps").unlink()
    (tmp_path / "sweeps").mkdir()
    for file in (REPOSITORY / "sweeps").glob("*.py"):
        (tmp_path / "sweeps" / file.name).symlink_to(file)
    noise = "import os\nprint('noise=1', flush=True)\nos.system('echo noise=2')\n"
    (tmp_path / "sweeps/loud.py").write_text(f"{noise}from sweeps import Sweep\nclass Loud(Sweep): ...\n")
    done = start(tmp_path, "-m", module, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list if module == "runs" else dict)
    assert ("noise=2" in done.stderr) == (module == "sweeps")


def test_docstrings_comments_and_names_in_pages_and_errors_are_escaped(tree: Path) -> None:
    path = tree / "models/mlp.py"
    source = path.read_text().replace("# channels", "# \x1b[31mred").replace("class MLP", "class MLP")
    path.write_text(source.replace("    width", '    """Doc \x1b[2J."""\n\n    width'))
    (tree / "models/bad.py").write_text("raise ValueError('\x1b[1m')\n")
    page = on_terminal(tree, 80, "train.py", "--help", "model=mlp")
    assert r"\x1b[31mred" in page
    assert r"Doc \x1b[2J." in page
    assert "\x1b" not in page
    for words in (["--from", "no\x1bwhere"], ["model=a\x1bb"], ["\x9b31m=3"], ["--explain", "\x1b[2J"], ["--a\x1bb"]):
        seen = on_terminal(tree, 80, "train.py", *words)
        assert "\\x" in seen
        assert not {"\x1b", "\x9b"} & set(seen)


def test_a_warning_that_names_a_file_is_escaped(tree: Path) -> None:
    run = tree / "a\x1b[2Jb"
    run.mkdir()
    start(
        tree,
        "-c",
        f"from runs.default import Default; from cn.writing.record import dump; dump(Default(), {str(run)!r})",
    )
    record = json.loads((run / "config.json").read_text())
    del record["seed"]
    (run / "config.json").write_text(json.dumps(record))
    seen = on_terminal(tree, 200, "train.py", "--from", run.name, "--cfg", "job", PYTHONWARNINGS="default")
    assert seen.startswith(
        "a\\x1b[2Jb/config.json was written before Default had seed: the current defaults are used\n"
    )
    assert "\x1b" not in seen


def test_an_answer_to_a_reader_that_has_gone_ends_without_a_word(tree: Path) -> None:
    command = [sys.executable, "-X", "utf8", "train.py", "--help"]
    environment = {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait()) == (b"", 141)
    process.stderr.close()


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_an_answer_without_a_stream_is_no_error(tree: Path, closed: str) -> None:
    environment = {"PYTHONPATH": str(REPOSITORY)}
    command = f"{sys.executable} -X utf8 train.py --cfg job {closed}"
    done = subprocess.run(command, shell=True, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("from ") == (closed == "2>&-")


def test_an_answer_in_a_poor_locale_has_its_odd_letters_escaped(tree: Path) -> None:
    (tree / "models/mlp.py").write_text((tree / "models/mlp.py").read_text().replace("# channels", "# é"))
    variables: dict[str, Any] = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": ""}
    environment = {"PYTHONPATH": str(REPOSITORY), **variables}
    command = [sys.executable, "train.py", "--help", "model=mlp"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"int  32  \xe9" in done.stdout
