"""The report of an import: what has another word, and what was not converted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.proof.proof import Proof
from cn.importing.proof.report import hydra_settings, not_named, together, words
from tests.cn.importing.trees import IS_1_3, Imported, imported

FILES = {
    "config": "defaults: [m: a, p: null, override hydra/sweeper: optuna]\nhydra: {job: {name: x}}\n",
    "other": "defaults: [override hydra/sweeper: optuna]\nx: 1\n",
    "m/a": """
    # ${hydra:job.id}
    folder: ${hydra:runtime.output_dir}
    job: a_${hydra:job.num}
    here: ${hydra:runtime.cwd}
    """,
    "p/fast": "# @package _global_\nm: {job: x}\nhydra:\n  run: {dir: '${hydra:job.name}'}\n",
    "p/plain": "y: 1\n",
    "search/hpo": "# @package hydra.sweeper\nn_trials: 3\nparams: {m.job: 'choice(x, y)'}\n",
}


def report_of(folder: Path) -> Imported:
    return imported(folder, FILES, "config")


def test_what_belongs_to_hydra_is_told_with_its_line_and_what_to_read_instead(tmp_path: Path) -> None:
    assert hydra_settings(report_of(tmp_path).conversion) == [
        ("conf/config.yaml:2", "settings of Hydra itself, which are no part of a run"),
        ("conf/config.yaml:1", "`hydra/sweeper: optuna` in the defaults chooses settings of Hydra itself"),
        (
            "conf/m/a.yaml:3",
            "`${hydra:runtime.output_dir}` gives a word only; "
            "the folder of a run is `job.folder`, in `train(run, job)`",
        ),
        ("conf/m/a.yaml:4", "`${hydra:job.num}` gives a word only; write in resolvers.py what `hydra()` gives for it"),
        ("conf/p/fast.yaml:3", "settings of Hydra itself, which are no part of a run"),
        (
            "conf/search/hpo.yaml",
            "settings of Hydra itself, which are no part of a run; the sweeper's `params` are sweeps/hpo.py",
        ),
    ]


def test_a_primary_config_that_was_not_named_is_told(tmp_path: Path) -> None:
    told = "a primary config that was not named: `--primary other` converts it"
    assert not_named(report_of(tmp_path).conversion) == [("conf/other.yaml", told)]


def test_a_group_of_patches_has_one_row_and_its_options_that_are_none_have_their_own(tmp_path: Path) -> None:
    assert words(report_of(tmp_path).conversion) == [
        ("`--config-name config`", "`run=config`"),
        ("`p=NAME`", "`patches=p/NAME`"),
        ("`p=plain`", "`p=plain`"),
    ]


def test_runs_that_keep_their_names_have_one_row(tmp_path: Path) -> None:
    files = {"train": "x: 1", "eval": "x: 2", "a-b": "x: 3"}
    assert words(imported(tmp_path, files, *files).conversion) == [
        ("`--config-name NAME`", "`run=NAME`"),
        ("`--config-name a-b`", "`run=a_b`"),
    ]


def test_places_with_the_same_text_share_a_row() -> None:
    told = [("a:1", "one"), ("a:2", "two"), ("b:2", "two"), *((f"{each}:3", "many") for each in "abcdef")]
    assert together(told) == [("`a:1`", "one"), ("`a:2`, `b:2`", "two"), ("`a:3` and 5 more", "many")]


@pytest.mark.slow
@pytest.mark.skipif(not IS_1_3, reason="Hydra 1.4 has no version_base 1.1")
@pytest.mark.parametrize(
    ("files", "place", "why"),
    [
        (
            {"config": "defaults: [g: a]", "g/a": "# @package _group_\nx: 1"},
            "conf/g/a.yaml",
            "`# @package _group_` means the file's own group",
        ),
        (
            {"config": "defaults:\n- hydra/job_logging: colorlog\n- g: a\n- {h: b, optional: true}", "g/a": "x: 1"},
            "conf/config.yaml",
            "alone it can; without: ValueError: In config: Too many keys in default item {'h': 'b', 'optional': True}",
        ),
    ],
)
def test_a_tree_that_only_hydra_1_1_reads_is_composed_with_it(
    files: dict[str, str], place: str, why: str, tmp_path: Path
) -> None:
    found = imported(tmp_path, files)
    results = Proof(found.conversion).run(found.folder, 5, 0, lambda text: None)
    assert [each.verdict for each in results if not each.good] == []
    assert (place, f"Hydra composed with version_base 1.1, with which {why}") in found.conversion.odd


def test_a_key_that_becomes_a_text_is_told(tmp_path: Path) -> None:
    odd = imported(tmp_path, {"config": "a: [{1: x}]\nb: {1: x}\nc: {1: x, y: 2}"}).conversion.odd
    why = "a key that is no text becomes one: 1 is '1'"
    assert odd == [("conf/config.yaml:1", why), ("conf/config.yaml:3", why)]
    nested = imported(tmp_path, {"config": "a: .nan\nb: {1: {x: 1}, c: {y: [.nan]}}"}).conversion.odd
    assert nested == [("conf/config.yaml:2", why)]
