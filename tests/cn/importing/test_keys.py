"""Keys of YAML that no field can have: Python or the command line cannot name them, or needs the name itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.errors import RunError
from cn.importing.proof.report import words
from tests.cn.importing.trees import imported

NEW = "the key {!r} becomes the field {}, since no field can have that key"


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
def test_a_mapping_with_such_a_key_is_a_plain_dict(exact: bool, tmp_path: Path) -> None:
    files = {
        "config": "defaults: [m: a]\nnames: {_target_: builtins.dict, hot dog: 1, layer.0: '${m.x}', 'x:y': 4}",
        "m/a": "x: 1\nlr: {backbone.0: 0.1, head: 1.0}",
        "m/b": "x: 2\nlr: {head: 2.0}",
    }
    found = imported(tmp_path, files, exact=exact)
    text = found.text("runs/config.py")
    assert '"hot dog": 1,\n        "layer.0": derive(lambda run: run.m.x),\n        "x:y": 4,\n' in text
    assert '= {"backbone.0": 0.1, "head": 1.0}\n' in found.text("runs/m/a.py")
    assert found.unequal("", "m=b", "m.lr.head=3.0") == []
    assert (found.conversion.odd, dict(words(found.conversion))) == ([], {"`--config-name config`": "`run=config`"})


@pytest.mark.slow
def test_such_a_key_of_a_run_or_an_option_or_beside_a_choice_is_told(tmp_path: Path) -> None:
    files = {"config": "defaults: [m: a, m@q.m: a]\na.b: 1\nq: {c d: 2}", "m/a": "größe: 1"}
    found = imported(tmp_path, files)
    assert sorted(found.conversion.odd) == [
        ("conf/config.yaml:2", NEW.format("a.b", "a_b")),
        ("conf/config.yaml:3", NEW.format("c d", "c_d")),
        ("conf/m/a.yaml:1", NEW.format("größe", "groe")),
    ]
    (result,) = found.results("")
    assert (result.verdict, result.cause) == ("differs", "m.größe is 1 with Hydra and no key with CN")


@pytest.mark.slow
def test_names_of_methods_of_a_class_are_no_fields(tmp_path: Path) -> None:
    files = {"config": "defaults: [m: a]\nmro: 1", "m/a": "register: true", "m/b": "register: false"}
    found = imported(tmp_path, files)
    assert '    register_: Annotated[bool, Key("register")] = True\n' in found.text("runs/m/a.py")
    assert found.unequal("", "m=b", "mro=2") == []


@pytest.mark.slow
def test_a_key_or_a_group_that_bears_the_name_of_patches_gives_way(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, e: null]\na: ${patches.x}\npatches: {x: 1}",
        "other": "defaults: [patches: f, e: null]",
        "patches/f": "x: 2",
        "patches/e": "x: 3",
        "e/one": "# @package _global_\npatches: {x: 4}",
    }
    found = imported(tmp_path, files, "config", "other")
    why = "the key patches of a run becomes the field patches_, since patches=[...] applies patches"
    assert found.conversion.odd == [("conf/config.yaml:3", why), ("conf/other.yaml:1", why)]
    assert ("`patches=NAME`", "`patches_=NAME`") in words(found.conversion)
    assert found.unequal("", "patches.x=5", "e=one") == []
    assert found.unequal("", "patches=e", "e=one patches=e", primary="other") == []


@pytest.mark.slow
def test_a_key_or_a_group_that_bears_the_name_of_launchers_gives_way(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [launch: a, local: a, _self_, e: null]\nx: ${launch.x}",
        "launch/a": "x: 1",
        "launch/b": "x: 2",
        "local/a": "x: 3",
        "local/b": "x: 4",
        "e/one": "# @package _global_\nlaunch: {x: 3}",
        "hydra/launcher/big": "partition: gpu",
    }
    found = imported(tmp_path, files)
    why = "the key launch of a run becomes the field launch_, since launch=... chooses where a run is trained"
    assert found.conversion.odd == [("conf/config.yaml:1", why)]
    text = found.text("runs/__init__.py")
    assert "    launch_: runs.launch_options.Launch\n" in text
    assert "    launch: runs.launch.Launch = cn.launching.Local()  # this" in text
    assert found.unequal("", "launch=b", "e=one", "launch.x=5 local=b") == []


@pytest.mark.slow
def test_such_a_name_that_only_a_patch_sets_stands_in_a_dict(tmp_path: Path) -> None:
    found = imported(tmp_path, {"config": "defaults: [_self_, e: null]", "e/one": "# @package _global_\npatches: [1]"})
    assert found.unequal("", "e=one") == []
    assert '        "extra": {"patches": [1]},\n' in found.text("runs/patches/e/one.py")


@pytest.mark.slow
def test_a_class_that_cannot_be_loaded_is_told_in_full(tmp_path: Path) -> None:
    found = imported(tmp_path, {"config": "a: 1"})
    (found.folder / "runs/__init__.py").write_text("from cn import CN\n\n\nclass Run(CN):\n    check: int = 1\n")
    with pytest.raises(RunError) as error:
        found.results("")
    assert str(error.value) == (
        "python -m cn.importing.proof.by_nodes ended after 0 of 1 override sets\n"
        "  cn.errors.DefinitionError: Run.check cannot be a field: the name belongs to the method by which a node"
        " checks itself\n"
        "  write: another name, such as check_: ...\n"
        "  defined in runs/__init__.py:5"
    )


@pytest.mark.slow
def test_what_stands_in_a_plain_dict_is_no_node(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [_self_, p: null]\nq: {c.d: 2, e: {x: 1, l: [1]}}\ns: ${q.e}\nt: ['${q.e}', '${q.e.x}']",
        "p/one": "# @package _global_\nq: {e: {w: 1, x: 3}}",
    }
    found = imported(tmp_path, files)
    assert '    s: dict[str, Any] = derive(lambda run: run.q["e"])\n' in found.text("runs/config.py")
    assert found.text("runs/__init__.py").count("class ") == 1
    assert found.unequal("", "p=one", "q.e.x=2") == []
