"""The picture of a sweep: what it shows, for sweeps of any size, and that it is always the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cn.sweeping.folder.store import Trial, of_trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.showing.picture import draw, picture
from cn.sweeping.showing.scores import Outcome, results
from sweeps import Goal, maximize, minimize
from tests.slides import assert_fit_for_a_slide

ROOT = Path(__file__).parents[2]
GOAL = maximize("validation/accuracy")

pytestmark = pytest.mark.slow  # each draws


def outcome(number: int, *words: str, value: float | None = 0.5, state: str = "done") -> Outcome:
    trial = Trial(f"{number:010}", words, {}, of_trial(f"{number:010}"))
    return Outcome(trial, TrialStatus(state), None, {} if value is None else {"validation/accuracy": value}, "c0de")


def write_curve(folder: Path, each: Outcome, values: list[float], tail: str = "") -> None:
    """Its metrics.jsonl: the goal after every ten steps, and a loss between."""
    path = folder / each.trial.folder / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    records: list[dict[str, Any]] = []
    for step, value in enumerate(values, 1):
        records += [{"step": 10 * step - 5, "train/loss": 1.0}, {"step": 10 * step, "validation/accuracy": value}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)


def drawn(outcomes: list[Outcome], folder: Path, goal: Goal = GOAL, name: str = "") -> Figure:
    """The figure, which is fit for a slide; its PNG is written too, since only that looks at every letter."""
    rows = results(outcomes, goal)
    path = picture(outcomes, rows, goal, lambda trial: folder / trial.folder, folder / "picture.png")
    assert matplotlib.image.imread(path).std() > 0
    figure = draw(outcomes, rows, goal, lambda trial: folder / trial.folder, name=name)
    assert_fit_for_a_slide(figure)
    return figure


def title(figure: Figure) -> list[str]:
    return figure.get_suptitle().splitlines()


def curves(figure: Figure) -> dict[str, list[list[list[float]]]]:
    """By what the legend calls them."""
    found = [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]
    return {str(each.get_label()): [[list(xy) for xy in line] for line in each.get_segments()] for each in found}


def marks(figure: Figure, panel: int, marker: str) -> list[tuple[float, float]]:
    lines = [line.get_xydata() for line in figure.axes[panel].lines if line.get_marker() == marker]
    return [(round(float(x), 6), round(float(y), 6)) for line in lines for x, y in np.asarray(line)]


def ticks(figure: Figure, panel: int) -> list[str]:
    return [label.get_text() for label in figure.axes[panel].get_xticklabels()]


def test_two_axes_and_seeds(tmp_path: Path) -> None:
    """The best setting is depth=12 lr=0.001: what it came to is the mean, 0.609, and not its best seed's 0.619."""
    trials = [
        outcome(number, f"depth={depth}", f"lr={lr}", f"seed={seed}", value=depth / 20 - lr + seed % 3 / 100)
        for number, (depth, lr, seed) in enumerate(
            (d, lr, s) for d in (6, 12) for lr in (0.001, 0.1) for s in (1, 2, 3)
        )
    ]
    for each in trials:
        write_curve(tmp_path, each, [0.1, each.summary["validation/accuracy"]])
    figure = drawn(trials, tmp_path)
    assert title(figure) == ["best validation/accuracy: 0.6090 +- 0.0100 over 3 seeds", "depth=12 lr=0.001"]
    assert [panel.get_xlabel() for panel in figure.axes] == ["step", "depth", "lr"]
    assert [panel.get_xscale() for panel in figure.axes] == ["linear", "linear", "log"]
    assert (ticks(figure, 1), ticks(figure, 2)) == (["6", "12"], ["0.001", "0.1"])
    assert {name: len(lines) for name, lines in curves(figure).items()} == {
        "best, 3 seeds": 3,
        "other trials": 9,
    }
    ends = [line[-1] for line in curves(figure)["best, 3 seeds"]]
    assert ends == [[20, pytest.approx(value)] for value in (0.619, 0.609, 0.599)]
    assert len(marks(figure, 1, "o")) == len(marks(figure, 2, "o")) == 12
    assert marks(figure, 1, "_") == [(6, 0.2595), (12, 0.5595)]
    assert marks(figure, 1, "*") == [(12, 0.609)]
    assert marks(figure, 2, "*") == [(0.001, 0.609)]


def test_the_title_says_how_many_seeds_are_missing(tmp_path: Path) -> None:
    trials = [
        outcome(1, "lr=0.1", "seed=1", value=0.5),
        outcome(2, "lr=0.1", "seed=2", value=0.7),
        outcome(3, "lr=0.1", "seed=3", value=None, state="running"),
        outcome(4, "lr=0.2", "seed=1", value=0.4),
        outcome(5, "lr=0.3", "seed=1", value=None, state="failed"),
    ]
    assert title(drawn(trials, tmp_path)) == [
        "best validation/accuracy: 0.6000 +- 0.1414 over 2 of 3 seeds",
        "lr=0.1",
        "no value: 1 failed, of 5 trials",
    ]


def test_the_title_of_a_setting_of_one_trial_has_its_seed(tmp_path: Path) -> None:
    trials = [outcome(1, "lr=0.1", "seed=4", value=0.5), outcome(2, "lr=0.2", "seed=1", value=0.4)]
    assert title(drawn(trials, tmp_path)) == ["best validation/accuracy: 0.5000", "lr=0.1 seed=4"]


def test_a_category_has_its_trials_around_its_tick_and_a_dash_at_their_mean(tmp_path: Path) -> None:
    values = {"vit": (0.5, 0.7), "null": (0.4, 0.2)}
    trials = [
        outcome(10 * place + seed, f"model={name}", f"seed={seed}", value=value)
        for place, (name, pair) in enumerate(values.items())
        for seed, value in enumerate(pair)
    ]
    figure = drawn(trials, tmp_path)
    assert ticks(figure, 0) == ["vit", "null"]
    assert [(round(x), y) for x, y in marks(figure, 0, "o")] == [(0, 0.5), (0, 0.7), (1, 0.4), (1, 0.2)]
    assert marks(figure, 0, "_") == [(0, 0.6), (1, 0.3)]
    assert [panel.get_xlabel() for panel in figure.axes] == ["model"]  # and no curves, as there are none


def test_only_the_best_of_many_categories_are_drawn_and_the_label_says_so(tmp_path: Path) -> None:
    figure = drawn([outcome(i, f"model=m{i}", value=(i * 7 % 40) / 40) for i in range(40)], tmp_path)
    assert figure.axes[0].get_xlabel() == "model (12 best of 40)"
    assert ticks(figure, 0) == sorted((f"m{i}" for i in range(40) if i * 7 % 40 >= 28), key=lambda name: int(name[1:]))


def test_an_axis_is_drawn_of_the_trials_that_give_it_a_value(tmp_path: Path) -> None:
    trials = [
        outcome(1, "model=mlp"),
        outcome(2, "model=vit", "model.dim=64"),
        outcome(3, "model=vit", "model.dim=128"),
    ]
    figure = drawn(trials, tmp_path)
    assert [x for x, _ in marks(figure, 1, "o")] == [64, 128]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((1e-5, 1e-4, 1e-3, 1e-2), "log"),
        ((1e-4, 3e-3), "log"),
        ((0.01, 0.2, 0.3, 0.4, 0.5), "linear"),  # one that is small by chance
        ((0, 0.001, 1), "linear"),
        ((-1, 1), "linear"),
        ((1, 2, 4, 8), "linear"),
    ],
)
def test_orders_of_magnitude_are_drawn_on_a_log_scale(values: tuple[float, ...], scale: str, tmp_path: Path) -> None:
    figure = drawn([outcome(i, f"x={value}") for i, value in enumerate(values)], tmp_path)
    assert figure.axes[0].get_xscale() == scale


def test_losses_of_many_sizes_are_drawn_on_a_log_scale(tmp_path: Path) -> None:
    trials = [outcome(i, f"x={i}", value=10.0**i) for i in range(-4, 3)]
    for each in trials:
        write_curve(tmp_path, each, [200.0, each.summary["validation/accuracy"]])
    figure = drawn(trials, tmp_path, minimize("validation/accuracy"))
    assert [panel.get_yscale() for panel in figure.axes] == ["log", "log"]
    assert marks(figure, 1, "*") == [(-4, 0.0001)]


def test_a_single_trial_is_its_curve(tmp_path: Path) -> None:
    one = outcome(1, value=0.75)
    write_curve(tmp_path, one, [0.5, 0.75])
    figure = drawn([one], tmp_path)
    assert (title(figure), len(figure.axes)) == (["best validation/accuracy: 0.7500"], 1)
    assert curves(figure) == {"best": [[[10, 0.5], [20, 0.75]]]}


@pytest.mark.parametrize(
    "tail", ["", "{", '{"step": 40, "validation/accuracy"', '{"step": 40, "validation/accuracy": 0.9}']
)
def test_a_last_line_that_was_cut_short_is_left_out_and_so_is_what_is_no_number(tail: str, tmp_path: Path) -> None:
    one = outcome(1)
    write_curve(tmp_path, one, [0.25, float("nan"), 0.5], tail)
    assert curves(drawn([one], tmp_path)) == {"best": [[[10, 0.25], [30, 0.5]]]}


def test_trials_that_run_have_curves_before_any_has_a_value(tmp_path: Path) -> None:
    trials = [outcome(i, f"x={i}", value=None, state="running") for i in range(3)]
    for each in trials[:2]:
        write_curve(tmp_path, each, [0.5] * (1 + each.trial.id.count("1")))
    figure = drawn(trials, tmp_path)
    assert title(figure) == ["validation/accuracy: no trial has a value yet"]
    assert curves(figure) == {"trials": [[[10, 0.5]], [[10, 0.5], [20, 0.5]]]}
    assert marks(figure, 0, ".") == [(10, 0.5), (10, 0.5), (20, 0.5)]


@pytest.mark.parametrize("trials", [[], [outcome(1, "x=1", value=None, state="new")]])
def test_where_there_is_nothing_yet_the_picture_says_so(trials: list[Outcome], tmp_path: Path) -> None:
    figure = drawn(trials, tmp_path)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no curve of it yet"]


def test_1500_trials_of_14_axes(tmp_path: Path) -> None:
    trials = [
        outcome(i, *(f"k{key}={(i * (key + 3)) % 1511 / 10}" for key in range(14)), value=i * 7 % 1500 / 1500)
        for i in range(1500)
    ]
    for each in trials[::5]:
        write_curve(tmp_path, each, [0.1, each.summary["validation/accuracy"]])
    figure = drawn(trials, tmp_path)
    assert (len(figure.axes), title(figure)[-1]) == (13, "12 of 14 axes are drawn")
    assert figure.axes[0].get_title() == "200 of 300 trials, from the best to the worst"
    lines = [line for group in curves(figure).values() for line in group]
    ends = sorted(line[-1][1] for line in lines)
    assert len(ends) == 200
    recorded = sorted(each.summary["validation/accuracy"] for each in trials[::5])
    assert (ends[0], ends[-1]) == (recorded[0], recorded[-1])


def test_a_long_curve_is_thinned_and_keeps_its_end(tmp_path: Path) -> None:
    one = outcome(1)
    write_curve(tmp_path, one, [i / 2500 for i in range(1, 2501)])
    ((curve,),) = curves(drawn([one], tmp_path)).values()
    assert (len(curve), curve[0], curve[-1]) == (834, [10, 0.0004], [25000, 1.0])


def test_letters_of_all_kinds_are_drawn_as_they_are_typed(tmp_path: Path) -> None:
    words = ["name=$a_{1}$ \\alpha 漢字\n\t😀", "na$me=%d {} \x00 é", f"path={'/very/long' * 30}", "_x=_y"]
    figure = drawn([outcome(1, *words), outcome(2, "name=b", "na$me=c", "path=d", "_x=_z")], tmp_path)
    assert title(figure)[1].startswith(r"name=\$a_{1}\$ \\alpha \u6f22\u5b57\n\t")
    assert figure.axes[1].get_xlabel() == r"na\$me"
    assert ticks(figure, 2) == ["/very/...ry/long", "d"]


def test_the_same_trials_give_the_same_bytes(tmp_path: Path) -> None:
    trials = [outcome(i, f"model=m{i % 3}", f"lr={10.0**-i}", value=i / 10) for i in range(6)]
    for each in trials:
        write_curve(tmp_path, each, [0.1, 0.2])
    rows = results(trials, GOAL)
    one, two = (picture(trials, rows, GOAL, lambda t: tmp_path / t.folder, tmp_path / n) for n in ("a/1.png", "2.png"))
    assert one.read_bytes() == two.read_bytes()
    assert [path.name for path in one.parent.iterdir()] == ["1.png"]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def test_the_best_step_and_the_test_of_the_best_setting_are_said(tmp_path: Path) -> None:
    trials = [outcome(10 * d + seed, f"depth={d}", f"seed={seed}", value=d / 10) for d in (3, 6) for seed in (1, 2)]
    for number, each in enumerate(trials):
        each.summary.update({"best/step": 20, "test/accuracy": 0.25 * number})
        write_curve(tmp_path, each, [0.1, each.summary["validation/accuracy"], 0.2])
    figure = drawn(trials, tmp_path, name="depths")
    assert title(figure) == [
        "depths: best validation/accuracy: 0.6000 +- 0.0000 over 2 seeds",
        "test accuracy: 0.6250",
        "depth=6",
    ]
    assert marks(figure, 0, "*") == [(20, 0.6), (20, 0.6)]
    assert legend(figure) == ["best, 2 seeds", "other trials", "mean"]
    del trials[-1].summary["test/accuracy"]
    assert not any("test" in line for line in title(drawn(trials, tmp_path)))


def test_trials_without_a_value_are_crosses_at_the_bottom(tmp_path: Path) -> None:
    trials = [
        outcome(1, "lr=0.1", "model=vit", value=0.5),
        outcome(2, "lr=0.2", "model=mlp", value=None, state="failed"),
        outcome(3, "lr=0.3", "model=mlp", value=float("nan")),
        outcome(4, "lr=0.4", "model=mlp", value=None, state="running"),
    ]
    figure = drawn(trials, tmp_path)
    assert title(figure) == [
        "best validation/accuracy: 0.5000",
        "lr=0.1 model=vit",
        "no value: 1 failed, 1 nan, of 4 trials",
    ]
    assert [panel.get_xlabel() for panel in figure.axes] == ["lr", "model"]
    assert marks(figure, 0, "x") == [(0.2, 0.03), (0.3, 0.03)]
    assert marks(figure, 1, "x") == [(1, 0.03)]
    assert ticks(figure, 1) == ["vit", "mlp"]
    assert legend(figure) == ["best", "other trials", "no value"]


def test_the_seeds_of_the_best_setting_have_a_line_from_the_worst_to_the_best(tmp_path: Path) -> None:
    trials = [outcome(i, f"lr={lr}", f"seed={i}", value=lr + i / 100) for i, lr in enumerate((0.1, 0.1, 0.3, 0.3))]
    figure = drawn(trials, tmp_path)
    (line,) = [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]
    assert np.allclose(line.get_segments(), [[[0.3, 0.32], [0.3, 0.33]]])


LONG = ("random_resized_crop_and_flip", "encoder/bert_family/base_with_heads", "none", "with $m_a$th", "ünïcode_名前")
SWEEPS = {
    "one trial": [("lr=0.1",)],
    "two trials": [("lr=0.1",), ("lr=0.2",)],
    "five of orders of magnitude": [(f"lr={lr}",) for lr in (1e-4, 1e-3, 3e-3, 1e-2, 1e-1)],
    "two axes": [(f"lr={lr}", f"model={m}") for lr in (1e-4, 1e-3, 1e-2, 1e-1) for m in ("vit", "resnet18", "mlp")],
    "three axes and seeds": [
        (f"lr={lr}", f"model={m}", f"drop={d}", f"seed={seed}")
        for lr in (1e-4, 1e-3, 1e-2, 1e-1)
        for m, d in zip(LONG, (0.1, 0.2, 0.3, 0.4, 0.5), strict=True)
        for seed in (1, 2, 3)
    ],
    "long names": [
        (f"data.augmentation_of_all_images_with_a_long_name={each}", f"optim.lr={10**-power:.5g}")
        for each in LONG
        for power in (1, 1.5, 2, 2.5, 3, 3.5)
    ],
    "twelve categories": [(f"model=a_model_of_a_family_{i}",) for i in range(12)],
    "seven axes": [tuple(f"group.part{k}.value={(i * (k + 3)) % 17 / 7}" for k in range(7)) for i in range(30)],
}


@pytest.mark.parametrize("equal", [False, True], ids=["", "equal"])
@pytest.mark.parametrize("case", SWEEPS)
def test_sweeps_of_many_kinds_are_fit_for_a_slide(case: str, equal: bool, tmp_path: Path) -> None:
    trials: list[Outcome] = []
    for number, words in enumerate(SWEEPS[case]):
        state = "failed" if number % 17 == 4 else "done"
        value = (
            None if state == "failed" else float("nan") if number % 19 == 6 else 0.5 if equal else number * 7 % 11 / 9
        )
        trials.append(outcome(number, *words, value=value, state=state))
        write_curve(tmp_path, trials[-1], [0.1, 0.3, 0.5 if value is None or np.isnan(value) else value])
        trials[-1].summary.update({"best/step": 30, "test/accuracy": 0.5})
    axes = {word.partition("=")[0] for words in SWEEPS[case] for word in words} - {"seed"}
    figure = drawn(trials, tmp_path, name=case.replace(" ", "_"))
    assert len(figure.axes) == 1 + (len(axes) if len(trials) > 1 else 0)


def test_neither_torch_nor_pyplot_is_imported_and_matplotlib_only_to_draw(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from sweeps import maximize; from cn.sweeping.showing.picture import picture\n"
        "print('matplotlib' in sys.modules)\n"
        f"picture([], [], maximize('a'), lambda trial: None, pathlib.Path({str(tmp_path / 'a.png')!r}))\n"
        "print('torch' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\nFalse False\n", "")
