"""A bar where there is a terminal, none where there is not, and every line in log.txt."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.conftest import WAIT

pytestmark = pytest.mark.slow

WORDS = ("model=mlp", "data.batch_size=8", "epochs=4", "folder=run", "callbacks=model_summary")
SCRIPT = str(Path(__file__).parents[2] / "train.py")


def on_terminal(*words: str, out: int | None = None, columns: int = 80) -> tuple[int, str]:
    """The exit status of a command on a terminal, whose stdout may be elsewhere, and what came to the terminal."""
    master, slave = pty.openpty()
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": str(columns)}
    child = subprocess.Popen([sys.executable, SCRIPT, *words], stdout=out or slave, stderr=slave, stdin=slave, env=env)
    os.close(slave)
    seen = b""
    while True:
        ready, _, _ = select.select([master], [], [], WAIT)
        try:
            part = os.read(master, 65536) if ready else b""
        except OSError:  # a terminal whose last writer has gone
            part = b""
        if not part:
            break
        seen += part
    os.close(master)
    return child.wait(WAIT), seen.decode()


def plain(text: str) -> str:
    """Without colours, cursor movements and carriage returns."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", text)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, str]:
    """A run on a terminal of 40 columns, which is narrower than its lines; the status, the screen, and log.txt."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("terminal"))
    try:
        status, screen = on_terminal(*WORDS, columns=40)
        return status, screen, Path("run/log.txt").read_text()
    finally:
        os.chdir(before)


def test_a_terminal_shows_a_bar_with_the_step_and_the_time(seen):
    status, screen, _ = seen
    assert status == 0
    assert re.search(r"step ━*[╸╺━ ]*━* *\d+/628 \d:\d\d:\d\d ", plain(screen))
    assert "\x1b[?25h" in screen  # the cursor is given back


def test_every_line_is_in_the_log_and_none_is_broken_by_a_narrow_terminal(seen):
    _, screen, log = seen
    shown = plain(screen).splitlines()
    missing = [line for line in log.splitlines() if not any(line.strip() in each for each in shown)]
    assert log.count("\n") > 10
    assert missing == []


def test_every_line_of_a_pipe_is_in_the_log_and_there_is_no_bar(here, shell):
    said = shell(*WORDS)
    assert (said.status, said.err) == (0, "")
    assert Path("run/log.txt").read_text() == said.out
    assert "━" not in said.out


def test_with_stdout_in_a_file_the_bar_is_on_the_terminal_and_the_lines_in_the_file(here):
    with Path("out").open("w+") as out:
        status, screen = on_terminal(*WORDS, out=out.fileno())
    assert status == 0
    assert Path("out").read_text() == Path("run/log.txt").read_text()
    assert "━" in screen
    assert "accuracy" not in screen


def test_an_error_on_a_terminal_comes_after_the_bar_has_gone(here):
    status, screen = on_terminal("model=mlp", "optim=sgd", "optim.lr=1e30", "clip=1e30", "folder=run")
    assert status == 1
    *_, last = [line for line in plain(screen).splitlines() if line.strip()]
    assert last == f"  to try again more calmly: python {SCRIPT} --from run optim.lr=1e+29"
    assert screen.rindex("\x1b[?25h") < screen.rindex("to try again")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (("model=lenet",), "LeNet on Digits: 21386"),
        (("model=lenet", "model.activation=selu"), "LeNet(activation='selu') on Digits: 21386"),  # no weight tells it
        (
            ("model=vit/small", "model.depth=1", "model/head=cls_token"),
            "Small(depth=1, head=ClsToken()) on Digits: 1787530",
        ),
    ],
)
def test_the_first_line_tells_one_architecture_from_another(words, first, go, capsys):
    go("run", *words, "steps=1")
    assert capsys.readouterr().out.startswith(f"{first} parameters, 1258 images, 1 steps on cpu")
