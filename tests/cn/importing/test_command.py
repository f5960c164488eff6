"""`python -m cn import`: what it writes and says, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Hashable
from pathlib import Path

import pytest

from cn.__main__ import main
from cn.cli.importing import import_
from cn.errors import UserError
from cn.importing.families.families import Family, Field
from tests.cn.importing.trees import write

FILES = {"config": "defaults: [db: a]\nx: 1", "db/a": "p: 1", "db/b": "p: 2\nq: 3"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, FILES)


def refused(*words: str) -> str:
    with pytest.raises(UserError) as error:
        import_(list(words))
    return str(error.value)


@pytest.mark.slow
def test_the_new_project_runs_and_its_report_says_what_is_equal(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "conf", "--primary", "config", "--into", "new"]) == 0
    said = capsys.readouterr().out.split("\n")
    assert said[0] == "new: 8 files from 3"
    assert said[1].endswith("override sets are equal")
    assert said[-3:] == ["  report: new/IMPORT.md", "  next: cd new && python train.py --help", ""]
    assert "| config | " in (tmp_path / "new/IMPORT.md").read_text()
    done = subprocess.run(
        [sys.executable, "train.py", "db=b", "x=4", "--cfg", "job"],
        cwd=tmp_path / "new",
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("run = Default(db=B(p=2, q=3), x=4)\n"), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf", "new"]


def test_a_folder_that_is_not_empty_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/mine").write_text("")
    assert refused("conf", "--into", "new") == "new is there already, and is not empty\n  write: another name"
    assert refused("conf", "--into", "new/mine") == "new/mine is there already, and is no folder\n  write: another name"


@pytest.mark.slow
def test_a_module_that_would_be_no_python_is_a_fault_of_the_importer_and_nothing_is_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Family, "field", _field_with_a_broken_name)
    assert main(["import", "conf", "--into", "new", "--sets", "0"]) == 1
    assert capsys.readouterr().err.split("\n")[:4] == [
        "runs/__init__.py:14 would be no Python: invalid syntax",
        '  if: Annotated[int, Key("x")]',
        "  this is a fault of the importer, not of the YAML, and nothing is written",
        "  write: the YAML of this line in another form, then the same command; and tell the authors of CN",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def _field_with_a_broken_name(family: Family, key: Hashable) -> Field:
    return family.fields.setdefault(key, Field(key, "if" if key == "x" else str(key), family))


def test_words_that_say_too_little_are_refused(root: Path) -> None:
    told = "import reads one folder, and writes another\n  write: python -m cn import FOLDER --primary NAME --into NEW"
    assert refused("conf") == told
    assert refused("--into", "new") == told
    assert refused("confs", "--into", "new") == "confs is no folder\n  nearest: conf"
    assert refused("conf", "--primary", "confg", "--into", "new") == (
        "--primary confg: conf has no confg.yaml\n  nearest: config"
    )
    assert refused("conf", "--primary", "db/a", "--into", "new") == (
        "--primary db/a: db/a.yaml is an option of the group db, and a primary config is no option\n"
        "  choose from: config"
    )
    assert refused("conf/config.yaml", "--into", "new") == (
        "conf/config.yaml is a file, and import reads a folder\n"
        "  write: python -m cn import conf --primary config --into NEW"
    )
    (root.parent / "conf.txt").write_text("")
    assert refused("conf.txt", "--into", "new") == ("conf.txt is a file, and import reads a folder\n  nearest: conf")
    assert refused("conf", "--into", "new", "--sets", "-3") == "--sets -3: a number of override sets is 0 or more"


def test_a_folder_above_the_tree_is_refused_with_the_one_that_holds_it(root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "moved")
    (tmp_path / "conf").mkdir()
    (tmp_path / "moved").rename(tmp_path / "conf/configs")
    told = "conf holds no YAML file itself, so it has no primary config\n  nearest: conf/configs"
    assert refused("conf", "--primary", "config", "--into", "new") == told
    assert refused("conf", "--into", "new") == told


def test_a_folder_without_yaml_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused("empty", "--into", "new") == (
        "empty holds no YAML file\n  write: the folder that Hydra's config_path names"
    )


@pytest.mark.slow
def test_a_tree_that_hydra_cannot_compose_is_refused_with_its_reason(root: Path, tmp_path: Path) -> None:
    (root / "config.yaml").write_text("defaults: [db: c]")
    assert refused("conf", "--primary", "config", "--into", "new") == (
        "conf/config.yaml cannot be composed by Hydra either, so it is not imported\n"
        "  MissingConfigException: In 'config': Could not find 'db/c'\n"
        "  if a module of the program stores it in Hydra's ConfigStore: --schema MODULE"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf"]


@pytest.mark.slow
def test_an_import_that_is_interrupted_leaves_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cn.cli.importing.report", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_(["conf", "--primary", "config", "--into", "new", "--sets", "0"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf"]
