"""`-m` runs every combination and ends with a table; a mistake in the last costs nothing, a failure ends no other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cn import Job, RunError, main
from cn.composing.results import results_table
from cn.run_folder.terminated import TerminatedError
from cn.screen import OutputError
from cn.table import table
from tests.cn.conftest import python


def test_every_combination_is_run_and_one_table_shown(program: Any) -> None:
    done = program("-m", "seed=1,2", "model=mlp,vit", "steps=7")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "[1/4] seed=1 model=mlp\ntrained MLP with seed 1\n"
        "[2/4] seed=1 model=vit\ntrained ViT with seed 1\n"
        "[3/4] seed=2 model=mlp\ntrained MLP with seed 2\n"
        "[4/4] seed=2 model=vit\ntrained ViT with seed 2\n"
        "\n"
        "no.  seed  model  result\n"
        "---  ----  -----  ------\n"
        "0    1     mlp    0.5000\n"
        "1    1     vit    0.5000\n"
        "2    2     mlp    1.0000\n"
        "3    2     vit    1.0000\n"
    )


def test_the_table_tells_small_and_large_results_apart() -> None:
    told = results_table([("a=1",), ("a=2",), ("a=3",), ("a=4",)], [3.21e-5, -4.5e-6, 0.0, {"loss": 1.5e9, "n": 3}])
    assert [line.split("  ")[-1] for line in told.splitlines()[2:]] == [
        "3.21e-05",
        "-4.5e-06",
        "0.0000",
        "loss 1.5e+09, n 3",
    ]


@pytest.mark.parametrize(
    ("words", "said", "runs"),
    [
        (("seed=1,1",), ["seed=1 is left out: it is asked for twice"], 1),
        (("model=mlp,vit,mlp", "seed=3"), ["model=mlp is left out: it is asked for twice"], 2),
        (
            ("model=mlp", "model.width=8,8.0"),
            ["model.width=8.0 is left out: it is the same run as model.width=8"],
            1,
        ),
        (
            ("seed=1,1,1,1,1,1,1,1",),
            [*["seed=1 is left out: it is asked for twice"] * 5, "2 more are left out, which are the same runs too"],
            1,
        ),
    ],
)
def test_the_same_run_is_trained_once_and_that_is_said(words: Any, said: list[str], runs: int, program: Any) -> None:
    done = program("-m", *words)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[: len(said)] == said
    assert lines[len(said)].startswith(f"[1/{runs}]")
    assert sum(line.startswith("trained") for line in lines) == runs


@pytest.fixture
def several(tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`several("seed=1,2")`: what each run was, as `model/seed`, and the output."""
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def several(
        *words: str, fail: tuple[int, ...] = (), bug: int | None = None, stop: int | None = None, by: Any = None
    ) -> tuple[list[str], str, str, int]:
        from runs import Run

        seen: list[str] = []

        def train(run: Run, job: Job) -> float:
            seen.append(f"{type(run).__name__} {type(run.model).__name__} {run.seed}")
            if run.seed == bug:
                raise ValueError(f"seed {run.seed} has a bug")
            if run.seed == stop and by is not None:
                raise by
            if run.seed == stop:
                stopped = RunError("stopped by Ctrl-C\n  to go on: its command")
                stopped.status = 130
                raise stopped
            if run.seed in fail:
                raise RunError(f"seed {run.seed} went wrong\n  see: its log")
            return run.seed * 1.5

        train.__annotations__["run"] = Run
        status = 0
        try:
            main(train, ["-m", *words], folder=False)
        except SystemExit as exit:
            status = int(exit.code or 0)
        done = capsys.readouterr()
        return seen, done.out, done.err, status

    return several


SWEEPS = {
    "seed=range(3)": ["Default ViT 0", "Default ViT 1", "Default ViT 2"],
    "seed=range(0,5,2)": ["Default ViT 0", "Default ViT 2", "Default ViT 4"],
    "seed=choice(3,1)": ["Default ViT 3", "Default ViT 1"],
    "model=glob(*)": ["Default MLP 1", "Default ViT 1", "Default Small 1"],
    "model=glob(v*)": ["Default ViT 1", "Default Small 1"],
    "model=glob(*,exclude=v*)": ["Default MLP 1"],
    "run=glob(*) optim=adamw": ["Bare ViT 1", "ViT Small 7", "Default ViT 1"],
    "run=bare optim=adamw model=glob(m*)": ["Bare MLP 1"],
    "run=cifar/vit seed=1,2": ["ViT Small 1", "ViT Small 2"],
    "teacher=vit teacher/head=glob(*)": ["Default ViT 1", "Default ViT 1"],
    "callbacks=[],[stop]": ["Default ViT 1", "Default ViT 1"],
    "model=vit": ["Default ViT 1"],
    "": ["Default ViT 1"],
}


@pytest.mark.parametrize("words", SWEEPS)
def test_a_sweep_stands_for_its_runs(several: Any, words: str) -> None:
    seen, _, err, status = several(*words.split())
    assert (seen, err, status) == (SWEEPS[words], "", 0)


def test_a_mistake_in_any_combination_is_told_before_the_first_run(several: Any) -> None:
    seen, out, err, status = several("model=vit,mlp,vitt", "seed=1,2")
    assert (seen, out, status) == ([], "", 2)
    assert err.startswith("model=vitt: no model is called 'vitt'\n")
    seen, _, err, status = several("model.heads=3,5")
    assert (seen, status, err.split("\n")[0]) == ([], 2, "model: dim 192 does not divide by 5 heads")


def test_a_run_that_fails_is_told_and_the_others_go_on(several: Any) -> None:
    seen, out, err, status = several("seed=1,2,3", fail=(2,))
    assert seen == ["Default ViT 1", "Default ViT 2", "Default ViT 3"]
    assert out == (
        "[1/3] seed=1\n[2/3] seed=2\nseed 2 went wrong\n  see: its log\n[3/3] seed=3\n"
        "\n"
        "no.  seed  result\n"
        "---  ----  -------------------------\n"
        "0    1     1.5000\n"
        "1    2     failed: seed 2 went wrong\n"
        "2    3     4.5000\n"
    )
    assert (err, status) == ("1 of 3 runs failed\n", 1)


def test_a_bug_in_one_run_is_shown_and_the_others_go_on(several: Any) -> None:
    seen, out, err, status = several("seed=1,2,3", bug=2)
    assert seen == ["Default ViT 1", "Default ViT 2", "Default ViT 3"]
    assert out == (
        "[1/3] seed=1\n[2/3] seed=2\n[3/3] seed=3\n"
        "\n"
        "no.  seed  result\n"
        f"---  ----  {'-' * 36}\n"
        "0    1     1.5000\n"
        "1    2     failed: ValueError: seed 2 has a bug\n"
        "2    3     4.5000\n"
    )
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("ValueError: seed 2 has a bug\n1 of 3 runs failed\n")
    assert status == 1


def test_output_that_nobody_reads_stops_the_others(several: Any) -> None:
    seen, _, err, status = several("seed=1,2,3", stop=2, by=OutputError(28, "standard output cannot be written"))
    assert seen == ["Default ViT 1", "Default ViT 2"]
    assert (err, status) == ("standard output cannot be written\n", 1)


@pytest.mark.parametrize(("by", "status"), [(KeyboardInterrupt(), 130), (TerminatedError(), 143)])
def test_a_signal_to_a_function_of_any_project_stops_the_others(several: Any, by: BaseException, status: int) -> None:
    seen, out, err, ended = several("seed=1,2,3", stop=2, by=by)
    assert seen == ["Default ViT 1", "Default ViT 2"]
    assert out == "[1/3] seed=1\n[2/3] seed=2\n\nno.  seed  result\n---  ----  ------\n0    1     1.5000\n"
    assert (err, ended) == ("", status)


def test_a_run_that_is_stopped_stops_the_others(several: Any) -> None:
    seen, out, err, status = several("seed=1,2,3", stop=2)
    assert seen == ["Default ViT 1", "Default ViT 2"]
    assert out == "[1/3] seed=1\n[2/3] seed=2\n\nno.  seed  result\n---  ----  ------\n0    1     1.5000\n"
    assert (err, status) == ("stopped by Ctrl-C\n  to go on: its command\n", 130)


def test_a_pattern_that_matches_nothing_says_what_there_is(several: Any) -> None:
    assert several("model=glob(x*)") == (
        [],
        "",
        "model=glob(x*) matches none of the options\n  choose from: mlp, vit, vit/small\n",
        2,
    )


def test_a_pattern_works_where_no_run_is_called_default(node_tree: Any, several: Any, tree: Path) -> None:
    (tree / "runs/default.py").unlink()
    node_tree({"runs/empty.py": python("from runs import Run", "class Empty(Run): ...")})
    seen, _, err, status = several("run=cifar/vit,bare", "optim=adamw", "model=glob(m*)")
    assert status == 2
    assert err
    assert seen == []
    seen, *_ = several("run=bare", "optim=adamw", "model=glob(m*)")
    assert seen == ["Bare MLP 1"]


def test_a_table_is_as_wide_as_it_must_be() -> None:
    assert table(["a", "long"], [["1", "x"], ["200", ""]]) == "a    long\n---  ----\n1    x\n200"
    assert table(["a"], []) == "a\n-"
