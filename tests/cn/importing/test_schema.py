"""`--schema MODULE`: dataclasses of a ConfigStore become nodes with the types of their fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.cli.importing import import_
from cn.errors import UserError
from tests.cn.importing.trees import write

pytestmark = pytest.mark.slow

SCHEMA = """
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


class Color(Enum):
    red = 1
    blue = 2


@dataclass
class Pool:
    size: int = 4
    names: list[str] = field(default_factory=lambda: ["a"])


@dataclass
class Db:
    host: str = MISSING
    port: Optional[int] = None
    pool: Pool = field(default_factory=Pool)
    color: Color = Color.red


@dataclass
class Base:
    defaults: list[Any] = field(default_factory=lambda: [{"db": "plain"}, "_self_"])
    rate: float = 1
    db: Db = MISSING


store = ConfigStore.instance()
store.store(name="base_config", node=Base)
store.store(group="db", name="plain", node=Db)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stored.py").write_text(SCHEMA)
    write(tmp_path, {"config": "defaults: [base_config, _self_]\nrate: 0.5", "db/local": "defaults: [plain]\nhost: lo"})
    return tmp_path


def test_a_dataclass_becomes_a_node_field_by_field(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_(["conf", "--primary", "config", "--schema", "stored", "--into", "new"])
    good, of = capsys.readouterr().out.split("\n")[1].split()[0:3:2]
    assert good == of
    assert (
        (folder / "new/runs/db/__init__.py")
        .read_text()
        .endswith(
            '''class Db(CN):
    """What db can be."""

    host: str
    port: int | None
    pool: Pool
    color: Literal["red", "blue"]
'''
        )
    )
    assert "class Local(Plain):" in (folder / "new/runs/db/local.py").read_text()


def test_a_module_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(UserError) as error:
        import_(["conf", "--primary", "config", "--schema", "store", "--into", "new"])
    assert str(error.value) == (
        "--schema store cannot be imported from here\n  ModuleNotFoundError: No module named 'store'"
    )


PATHS = """
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from hydra.core.config_store import ConfigStore


@dataclass
class Db:
    root: Path = Path("x/y")
    other: Optional[Path] = None
    parts: list[Path] = field(default_factory=lambda: [Path("a")])


ConfigStore.instance().store(group="db", name="base", node=Db)
"""


def test_a_path_becomes_its_text_and_that_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "pathed.py").write_text(PATHS)
    write(folder / "two", {"config": "defaults: [db: base]", "db/mine": "defaults: [base]\nother: z"})
    import_(["two/conf", "--primary", "config", "--schema", "pathed", "--into", "new"])
    good, of = capsys.readouterr().out.split("\n")[1].split()[0:3:2]
    assert good == of
    text = (folder / "new/runs/db/base.py").read_text()
    assert '    root: str = "x/y"\n    other: str | None = None\n    parts: list[str] = ["a"]\n' in text
    report = (folder / "new/IMPORT.md").read_text()
    assert "| `pathed, db/base` | root is a Path, which becomes its text |" in report
    assert "| `pathed, db/base` | parts.0 is a Path, which becomes its text |" in report
