"""Tables and pages fit the terminal, and no word in them is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cn import screen
from cn.table import fold, table
from tests.cn.conftest import on_terminal, start

HEADER = ["trial", "state", "what, why"]
ROWS = [["e6ee911659", "done", "model.hidden_dim=32 optim.lr=0.002 seed=0"], ["a6", "failed", ""]]
AS_NEEDED = """\
trial       state   what, why
----------  ------  -----------------------------------------
e6ee911659  done    model.hidden_dim=32 optim.lr=0.002 seed=0
a6          failed"""
FOLDED = """\
trial       state   what, why
----------  ------  ------------------------------
e6ee911659  done    model.hidden_dim=32
                    optim.lr=0.002 seed=0
a6          failed"""
BELOW = """\
trial       state
----------  ------
e6ee911659  done
  what, why: model.hidden_dim=32
    optim.lr=0.002 seed=0
a6          failed"""
NARROWEST = """\
trial
----------
e6ee911659
  state: done
  what, why:
    model.hidden_dim=32
    optim.lr=0.002
    seed=0
a6
  state: failed"""
PAGE = """\
usage

  -x, --long NAME   begins at the one and ends
                    at the other
  a                             b
      the text of it stands below it
  nothing in columns and yet longer than the
      terminal"""


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda number: monkeypatch.setattr("cn.table.width", lambda: number)


@pytest.mark.parametrize(
    ("room", "shown"), [(None, AS_NEEDED), (61, AS_NEEDED), (50, FOLDED), (36, BELOW), (17, NARROWEST), (1, None)]
)
def test_a_table_takes_the_columns_that_there_are(columns: Any, room: int | None, shown: str | None) -> None:
    columns(room)
    text = table(HEADER, ROWS)
    assert shown is None or text == shown
    assert set(" ".join(each for row in ROWS for each in row).split()) < set(text.split())  # each word is whole


def test_a_page_is_folded_between_words(columns: Any) -> None:
    columns(48)
    lines = [
        "usage",
        "",
        "  -x, --long NAME   begins at the one and ends at the other",
        "  a                             b  the text of it stands below it",
        "  nothing in columns and yet longer than the terminal",
    ]
    assert fold("\n".join(lines)) == PAGE
    columns(None)
    assert fold("\n".join(lines)) == "\n".join(lines)


def test_a_cell_is_one_line_and_cannot_command_the_terminal() -> None:
    assert table(["a\x1b"], [["b\nc\td"]]) == "a\\x1b\n-------\nb\\nc\\td"


@pytest.mark.slow
@pytest.mark.parametrize("number", [50, 80, 100])
def test_help_breaks_no_word_on_a_terminal(tree: Path, number: int) -> None:
    (tree / "models/mlp.py").write_text(
        (tree / "models/mlp.py").read_text().replace("# channels", f"# {'of every hidden layer ' * 5}")
    )
    words = ["train.py", "--help", "model=mlp"]
    page = on_terminal(tree, number, *words)
    assert max(map(len, page.split("\n"))) <= number
    as_needed = start(tree, *words).stdout
    assert max(map(len, as_needed.split("\n"))) > 100
    assert page.split() == as_needed.split()


@pytest.mark.slow
def test_columns_overrules_the_terminal_and_nothing_else(tree: Path) -> None:
    script = "from cn import screen; print(screen.width())"
    assert on_terminal(tree, 80, "-c", script) == "80\n"
    assert on_terminal(tree, 80, "-c", script, COLUMNS="60") == "60\n"
    for odd in ("", "0", "many", "-3"):
        assert on_terminal(tree, 80, "-c", script, COLUMNS=odd) == "80\n"
    assert start(tree, "-c", script, COLUMNS="60").stdout == "None\n"
    assert screen.width() is None


@pytest.mark.slow
def test_help_does_not_import_what_only_asks_for_the_width(tree: Path) -> None:
    script = (
        "import sys\n"
        "sys.argv = ['train.py', '--help']\n"
        "try:\n    exec(open('train.py').read())\n"
        "finally:\n    print('heavy:', {'shutil', 'zlib', 'bz2', 'lzma', 'curses', 'rich'} & set(sys.modules))"
    )
    assert on_terminal(tree, 80, "-c", script).endswith("heavy: set()\n")
