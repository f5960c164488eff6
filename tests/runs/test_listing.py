"""`python -m runs`: what runs there are, how they differ, and their curves."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cn.composing.compose import compose
from cn.run_folder.folder import claimed
from cn.run_folder.folders import below
from cn.writing.record import dump
from runs import Run
from runs.__main__ import HELP, main
from runs._picture import draw
from runs.default import Default
from runs.good_run import GoodRun
from tests.slides import assert_fit_for_a_slide

ROOT = Path(__file__).parents[2]
METRICS = [
    {"step": 10, "epoch": 0, "train/loss": 2.0},
    {"step": 39, "epoch": 1, "validation/loss": 1.5, "validation/accuracy": 0.9},
    {"step": 40, "epoch": 1, "train/loss": 1.0},
    {"step": 78, "epoch": 2, "validation/loss": 1.25, "validation/accuracy": 0.875},
]
BEST = {"validation/loss": 1.5, "validation/accuracy": 0.9, "test/loss": 0.5, "test/accuracy": 0.8125}
DONE = {"state": "finished", "command": "python train.py", "steps": 78, "step": 78, **BEST, "seconds": 5.25}


@pytest.fixture
def make(here: Path) -> Callable[..., Path]:
    """A run folder as a run leaves it, each a minute after the one before."""
    made = iter(range(10_000))

    def make(
        name: str, *words: str, of: type[Run] = Default, summary: dict[str, Any] | None = DONE, metrics: Any = METRICS
    ) -> Path:
        folder = Path("outputs") / name
        folder.mkdir(parents=True)
        at = datetime.datetime(2026, 5, 1, 12).timestamp() + 60 * next(made)
        os.utime(dump(compose(of, words), folder), (at, at))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in metrics))
        (folder / ".lock").touch()
        if summary is not None:
            (folder / "summary.json").write_text(json.dumps(summary))
        return folder

    return make


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command prints; or, with its status, its error."""

    def said(*words: str, status: int = 0) -> str:
        capsys.readouterr()
        assert main(list(words)) == status
        out, err = capsys.readouterr()
        assert (err if status == 0 else out) == ""
        return out if status == 0 else err

    return said


def test_a_run_that_was_trained_is_listed_and_compared(go, said):
    go("outputs/a", "epochs=2")
    go("outputs/b", "epochs=2", "optim.lr=0.01")
    first, second = json.loads(said("--json"))
    summary = json.loads(Path("outputs/a/summary.json").read_text())
    values = {name: summary[name] for name in ("validation/accuracy", "test/accuracy")}
    words = ["model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128"]
    time = first.pop("time")
    assert datetime.datetime.fromisoformat(time) <= datetime.datetime.now()
    assert first == {
        "folder": "outputs/a",
        "state": "finished",
        "reason": None,
        "step": 18,
        "steps": 18,
        "metrics": ["validation/accuracy", "test/accuracy"],
        **values,
        "words": [*words, "epochs=2"],
        "error": None,
    }
    assert second["words"] == [*words, "optim.lr=0.01", "epochs=2"]
    compared = json.loads(said("diff", "a", "b", "--json"))
    assert compared["differences"] == {"optim.lr": {"outputs/a": 0.002, "outputs/b": 0.01}}
    assert compared["summaries"]["outputs/a"]["test/accuracy"] == values["test/accuracy"]
    Path("outputs/a/summary.json").write_text('{"state": "running", "steps": 18}')
    before = json.loads(said("--json"))[0]
    assert (before["state"], before["step"]) == ("lost", 18)
    assert before["validation/accuracy"] == values["validation/accuracy"]


def test_how_each_run_stands(make, said):
    make("2026-05-01_12-00-00_seed=2", "seed=2")
    make("2026-05-01_12-01-00_run=good_run", of=GoodRun, summary={"state": "failed", "reason": "out of memory"})
    make("2026-05-01_12-02-00_a", summary={"state": "interrupted", "steps": 780, "reason": "stopped by SIGTERM"})
    make("2026-05-01_12-02-00_b", "optim.lr=0.1", "model=lenet", summary={"state": "running", "steps": 780})
    make("lost", summary={"state": "running", "steps": 780}, metrics=[])
    make("never", summary=None, metrics=[])
    old = make("old")
    record = json.loads((old / "config.json").read_text())
    (old / "config.json").write_text(json.dumps({**record, "gone": 3}))
    torn = make("torn", summary={"state": "finished"}, metrics=[])
    (torn / "config.json").write_text("{")
    for each, at in (old, 6), (torn, 7):
        at = datetime.datetime(2026, 5, 1, 12, at).timestamp()
        os.utime(each / "config.json", (at, at))
    with claimed(Path("outputs/2026-05-01_12-02-00_b")):
        listed = said()
    assert listed == TABLE


TABLE = """\
time              state        step    validation/accuracy  test/accuracy  folder                         what, why
----------------  -----------  ------  -------------------  -------------  -----------------------------  --------------------------------------------------------------------------------------------------------------------------
2026-05-01 12:00  finished     78/78   0.9000               0.8125         outputs/2026-05-01_12-00-00    seed=2
2026-05-01 12:01  failed       78/?    0.9000                              outputs/2026-05-01_12-01-00    run=good_run: out of memory
2026-05-01 12:02  interrupted  78/780  0.9000                              outputs/2026-05-01_12-02-00_a  stopped by SIGTERM
2026-05-01 12:03  running      78/780  0.9000                              outputs/2026-05-01_12-02-00_b  model=lenet optim.lr=0.1
2026-05-01 12:04  lost                                                     outputs/lost                   no process writes to it any more
2026-05-01 12:05  lost                                                     outputs/never                  it has no summary.json
2026-05-01 12:06  finished     78/78   0.9000               0.8125         outputs/old                    (config.json gives Default a value for 'gone', which is not a field now)
2026-05-01 12:07  finished                                                 outputs/torn                   (config.json cannot be read: JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1))
"""  # noqa: E501


def test_runs_of_several_and_of_sweeps_are_found_and_the_code_of_sweeps_is_not_walked(make):
    for each in (
        "2026-05-01_12-00-00/seed=1",
        "2026-05-01_12-00-00/seed=2",
        "sweeps/vit/trials/3f/3fa8bf8755",
        "code/x",
    ):
        make(each)
    make("sweeps/vit/code/abc/outputs/no")
    make("code/x/inner")  # what is in a run folder is its own
    Path("outputs/sweeps/vit/jobs").mkdir()
    Path("outputs/link").symlink_to("sweeps", target_is_directory=True)
    found = [str(each.folder) for each in below(Path("outputs"))]
    assert found == [
        "outputs/2026-05-01_12-00-00/seed=1",
        "outputs/2026-05-01_12-00-00/seed=2",
        "outputs/sweeps/vit/trials/3f/3fa8bf8755",
        "outputs/code/x",
    ]
    assert [each.folder for each in below(Path("outputs/code"), Path("outputs/code/x"))] == [Path("outputs/code/x")]


def test_the_newest_forty_are_shown_last(make, said):
    for number in range(42):
        make(f"r{number:02}", f"seed={number}")
    text = said()
    assert text.startswith("2 older: --all\n\ntime ")
    assert len(text.splitlines()) == 2 + 2 + 40
    assert text.splitlines()[4].endswith("outputs/r02  seed=2")
    assert text.splitlines()[-1].endswith("outputs/r41  seed=41")
    assert len(said("--all").splitlines()) == 2 + 42
    assert len(json.loads(said("--json"))) == 42
    assert said("outputs/r07").splitlines()[2:] == [
        "2026-05-01 12:07  finished  78/78  0.9000               0.8125         outputs/r07  seed=7"
    ]


def test_one_that_is_damaged_hides_no_other(make, said):
    """Torn, foreign or missing: each row says what cannot be read, and the commands that need it say it whole."""
    lines = [json.dumps(each) for each in METRICS]
    torn = make("a", summary={"state": "failed"})
    (torn / "metrics.jsonl").write_text("\n".join([lines[0], '{"step": 3, "validation/accuracy": 0.', lines[1], ""]))
    (make("b") / "summary.json").write_text("{")
    (make("c", summary=None) / "summary.json").mkdir()
    (make("d", summary={"state": "failed"}, metrics=[]) / "metrics.jsonl").write_bytes(b"\xff\x00\n\xff\n")
    folder = make("e", summary={"state": "failed"}, metrics=[]) / "metrics.jsonl"
    folder.unlink()
    folder.mkdir()
    (make("f") / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 79, "tra']))
    make("g")
    assert [" ".join(line.split()) for line in said().splitlines()[2:]] == [
        """2026-05-01 12:00 failed outputs/a (outputs/a/metrics.jsonl holds a line that is no record: """
        """{"step": 3, "validation/accuracy": 0.)""",
        "2026-05-01 12:01 lost 78/? 0.9000 outputs/b its summary.json cannot be read",
        "2026-05-01 12:02 lost 78/? 0.9000 outputs/c its summary.json cannot be read",
        "2026-05-01 12:03 failed outputs/d (outputs/d/metrics.jsonl holds a line that is no record: \ufffd\\x00)",
        "2026-05-01 12:04 failed outputs/e (outputs/e/metrics.jsonl is damaged: it is a folder)",
        "2026-05-01 12:05 finished 78/78 0.9000 0.8125 outputs/f",
        "2026-05-01 12:06 finished 78/78 0.9000 0.8125 outputs/g",
    ]
    assert said("plot", "g", "a", status=1) == (
        'outputs/a/metrics.jsonl holds a line that is no record: {"step": 3, "validation/accuracy": 0.\n'
        "  delete that line to have the others\n"
    )
    assert said("plot", "e", status=1) == "outputs/e/metrics.jsonl is damaged: it is a folder\n"
    assert said("plot", "f") == "outputs/plot.png\n"
    told = json.loads(said("diff", "a", "b", "c", "--json"))["summaries"]
    assert [each["state"] for each in told.values()] == ["failed", "lost", "lost"]


def test_values_of_other_kinds_hide_no_other_either(make, said):
    make("a", summary={"state": 3, "reason": {"a": 2}, "test/accuracy": "high", "steps": 78})
    make("b", summary={"state": "failed", "reason": 7})
    (make("c", summary=None) / "metrics.jsonl").write_text('{"step": 39, "validation/accuracy": [1]}\n')
    (make("d", summary=None) / "metrics.jsonl").write_text('{"step": "x"}\n')
    torn = "holds a line that is no record:"
    assert [" ".join(line.split()) for line in said().splitlines()[2:]] == [
        "2026-05-01 12:00 lost 78/78 0.9000 outputs/a no process writes to it any more",
        "2026-05-01 12:01 failed 78/? 0.9000 outputs/b",
        f"""2026-05-01 12:02 lost outputs/c (outputs/c/metrics.jsonl {torn} """
        """{"step": 39, "validation/accuracy": [1]}): it has no summary.json""",
        f"""2026-05-01 12:03 lost outputs/d (outputs/d/metrics.jsonl {torn} {{"step": "x"}}): it has no summary.json""",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plot", "a", "-o", ""), "-o . names no file\n  write: python -m runs plot A -o FILE\n"),
        (("export", "a", "-o", ""), "-o . names no file\n  write: python -m runs export A -o FILE\n"),
        (("plot", "a", "-o", "there.png"), "-o there.png is no regular file\n  write: -o FILE\n"),
    ],
)
def test_a_picture_goes_to_a_file_alone(words, told, make, said):
    make("a")
    os.mkfifo("there.png")
    assert said(*words, status=2) == told
    assert Path("there.png").is_fifo()


def test_diff_tells_the_keys_that_differ_and_what_came_of_them(make, said):
    make("2026-05-01_12-00-00_clip=1", "clip=1", "epochs=3", "model.dropout=0")
    source = {"source": "outputs/before", "state": "running"}
    make("2026-05-01_12-01-00_model=lenet", "model=lenet", "callbacks=[early_stopping]", summary={**DONE, **source})
    assert said("diff", "2026-05-01_12-00", "outputs/2026-05-01_12-01-00_model=lenet") == DIFFERENCES
    make("same", "clip=1", "epochs=3", "model.dropout=0", 'folder="x"')
    assert said("diff", "2026-05-01_12-00", "same").startswith("their configurations are the same\n\n     ")


DIFFERENCES = """\
                                   outputs/2026-05-01_12-00-00  outputs/2026-05-01_12-01-00
---------------------------------  ---------------------------  -------------------------------------------
model                              models.fcn:Fcn               models.lenet:LeNet
model.num_hidden                   2                            -
model.hidden_dim                   128                          -
model.activation                   relu                         tanh
model.dropout                      0                            -
model.kernel_size                  -                            5
epochs                             3                            40
clip                               1                            null
callbacks.early_stopping           -                            runs.callbacks.early_stopping:EarlyStopping
callbacks.early_stopping.metric    -                            validation/loss
callbacks.early_stopping.mode      -                            null
callbacks.early_stopping.patience  -                            5
callbacks.early_stopping.least     -                            0

                     outputs/2026-05-01_12-00-00  outputs/2026-05-01_12-01-00
-------------------  ---------------------------  --------------------------------
state                finished                     lost
steps                78                           78
step                 78                           78
validation/loss      1.5                          1.5
validation/accuracy  0.9                          0.9
test/loss            0.5                          0.5
test/accuracy        0.8125                       0.8125
seconds              5.25                         5.25
reason               -                            no process writes to it any more
source               -                            outputs/before
"""


def test_diff_needs_no_class_of_what_it_compares(make, said):
    for name, lr in ("a", 1), ("b", 1.0):
        record = {
            "_class_": "gone:Run",
            "_derived_": ["x"],
            "optim": {"_class_": "gone:Sgd", "lr": lr, "_target_": name},
        }
        (make(name) / "config.json").write_text(json.dumps({**record, "folder": name, "table": {"k": 1}}))
    text = said("diff", "a", "b").partition("\n\n")[0]
    assert text.splitlines()[2:] == ["optim.lr  1          1.0"]
    assert json.loads(said("diff", "a", "b", "--json"))["differences"] == {
        "optim.lr": {"outputs/a": 1, "outputs/b": 1.0}
    }


def test_the_beginning_of_a_name_is_enough(make, said):
    for name in ("one", "one_2", "2026-05-01_12-00-00/seed=1", "sweeps/vit/trials/3f/3fa8bf8755"):
        make(name)
    make("sweeps/vit/trials/ab/ab12345678")

    def picked(*words: str) -> list[str]:
        return json.loads(said("diff", *words, "--json"))["folders"]

    assert picked("3fa", "one") == ["outputs/sweeps/vit/trials/3f/3fa8bf8755", "outputs/one"]
    assert picked("outputs/2026", "one_") == ["outputs/2026-05-01_12-00-00/seed=1", "outputs/one_2"]
    assert said("diff", "on", "3fa", status=2) == (
        "2 runs begin with 'on': outputs/one, outputs/one_2\n  type more of one\n  see: python -m runs\n"
    )
    assert said("diff", "one", "outputs/one", status=2) == ("outputs/one is named twice\n  see: python -m runs\n")
    assert said("diff", "oen_2", "one", status=2) == (
        "no run begins with 'oen_2'\n  nearest: one_2\n  see: python -m runs\n"
    )
    assert said("diff", "outputs/sweeps", "one", status=2) == (
        "outputs/sweeps is not a run folder: it has no config.json\n"
        "  it holds 2 of them, the last: outputs/sweeps/vit/trials/ab/ab12345678\n"
        "  see: python -m runs outputs/sweeps\n"
    )
    Path("empty").mkdir()
    assert said("diff", "empty", "one", status=2) == (
        "empty is not a run folder: it has no config.json\n  see: python -m runs\n"
    )


def test_where_there_is_no_run_it_says_how_to_get_one_if_it_knows(here, said):
    assert said() == "there is no run below outputs yet\n"
    assert said("diff", "a", "b", status=2) == "there is no run below outputs\n"
    Path("train.py").write_text("")
    assert said() == "there is no run below outputs yet\n  to train one: python train.py\n"
    assert said("--json") == "[]\n"
    assert said("diff", "a", "b", status=2) == "there is no run below outputs\n  to train one: python train.py\n"
    Path("elsewhere").mkdir()
    assert said("elsewhere") == "there is no run below elsewhere yet\n  to train one: python train.py\n"


def test_a_tilde_is_the_home_folder(make, said, monkeypatch):
    folder = make("one")
    monkeypatch.setenv("HOME", str(folder.parent.absolute()))
    assert json.loads(said("--json", "~/one")) == json.loads(said("--json", str(folder.absolute())))
    make("two")
    assert said("diff", "~/one", "outputs/two").startswith(said("diff", str(folder.absolute()), "outputs/two")[:20])
    said("plot", "~/one", "-o", "~/picture.svg")
    assert (folder.parent / "picture.svg").is_file()


def test_a_run_is_listed_by_the_name_that_the_table_gives_it(make, said):
    make("2026-05-01_12-00-00_seed=3,optim.lr=0.1", "seed=3")
    make("other")
    row = said().splitlines()[2]
    assert "outputs/2026-05-01_12-00-00 " in row
    assert said("outputs/2026-05-01_12-00-00").splitlines()[2:] == [row.rstrip()]


def test_words_that_cannot_be_meant(make, said):
    make("one")
    see = "  see: python -m runs\n"
    assert said("diff", "one", status=2) == (
        "diff compares two runs or more, and one is named\n  write: python -m runs diff one B\n" + see
    )
    assert said("diff", status=2) == (
        "diff compares two runs or more, and none is named\n  write: python -m runs diff A B\n" + see
    )
    assert said("plot", status=2) == "plot of which runs?\n  write: python -m runs plot A B\n" + see
    assert said("outptus", status=2) == (
        "'outptus' is neither a verb nor a folder\n  nearest: outputs\n  see: python -m runs -h\n"
    )
    assert said("dif", "one", "a b", status=2) == (
        "'dif' is neither a verb nor a folder\n  write: python -m runs diff one 'a b'\n  see: python -m runs -h\n"
    )
    assert said("outputs/no", status=2) == (
        "there is no folder 'outputs/no'\n  nearest: outputs/one\n  see: python -m runs -h\n"
    )
    assert said("-o", "x.png", status=2) == (
        "-o says where plot, report and export put their file\n  write: python -m runs plot A B -o FILE\n"
    )
    assert said("--al", status=2) == (
        "unrecognized arguments: --al\n  nearest: --all, --last, --help\n  see: python -m runs --help\n"
    )
    assert said("-h") == HELP + "\n"


@pytest.mark.slow
def test_a_picture_has_a_panel_for_each_metric_and_says_what_differs(make, said):
    a = make("a", "optim.lr=0.1", "seed=2")
    extra = [{"step": 10, "epoch": 0, "train/loss": 0.1, "shared": 1.0, "nan": float("nan")}]
    alone = {"step": 20, "epoch": 1, "only/here": 1.0}
    b = make("b", "optim.lr=0.01", "seed=2", summary={"state": "running"}, metrics=[*METRICS, *extra, alone])
    c = make("c", "optim.lr=0.1", "seed=2", metrics=extra)
    figure = draw([a, b, c])
    assert_fit_for_a_slide(figure)
    drawn = [panel.get_title() for panel in figure.axes]
    assert drawn == ["train/loss", "validation/loss", "validation/accuracy", "shared", "test/accuracy"]
    assert figure.get_suptitle() == "3 runs: best test accuracy 0.8125\noutputs/a"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "outputs/a   (test/accuracy 0.8125)",
        "optim.lr=0.01",
        "outputs/c   (test/accuracy 0.8125)",
    ]
    assert [[np.asarray(line.get_xdata()).tolist() for line in panel.lines] for panel in figure.axes[:2]] == [
        [[10, 40], [10, 40, 10], [10]],
        [[39, 78], [39, 78]],
    ]
    assert said("plot", "a", "b") == "outputs/plot.png\n"
    assert Path("outputs/plot.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(said("plot", "a", "b", "-o", "new/x.svg", "--json")) == {
        "picture": "new/x.svg",
        "folders": ["outputs/a", "outputs/b"],
    }
    assert "<svg" in Path("new/x.svg").read_text()
    assert sorted(each.name for each in Path("new").iterdir()) == ["x.svg"]
    assert said("plot", "a", "-o", "outputs/a/curves.png", status=2) == (
        "-o outputs/a/curves.png is a file of the run's own\n  write: -o FILE\n"
    )
    assert said("report", "a", "-o", "train.py", status=2) == (
        "train.py: a page is not written as .py\n  write: -o train.html\n"
    )
    assert said("plot", "a", "-o", "x.pgn", status=2).splitlines()[0] == "x.pgn: no picture can be written as .pgn"
    Path("file").touch()
    assert said("plot", "a", "-o", "file/x.png", status=1) == (
        "cannot write file/x.png: File exists\n  to put it elsewhere: -o FILE\n"
    )
    make("d", metrics=[])
    assert said("plot", "d", status=2) == (
        "there is nothing to draw: no metric was written yet in outputs/d\n  see: python -m runs\n"
    )


@pytest.mark.slow
def test_many_runs_fit_into_one_picture(make):
    figure = draw([make(f"r{number}", f"seed={number}") for number in range(25)])
    assert_fit_for_a_slide(figure)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(shown) == 20
    assert shown[0] == "seed=0   (test/accuracy 0.8125)"
    assert shown[-1] == "... and 6 more"
    assert [len(panel.lines) for panel in figure.axes] == [25, 25, 25, 25]


BEST = {"best/step": 39, "state": "finished", "goal": "minimize validation/loss"}


@pytest.mark.slow
def test_a_picture_of_runs_marks_the_tested_step_and_sets_the_tests_side_by_side(make):
    scores = {"a": 0.5, "b": 0.25, "c": float("nan"), "d": 0.75}
    runs = [
        make(name, f"optim.lr=0.{place + 1}", summary={**BEST, "test/loss": score})
        for place, (name, score) in enumerate(scores.items())
    ]
    figure = draw(runs)
    assert_fit_for_a_slide(figure)
    assert figure.get_suptitle() == "4 runs: best test loss 0.2500\noptim.lr=0.2"  # of a loss the least
    *curves, tests = figure.axes
    assert tests.get_title() == "test/loss"
    assert [(line.get_marker(), line.get_xydata().tolist()) for line in tests.lines] == [
        ("o", [[0.5, 0]]),
        ("*", [[0.25, 1]]),
        ("o", [[0.75, 3]]),
    ]
    assert [each.get_text() for each in tests.texts] == ["0.5000", "0.2500", "0.7500"]
    colors = [line.get_color() for line in curves[0].lines]
    assert [line.get_color() for line in tests.lines] == [colors[0], colors[1], colors[3]]
    stars = {panel.get_title(): [each.get_offsets()[0][0] for each in panel.collections] for panel in curves}
    assert stars == {"train/loss": [], "validation/loss": [39] * 4, "validation/accuracy": [39] * 4}


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3, 11, 12])
@pytest.mark.parametrize("tested", [True, False])
def test_a_picture_of_any_number_of_runs_is_fit_for_a_slide(make, count: int, tested: bool):
    long = "init=/a/path/of/a/checkpoint/that/is/quite/long/best.pt"
    summary = {**BEST, **({"test/loss": 0.123456} if tested else {})}
    figure = draw([make(f"r{n}", f"seed={n}", *[long] * (n % 2), summary=summary) for n in range(count)])
    assert_fit_for_a_slide(figure)
    assert len(figure.axes) == 3 + (tested and count > 1)
    assert ("tested yet" in figure.get_suptitle()) is not tested


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "loaded"), [([], []), (["diff", "a", "b"], []), (["plot", "a", "b"], ["matplotlib"])]
)
def test_only_a_picture_loads_a_library(make, words: list[str], loaded: list[str]):
    make("a", "seed=1")
    make("b", "seed=2")
    script = (
        "import sys; from runs.__main__ import main; assert main(sys.argv[1:]) == 0; "
        "print([name for name in ('torch', 'matplotlib', 'submitit', 'sweeps') if name in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", str(loaded))


def test_nothing_in_a_run_folder_can_command_the_terminal(make, said):
    nasty, shown = "\x1b]0;a\x07\x9b2J\r", r"\x1b]0;a\x07\x9b2J\r"
    make(f"a{nasty}b", summary={**DONE, "state": nasty, "reason": f"because {nasty}", "device": nasty, nasty: 1})
    make("torn", summary={"state": "running"})
    Path("outputs/torn/metrics.jsonl").write_text(f"{nasty}\n")
    record = json.loads(Path("outputs/torn/config.json").read_text())
    Path("outputs/torn/config.json").write_text(json.dumps({**record, nasty: 1}))
    for words, status in (
        ([], 0),
        (["diff", "outputs/a", "outputs/torn"], 0),
        (["plot", "outputs/torn"], 1),
        (["diff", f"outputs/{nasty}", "outputs/torn"], 2),
        (["export", f"outputs/a{nasty}b"], 1),
        ([nasty], 2),
    ):
        text = said(*words, status=status)
        assert not {"\x1b", "\x07", "\x9b", "\r"} & set(text), words
        assert shown in text.replace("\\\\", "\\"), words


BENCHMARK = {"test/glue_cola_matthews": 0.0625, "test/glue_rte_accuracy": 0.5}
COMPARED = """\
test                outputs/a  outputs/b  difference  outputs/c  difference
------------------  ---------  ---------  ----------  ---------  ----------
glue_cola_matthews  0.0625     0.125      +0.0625     -          -
glue_rte_accuracy   0.5        0.5        +0          0.25       -0.25
"""


def test_diff_compares_benchmarks_with_those_of_the_first(make, said):
    make("a", summary={**DONE, **BENCHMARK})
    make("b", summary={**DONE, **BENCHMARK, "test/glue_cola_matthews": 0.125})
    make("c", summary={**DONE, "test/glue_rte_accuracy": 0.25})
    assert said("diff", "a", "b", "c").endswith("\n\n" + COMPARED)
    told = json.loads(said("diff", "a", "b", "c", "--json"))["against_first"]
    assert told["glue_cola_matthews"] == {
        "outputs/a": {"value": 0.0625, "difference": 0.0, "interval": None},
        "outputs/b": {"value": 0.125, "difference": 0.0625, "interval": None},
    }


@pytest.mark.parametrize("first", [DONE, {**DONE, **BENCHMARK, "state": "failed"}, {**DONE, "test/perplexity": 3.0}])
def test_diff_compares_no_benchmarks_that_the_first_lacks(first, make, said):
    make("a", summary=first)
    make("b", summary={**DONE, **BENCHMARK, "test/perplexity": 2.0})
    assert "difference" not in said("diff", "a", "b")
    assert "against_first" not in json.loads(said("diff", "a", "b", "--json"))


def resamples(folder: Path, values: list[float], **other: Any) -> None:
    (folder / "benchmark").mkdir()
    measures = {"glue_rte_accuracy": {"examples": other.pop("examples", "d1"), "values": values}}
    record = {"method": "percentile bootstrap", "level": 0.95, "resamples": 3, "seed": 0, "measures": measures, **other}
    (folder / "benchmark/glue_resamples.json").write_text(json.dumps(record))


def test_a_difference_of_the_same_examples_has_an_interval(make, said):
    for name, values, other in (
        ("a", [0.5, 0.6, 0.4], {}),
        ("b", [0.6, 0.7, 0.6], {}),
        ("c", [0.1, 0.1, 0.1], {"examples": "d2"}),
        ("d", [0.1, 0.1, 0.1], {"seed": 1}),
    ):
        resamples(make(name, summary={**DONE, **BENCHMARK}), values, **other)
    low, high = np.percentile([0.1, 0.1, 0.2], [2.5, 97.5])
    told = json.loads(said("diff", "a", "b", "c", "d", "--json"))["against_first"]["glue_rte_accuracy"]
    assert told["outputs/b"]["interval"] == pytest.approx([low, high])
    assert [told[f"outputs/{name}"]["interval"] for name in "acd"] == [None, None, None]
    text = said("diff", "a", "b")
    assert f"  {low:+.4g} to {high:+.4g}\n" in text
    assert text.endswith("95 %: percentile bootstrap of the difference, paired by example\n")


def test_a_torn_file_of_resamples_is_named(make, said):
    for name in ("a", "b"):
        folder = make(name, summary={**DONE, **BENCHMARK})
        (folder / "benchmark").mkdir()
        (folder / "benchmark/glue_resamples.json").write_text('{"resamples": 3')
    assert said("diff", "a", "b", status=1).startswith("outputs/a/benchmark/glue_resamples.json is damaged")
