"""What is asked of sweeps, before and after anything was submitted: nothing is started by it, and no torch imported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.sweeps.project import Project, words


def test_of_what_was_never_submitted_every_verb_says_so(project: Project):
    name = project.sweep("never", "seeds(2)")
    never = "nothing of never was submitted\n  write: python -m sweeps submit never\n"
    assert project.sweeps("status", name) == never
    assert project.sweeps("status", name, "-w").strip() == never.strip()
    assert (
        project.sweeps("logs", name, status=2) == "no trial of never has begun\n  see: python -m sweeps status never\n"
    )
    assert project.sweeps("best", name, status=2) == never
    assert project.sweeps("results", name, status=2) == never
    assert project.sweeps("cancel", name, status=2) == never
    assert project.sweeps("retry", name, status=2) == never
    assert not (project.folder / "outputs").exists()
    assert project.asked("status", name) == {
        "counts": {},
        "trials": [],
        "unknown": [],
        "folder": "outputs/sweeps/never",
    }
    said = project.sweeps("status", "nevr", status=2)
    assert re.sub(r":\d+", ":0", said) == (
        "no sweep is called 'nevr'\n"
        "  options are the subclasses of Sweep (sweeps/__init__.py:0)\n"
        "  nearest: never\n"
        "  see: python -m sweeps\n"
    )


def test_trials_with_the_same_words_are_told_apart_by_what_they_have_of_the_base(project: Project):
    name = project.sweep("two", "seeds(2)")
    project.sweeps("submit", name)
    project.over(name)
    assert "(" not in project.sweeps("status", name)
    project.sweeps("submit", name, "base.steps=31")
    project.over(name)
    rows = [line.split("  ")[-1] for line in project.sweeps("status", name).splitlines()[2:6]]
    assert sorted(rows) == ["seed=0 (steps=1)", "seed=0 (steps=31)", "seed=1 (steps=1)", "seed=1 (steps=31)"]


def test_trials_of_different_bases_are_never_averaged(project: Project):
    name = project.sweep("two", 'grid({"optim.lr": [0.1]}) * seeds(2)')
    for value in (0.2, 0.8):
        project.sweeps("submit", name, f"base.value={value}", f"base.log_every={round(10 * value)}")
        project.over(name)
    rows = project.asked("results", "outputs/sweeps/two")["rows"]
    assert [(row["words"], row["mean"], row["count"]) for row in rows] == [
        (["optim.lr=0.1", "value=0.8"], 0.8, 2),
        (["optim.lr=0.1", "value=0.2"], 0.2, 2),
    ]
    assert [(row["words"], row["mean"]) for row in project.asked("results", name, "base.value=0.2")["rows"]] == [
        (["optim.lr=0.1"], 0.2)
    ]
    assert project.sweeps("results", name, status=2) == (
        "no trial of two that was submitted is planned now\n"
        "  for the results of those: python -m sweeps results outputs/sweeps/two\n"
        "  see: python -m sweeps plan two\n"
    )


def test_a_setting_keeps_its_trials_when_an_axis_is_added_or_written_in_another_way(project: Project):
    name = project.sweep("two", 'grid({"value": [1, 2]}) * seeds(2)')
    project.sweeps("submit", name)
    project.over(name)
    project.sweep("two", 'grid({"value": [1.0, 2.0], "pause": [0.0]}) * seeds(3)')
    project.sweeps("submit", name)
    assert project.over(name) == {"done": 6}
    rows = project.asked("results", name)["rows"]
    assert [(row["words"], row["count"]) for row in rows] == [
        (["value=2.0", "pause=0.0"], 3),
        (["value=1.0", "pause=0.0"], 3),
    ]


def test_a_function_may_return_a_number_of_numpy(project: Project):
    door = (project.folder / "train.py").read_text()
    assert "\n    return value\n" in door
    project.write(
        "train.py", door.replace("    return value\n", "    import numpy as np\n\n    return np.float32(value)\n")
    )
    name = project.sweep("two", 'grid({"value": [0.25, 0.5]})')
    project.sweeps("submit", name, "goal.metric=score")
    project.over(name)
    assert [row["mean"] for row in project.asked("results", name, "goal.metric=score")["rows"]] == [0.5, 0.25]


def test_another_metric_of_which_the_other_direction_is_better_is_not_followed_the_wrong_way(project: Project):
    name = project.sweep("two", "seeds(2)")
    assert project.sweeps("plan", name, "goal.metric=validation/loss", status=2) == (
        "goal.metric=validation/loss: less of it is better, and the goal is to maximize it\n"
        "  write: goal.metric=validation/loss goal.direction=minimize\n"
        "  if that is meant: goal.direction=maximize\n"
    )
    for way in ("minimize", "maximize"):
        project.sweeps("plan", name, "goal.metric=validation/loss", f"goal.direction={way}")


def test_no_verb_imports_torch(project: Project):
    project.write("without/sitecustomize.py", "import sys\nsys.modules['torch'] = None  # an import of it fails\n")
    name = project.sweep("light", "seeds(2)")
    without = str(project.folder / "without")
    said: dict[str, str] = {}
    for verb in ("plan", "submit", "status", "logs", "retry", "results", "best", "cancel"):
        said[verb] = project.type("-m", "sweeps", verb, name, PYTHONPATH=without)
        if verb == "submit":
            project.over(name)
    said["every"] = project.type("-m", "sweeps", PYTHONPATH=without)
    assert project.states(name) == {"done": 2}, said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "status two --josn",
            "there is no option --josn\n  nearest: --json\n  see: python -m sweeps --help",
        ),
        ("plan two -m seed=1,2", "-m is train.py's: what a sweep varies are the axes of its class"),
        (
            "plan two base.seed=1,2",
            "base.seed=1,2 stands for several runs, and one was asked for",
        ),
        ("logs two -w", "-w watches a status\n  write: python -m sweeps status NAME -w"),
        ("-w", "-w watches a status\n  write: python -m sweeps status NAME -w"),
        ("plan two three", "'three' cannot be read as NAME=VALUE\n  write: python -m sweeps plan two"),
        (
            "plan two seed=3",
            "seed=3: Two has no field 'seed'\n  defined in sweeps/two.py:9\n  write: base.seed=3\n"
            "  see: python -m sweeps plan two --help",
        ),
        ("plan two --seed 3", "there is no option --seed\n  write: base.seed=3\n  see: python -m sweeps --help"),
        ("status --seed 3", "there is no option --seed\n  see: python -m sweeps --help"),
        ("plan seed=1", "plan of which sweep?\n  see: python -m sweeps"),
        ("pln two", "there is no verb 'pln'\n  nearest: plan\n  see: python -m sweeps -h"),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_can(project: Project, typed: str, said: str):
    project.sweep("two", "seeds(2)")
    assert project.sweeps(*typed.split(), status=2) == f"{said}\n"


def test_a_damaged_file_of_one_trial_does_not_hide_the_others(project: Project):
    name = project.sweep("two", "seeds(2)", base="act='hold', at=1, steps=2")
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", name, *words("local", parallel=2))
    project.until_saved("outputs/sweeps/two", [1, 1])
    first, _ = project.trials(name)
    metrics = project.folder / first["folder"] / "metrics.jsonl"
    metrics.write_text("torn\n")
    told = f"{Path(first['folder'], 'metrics.jsonl')} holds a line that is no record: torn"
    assert [(each["step"], each["reason"]) for each in project.trials(name)] == [(None, told), (1, None)]
    project.hold.unlink()
    assert project.over(name) == {"done": 2}


def test_the_best_is_told_by_its_mean_over_seeds(project: Project):
    """Of the two settings the second has the best single seed, and the first the best mean."""
    name = project.sweep("two", "grid({'steps': [1, 2]}) * seeds(2)")
    project.sweeps("submit", name, *words("local", parallel=4))
    assert project.over(name) == {"done": 4}
    trials = project.trials(name)
    for each, value in zip(trials, (0.8, 0.7, 0.1, 0.9), strict=True):
        summary = project.folder / each["folder"] / "summary.json"
        summary.write_text(json.dumps({**json.loads(summary.read_text()), "best/validation/accuracy": value}))
    assert project.sweeps("best", name) == (
        "python train.py run=told seed=0\n\n"
        "validation/accuracy 0.7500 +- 0.0707 over 2 seeds\n"
        f"trial {trials[0]['id']}, the best of them: 0.8000\n"
        f"{trials[0]['folder']}\n"
    )
    told = project.asked("best", name)
    assert {key: told[key] for key in ("goal", "count", "expected", "value")} == {
        "goal": "validation/accuracy",
        "count": 2,
        "expected": 2,
        "value": 0.8,
    }
    assert (told["mean"], told["spread"]) == (pytest.approx(0.75), pytest.approx(0.0707, abs=1e-4))


def test_a_reader_that_goes_away_is_no_error(project: Project):
    name = project.sweep("long", "seeds(30)")
    process = project.start("-m", "sweeps", "plan", name, "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait()) == ("", 141)
    process.stderr.close()


def test_rows_stay_in_the_order_of_the_plan_while_states_change(project: Project, held: Path):
    """Each trial is of one of two batches, by turns; those in the middle fail, run and wait."""
    points = "{'value': 0.1}, {'act': 'raise'}, {'act': 'hold', 'at': 1}, {'value': 0.2}, {'seed': 9}"
    name = project.sweep("five", f"points([{points}])", base="steps=2")
    resources = (
        "    def resources(self, trial):\n        return Local(parallel=1 + (trial.seed == 9 or trial.value == 0.1))\n"
    )
    path = project.folder / "sweeps/five.py"
    project.write("sweeps/five.py", f"from runs.launch.local import Local\n{path.read_text()}\n{resources}")
    planned = [each["id"] for each in project.asked("plan", name)["trials"]]
    seen: set[tuple[str, ...]] = set()
    project.sweeps("submit", name)
    project.wait("outputs/sweeps/five", lambda reports: "running" in [each["state"] for each in reports])
    for _ in range(2):
        trials = project.trials(name)
        assert [each["id"] for each in trials] == planned
        shown = [line.split()[0] for line in project.sweeps("status", name).splitlines()[2 : 2 + len(planned)]]
        assert shown == planned
        seen.add(tuple(each["state"] for each in trials))
        if held.exists():
            held.unlink()
            project.over(name)
    assert len(seen) == 2


def test_of_more_trials_than_are_shown_those_that_need_a_look_are_in_the_order_of_the_plan(project: Project):
    name = project.sweep("many", "points([{'value': i / 100} for i in range(45)] + [{'act': 'raise'}, {'seed': 7}])")
    planned = [each["id"] for each in project.asked("plan", name)["trials"]]
    project.sweeps("submit", name, *words("local", parallel=8))
    project.over(name)
    text = project.sweeps("status", name)
    assert [line.split()[0] for line in text.splitlines()[2:42]] == [*planned[:39], planned[45]]
    assert "\n... and 7 more: --all\n" in text
    assert [line.split()[0] for line in project.sweeps("status", name, "--all").splitlines()[2:49]] == planned


def test_what_a_trial_says_cannot_command_the_terminal_and_raw_gives_the_bytes(project: Project):
    name = project.sweep("two", "points([{'act': 'raise'}, {'value': 0.5}])")
    project.sweeps("submit", name)
    project.over(name)
    failed, done = project.trials(name)
    folder = project.folder / failed["folder"]
    nasty, shown = "\x1b]0;owned\x07\x1b[2J\r\x9b", r"\x1b]0;owned\x07\x1b[2J\r\x9b"
    log = (folder / "output.txt").read_bytes() + f"in the log {nasty}\n".encode() + b"\xff\n"
    (folder / "output.txt").write_bytes(log)
    report = json.loads((folder / "trial.json").read_text())
    (folder / "trial.json").write_text(json.dumps({**report, "reason": f"because {nasty}"}))
    summary = json.loads((project.folder / done["folder"] / "summary.json").read_text())
    said = {**summary, "state": "failed", "reason": nasty, "device": nasty, f"of {nasty}": 1}
    (project.folder / done["folder"] / "summary.json").write_text(json.dumps(said))
    (project.folder / done["folder"] / "metrics.jsonl").write_text(f"torn {nasty}\n")
    for typed in ("status two", "logs two", "results two", "best two", "plan two"):
        text = project.sweeps(*typed.split())
        assert not {"\x1b", "\x07", "\r", "\x9b"} & set(text), typed
        assert (shown in text) == (typed in ("status two", "logs two")), text
    listed = project.type("-m", "runs")
    compared = project.type("-m", "runs", "diff", failed["folder"], done["folder"])
    assert shown in listed
    assert shown in compared
    assert not {"\x1b", "\x07", "\r", "\x9b"} & set(listed + compared)
    raw = project.start("-m", "sweeps", "logs", name, failed["id"], "--raw")
    with raw:
        assert raw.stdout is not None
        assert raw.stdout.buffer.read() == log
    for typed in ("logs two --raw --json", "status two --raw", "--raw"):
        said = "--raw gives the bytes of a log\n  write: python -m sweeps logs NAME TRIAL --raw\n"
        assert project.sweeps(*typed.split(), status=2) == said


def test_the_best_is_repeated_by_the_program_of_the_sweep(project: Project):
    name = project.sweep("own", "seeds(1)")
    path = project.folder / "sweeps/own.py"
    path.write_text(f'{path.read_text()}\n    _function_ = "fit:train"\n')
    project.write("fit.py", (project.folder / "train.py").read_text())
    project.sweeps("submit", name)
    assert project.over(name) == {"done": 1}
    assert project.sweeps("best", name).splitlines()[0].startswith("python fit.py run=told ")
