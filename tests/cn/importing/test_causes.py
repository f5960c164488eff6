"""Override sets that are not equal: each is told with its cause and the line of YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.proof.report import equal, summary
from tests.cn.importing.trees import imported

pytestmark = pytest.mark.slow


def test_a_bad_override_is_refused_by_both(tmp_path: Path) -> None:
    found = imported(tmp_path, {"config": "defaults: [a: one]\nx: 1", "a/one": "y: 2"})
    results = found.results("a=three", "y=3", "a.z=1", "b=1")
    assert [each.verdict for each in results] == ["both refuse"] * 4


def test_a_new_key_is_left_out(tmp_path: Path) -> None:
    found = imported(tmp_path, {"config": "x: {y: 1}"})
    assert [each.verdict for each in found.results("+x.z=1", "~x.y")] == ["left out", "left out"]


def test_a_set_that_only_hydra_refuses_is_no_fault_of_the_classes(tmp_path: Path) -> None:
    files = {
        "train": "defaults: [m: a]",
        "bare": "x: 1",
        "m/a": "y: 1",
        "m/b": "y: 2",
        "e/one": "# @package _global_\ndefaults: [override /m: b]\nx: 2",
    }
    results = imported(tmp_path, files, "train", "bare").results("", "+e=one", primary="bare")
    assert [each.verdict for each in results] == ["equal", "Hydra refuses"]
    assert results[1].cause.startswith("Hydra refuses it: ConfigCompositionException: In 'e/one': ")
    assert summary(results)[0] == "1 of 1 override sets are equal; 1 more refused by Hydra alone"
    told = "\n".join(equal(results))
    assert "| bare | 1 | 0 | 0 | 0 | 0 | 1 |" in told
    assert "| `bare +e=one` | Hydra refuses it: " in told


def test_a_value_that_its_type_refuses_is_told_with_its_line(tmp_path: Path) -> None:
    found = imported(tmp_path, {"config": "# the rate\nx:\n  y: 0.5\n"})
    (result,) = found.results("x.y=abc")
    assert (result.verdict, result.place) == ("refused", "conf/config.yaml:3")
    assert result.cause.startswith("x.y=abc: x.y is float, not 'abc' (defined in runs/config.py:")


def test_a_typed_value_that_takes_the_type_of_its_field_is_told(tmp_path: Path) -> None:
    files = {"config": "defaults: [m: one]\nname: x", "m/one": "a: ${name}"}
    (result,) = imported(tmp_path, files).results("name=12")
    assert (result.verdict, result.place) == ("differs", "conf/m/one.yaml:1")
    assert result.cause == (
        "m.a is 12 with Hydra and '12' with CN: a typed value takes the type of its field, which is Any with --exact"
    )


def test_a_change_of_a_patch_that_waits_is_told_with_its_line(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [log: one, p: null]",
        "other": "defaults: [log: one, log/form: long]",
        "log/one": "one: 1",
        "log/form/long": "x: 1",
        "p/fast": "# @package _global_\nlog:\n  form: {x: 2}\n",
    }
    (result,) = imported(tmp_path, files, "config", "other").results("p=fast")
    assert (result.verdict, result.place) == ("differs", "conf/p/fast.yaml:3")
    assert result.cause == (
        "log.form is {'x': 2} with Hydra and None with CN: a change of a patch waits for its node, which is not chosen"
    )


def test_a_patch_that_comes_after_the_one_that_is_chosen_is_told(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [p: fast, _self_]\nx: 1\n",
        "p/fast": "# @package _global_\nx: 2\nz: 2\n",
        "p/slow": "# @package _global_\ny: 3\n",
    }
    (result,) = imported(tmp_path, files).results("p=slow")
    assert result.cause == (
        "z is no key with Hydra and 2 with CN: a patch comes after the one that config chooses, which stays"
    )


def test_a_value_that_stands_after_a_patch_is_told_with_its_line(tmp_path: Path) -> None:
    files = {"config": "defaults: [p: null, _self_]\nx: 1\n", "p/fast": "# @package _global_\nx: 2\n"}
    (result,) = imported(tmp_path, files).results("p=fast")
    assert (result.verdict, result.place) == ("differs", "conf/config.yaml:2")
    assert result.cause == (
        "x is 1 with Hydra and 2 with CN: config sets it after the patch, and here a patch comes after it"
    )


def test_a_value_around_a_choice_is_told_with_its_line(tmp_path: Path) -> None:
    files = {"config": "defaults: [a: one, _self_]\na:\n  x: 5\n", "a/one": "x: 1", "a/two": "x: 2"}
    (result,) = imported(tmp_path, files).results("a=two")
    assert (result.verdict, result.place) == ("differs", "conf/config.yaml:3")
    assert result.cause == (
        "a.x is 5 with Hydra and 2 with CN: a value that is set around a choice is dropped with the choice"
    )
