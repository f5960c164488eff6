"""The report as a reader sees it: opened from the disk in a real browser, sorted, filtered and brushed there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cn.report.content import Content, Direction, Entry, content
from cn.report.page import page, write
from tests.chromium import PROGRAM, Page, opened

plotly = pytest.importorskip("plotly", reason="plotly is not installed: .[report]")

pytestmark = pytest.mark.slow
browser = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here")
HOSTILE = "</script><img src=x onerror=alert(1)> & [[DATA]]"


def entries(count: int, points: int = 5) -> list[Entry]:
    """Trials whose value depends on the logarithm of `lr`, and hardly on `depth` and the kind of model."""
    draw = Random(0)
    found: list[Entry] = []
    for number in range(count):
        lr, depth, kind = (
            10 ** draw.uniform(-4, -1),
            draw.randint(1, 4),
            draw.choice(["models.vit:ViT", "models.mlp:Mlp"]),
        )
        value = 1 - abs(math.log10(lr) + 2.5) / 3 + draw.gauss(0, 0.01)
        state = "failed" if number % 10 == 7 else "pruned" if number % 10 == 8 else "done"
        found.append(
            Entry(
                name=f"t{number:04d}",
                state=state,
                folder=f"trials/t{number:04d}",
                values={"optim.lr": lr, "model": kind, "model.depth": depth, "same": 3},
                goal=value if state == "done" else None,
                seconds=float(number),
                curve=[(10.0 * step, value * step / points) for step in range(1, points + 1)],
                reason={"failed": "ValueError: no such thing", "pruned": "pruned at step 3"}.get(state),
                order=float(number),
            )
        )
    return found


def made(count: int, direction: Direction = "maximize", **more: Any) -> Content:
    commands = {"repeats the best": "python train.py optim.lr=0.003", "made by": "python -m sweeps submit it"}
    return content("it", "score", direction, entries(count, **more), commands=commands)


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Any]:
    """`shown(content)`: the page in a browser. At the end, nothing was wrong and nothing was fetched."""
    import contextlib

    with contextlib.ExitStack() as stack:
        pages: list[Page] = []

        def show(what: Content) -> Page:
            pages.append(stack.enter_context(opened(write(what, tmp_path / "report.html"))))
            return pages[-1]

        yield show
        for each in pages:
            each.value("1")  # after all that it had to say
            assert each.errors == []
            assert [address for address in each.asked if not address.startswith(("file:", "data:", "blob:"))] == []


NAMES = "[...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[0].textContent)"


def drawn(page: Page, section: str) -> Any:
    return page.value(
        f"document.querySelector('#{section} .plot').data.map((t) => ({{x: [...t.x], y: [...t.y], type: t.type}}))"
    )


@browser
def test_what_is_drawn_are_the_values(shown: Any) -> None:
    what = made(20)
    page = shown(what)
    told = [each for each in what.entries if each["goal"] is not None]
    points, best = drawn(page, "history")
    assert points["y"] == [each["goal"] for each in told]
    assert points["x"] == [what.entries.index(each) + 1 for each in told]
    assert best["y"] == [max(each["goal"] for each in told[: place + 1]) for place in range(len(told))]
    curves = [pair for trace in drawn(page, "curves") for pair in zip(trace["x"], trace["y"], strict=True)]
    expected = [pair for each in what.entries for pair in zip(each["steps"], each["curve"], strict=True)]
    assert sorted(pair for pair in curves if pair[0] is not None) == sorted(expected)
    slices = drawn(page, "slices")
    assert [trace["y"] for trace in slices] == [[each["goal"] for each in told]] * 3
    place = what.fields.index("optim.lr")
    assert slices[place]["x"] == [each["values"][place] for each in told]
    axes = page.value("document.querySelector('#parallel .plot').data[0].dimensions.map((d) => d.label)")
    assert axes == [*what.fields, "score"]
    assert page.value("document.querySelectorAll('#commands code').length") == 2
    assert page.value("document.querySelector('#failures li').textContent").startswith(
        "2: ValueError: no such thing (t0007"
    )


@browser
def test_the_best_of_a_goal_to_minimise_is_the_least(shown: Any) -> None:
    what = made(20, "minimize")
    told = {each["goal"]: each["name"] for each in what.entries if each["goal"] is not None}
    page = shown(what)
    assert page.value("document.querySelector('tr.best').cells[0].textContent") == told[min(told)]
    assert drawn(page, "history")[1]["y"][-1] == min(told)


@browser
def test_the_table_is_sorted_by_a_click_and_the_other_way_by_another(shown: Any) -> None:
    what = made(20)
    page = shown(what)
    by_goal = sorted((each for each in what.entries if each["goal"] is not None), key=lambda each: each["goal"])
    rest = [each["name"] for each in what.entries if each["goal"] is None]
    page.click("#table th:nth-child(3)")
    assert page.value(NAMES) == [*(each["name"] for each in by_goal), *rest]
    page.click("#table th:nth-child(3)")
    assert page.value(NAMES) == [*(each["name"] for each in reversed(by_goal)), *rest]  # what has no value stays last
    page.click("#table th:nth-child(1)")
    assert page.value(NAMES) == [each["name"] for each in what.entries]


@browser
def test_a_filter_leaves_what_fits_in_each_picture_and_in_the_table(shown: Any) -> None:
    what = made(20)
    page = shown(what)
    page.enter("#state", "failed")
    assert page.value(NAMES) == ["t0007", "t0017"]
    page.click("#reset")
    page.enter("#field", "model")
    page.enter("#holds", "vit")
    place = what.fields.index("model")
    fitting = [each for each in what.entries if each["values"][place] == "ViT"]
    assert page.value(NAMES) == [each["name"] for each in fitting]
    assert drawn(page, "history")[0]["y"] == [each["goal"] for each in fitting if each["goal"] is not None]
    assert page.value("document.querySelector('#shown').textContent") == f"{len(fitting)} of 20"


@browser
def test_a_field_that_some_entries_lack_hides_no_entry(shown: Any) -> None:
    """Options of a node have fields of their own."""
    own = {"models.vit:ViT": "model.depth", "models.mlp:Mlp": "model.width"}
    found = [
        replace(
            each, values={"optim.lr": each.values["optim.lr"], "model": kind, own[kind]: each.values["model.depth"]}
        )
        for each in entries(12)
        for kind in [str(each.values["model"])]
    ]
    page = shown(content("it", "score", "maximize", found, commands={}))
    told = page.value(
        "document.querySelector('#parallel .plot').data[0].dimensions.map((d) => [d.label, d.values.length])"
    )
    assert told == [[name, sum(each.goal is not None for each in found)] for name in ("optim.lr", "model", "score")]


@browser
def test_brushing_an_axis_leaves_the_entries_within_it(shown: Any) -> None:
    what = made(40)
    page = shown(what)
    x, top, height = page.value(
        "(() => { const axis = [...document.querySelectorAll('#parallel .y-axis')].at(-1).querySelector('.axis');"
        "const box = axis.getBoundingClientRect(); return [box.right, box.top, box.height]; })()"
    )
    page.drag((x, top + height * 0.02), (x, top + height * 0.4))
    page.until("document.querySelector('#shown').textContent !== '40 of 40'")
    (low, high), *_ = page.value(
        "[document.querySelector('#parallel .plot').data[0].dimensions.at(-1).constraintrange].map((r) => r)"
    )
    fitting = [each["name"] for each in what.entries if each["goal"] is not None and low <= each["goal"] <= high]
    assert 0 < len(fitting) < 40
    assert page.value(NAMES) == fitting
    page.click("#reset")
    assert len(page.value(NAMES)) == 40


@browser
def test_it_is_dark_or_light(shown: Any) -> None:
    page = shown(made(12))
    back = "getComputedStyle(document.body).backgroundColor"
    light = page.value(back)
    page.click("#theme")
    assert page.value(back) != light
    assert page.value("document.querySelector('#theme').textContent") == "light"
    page.click("#theme")
    assert page.value(back) == light


@browser
@pytest.mark.parametrize("count", [0, 1])
def test_with_nothing_to_draw_it_says_so(shown: Any, count: int) -> None:
    page = shown(content("none", "score", "maximize", entries(count), commands={}))
    assert page.value("document.querySelector('#parallel').hidden")
    assert page.value("document.querySelector('#seeds').hidden")
    assert page.value("document.querySelector('#importance .plot').textContent") == "not known: no field differs"
    start = "no value yet" if count == 0 else "best score"
    assert page.value("document.querySelector('#summary').textContent").startswith(start)


@browser
def test_a_thousand_trials_of_a_hundred_points_are_drawn(shown: Any) -> None:
    page = shown(made(1000, points=100))
    traces = drawn(page, "curves")
    assert sum(x is not None for trace in traces for x in trace["x"]) == 100_000
    assert len(page.value(NAMES)) == 1000


@browser
def test_no_text_becomes_markup(shown: Any) -> None:
    hostile = [
        Entry(
            name=HOSTILE,
            state="failed",
            folder=HOSTILE,
            values={"text": f"{HOSTILE} {number}", HOSTILE: number},
            goal=float(number),
            seconds=None,
            curve=[(1.0, 2.0)],
            reason=HOSTILE,
        )
        for number in range(2)
    ]
    page = shown(content(HOSTILE, HOSTILE, "maximize", hostile, commands={HOSTILE: HOSTILE}))
    assert page.value("document.querySelector('#title').textContent") == HOSTILE
    assert page.value(NAMES) == [HOSTILE, HOSTILE]
    assert page.value("document.querySelectorAll('img').length") == 0


def test_without_data_it_has_at_most_5_megabytes() -> None:
    assert len(page(content("none", "score", "maximize", [], commands={})).encode()) <= 5_000_000


def test_the_field_that_matters_is_the_most_important() -> None:
    pytest.importorskip("optuna", reason="optuna is not installed: .[report]")
    found = made(200).importance
    assert isinstance(found, dict)
    assert max(found, key=lambda name: found[name]) == "optim.lr"
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)
    assert found["optim.lr"] > 0.7


@pytest.mark.parametrize(("count", "told"), [(0, "no field differs"), (8, "7 entries have a value, and 10 are needed")])
def test_importance_that_is_not_known_says_why(count: int, told: str) -> None:
    assert made(count).importance == told


def test_only_the_class_of_a_node_is_shortened() -> None:
    texts = ["s3://a/x", "hf:resnet", "12:30", "a: b", "models.vit:ViT"]
    found = [
        Entry(str(n), "done", "f", {"text": text, "clip": each}, float(n), None, [])
        for n, (text, each) in enumerate(zip(texts * 3, [float("inf"), 1.0, 2] * 5, strict=True))
    ]
    what = content("it", "score", "maximize", found, commands={})
    assert [each["values"][what.fields.index("text")] for each in what.entries] == [*texts[:4], "ViT"] * 3
    assert isinstance(what.importance, dict)
    assert set(what.importance) == {"text", "clip"}


@browser
def test_with_several_goals_a_panel_shows_each_further_one_and_marks_the_front(shown: Any) -> None:
    means = [(0.9, 500.0, 2.0), (0.8, 100.0, 3.0), (0.7, 200.0, 1.0), (0.6, 300.0, 4.0)]
    rows = [
        {
            "what": f"width={number}",
            "names": [f"t{number:04d}"],
            "means": list(each),
            "front": number < 3,
            "within": True,
        }
        for number, each in enumerate(means)
    ]
    others = {"parameters": "minimize", "seconds": "minimize"}
    page = shown(content("it", "score", "maximize", entries(4), commands={}, others=others, compared=rows))
    line, rest, front, line_2, rest_2, front_2 = drawn(page, "front")
    assert (front["x"], front["y"], front_2["y"]) == ([0.9, 0.8, 0.7], [500, 100, 200], [2, 3, 1])
    assert (rest["x"], rest["y"], rest_2["y"]) == ([0.6], [300], [4])
    assert (line["x"], line["y"]) == ([0.9, 0.8], [500, 100])
    assert (line_2["x"], line_2["y"]) == ([0.9, 0.7], [2, 1])
    assert "maximize score and minimize parameters and minimize seconds;" in page.value(
        "document.getElementById('summary').textContent"
    )
    heads = page.value("[...document.querySelectorAll('#table th')].map((th) => th.textContent)")
    assert heads[:6] == ["name", "state", "score", "parameters", "seconds", "seconds"]
    page.value("document.getElementById('field').value = 'model.depth'")
    kept = page.value(
        "(() => { const holds = document.getElementById('holds'); holds.value = String(data.entries[0].values["
        "data.fields.indexOf('model.depth')]); holds.dispatchEvent(new Event('input')); "
        "return entries.filter(isChosen).map((each) => each.name); })()"
    )
    assert 0 < len(kept) < 4
    count = sum(len(each["x"]) for each in drawn(page, "front")[1:3])
    assert count == len(kept)


@browser
def test_with_one_goal_no_front_is_drawn(shown: Any) -> None:
    assert shown(made(10)).value("document.getElementById('front').hidden") is True


@browser
def test_what_is_beyond_a_limit_is_hollow_and_never_the_best(shown: Any) -> None:
    order = sorted((each for each in entries(7) if each.goal is not None), key=lambda each: each.goal or 0.0)
    beyond = {each.name for each in order[-2:]}
    found = [replace(each, limited=(float(len(each.name)),), beyond=each.name in beyond) for each in entries(7)]
    page = shown(content("it", "score", "maximize", found, commands={}, limits=["parameters <= 4"]))
    points, line = drawn(page, "history")
    hollow = [each.name in beyond for each in found]
    symbols = page.value("[...document.querySelector('#history .plot').data[0].marker.symbol]")
    assert symbols == ["circle-open" if each else "circle" for each in hollow]
    within = [None if each else value for each, value in zip(hollow, points["y"], strict=True)]
    so = [max((value for value in within[: place + 1] if value is not None), default=None) for place in range(7)]
    assert line["y"] == so
    told = page.value("document.getElementById('summary').textContent")
    assert told.startswith(
        f"best score: {order[-3].goal:.6f} ({order[-3].name}); maximize score, with parameters <= 4;"
    )
    heads = page.value("[...document.querySelectorAll('#table th')].map((th) => th.textContent)")
    assert heads[:5] == ["name", "state", "score", "parameters <= 4", "seconds"]
    assert page.value("document.querySelector('#table tr.best').cells[0].textContent") == order[-3].name
    nothing = [replace(each, beyond=True) for each in found]
    page = shown(content("it", "score", "maximize", nothing, commands={}, limits=["parameters <= 4"]))
    told = page.value("document.getElementById('summary').textContent")
    assert told.startswith("nothing is within the limits; maximize score, with parameters <= 4;")
