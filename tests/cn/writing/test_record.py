"""A run folder holds its run as JSON, and the JSON gives an equal object back, or says what it no longer fits."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import cn
from cn import CN, FrozenError, UserError, compose
from cn.nodes.to_json import plain
from cn.nodes.traversal import values
from cn.writing.record import RecordWarning, dump, runs_near, unplain, within
from tests.cn import zoo
from tests.cn.conftest import python


@pytest.mark.slow
@given(zoo.nodes)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_json_gives_an_equal_object_back(node: CN) -> None:
    again = unplain(json.loads(json.dumps(plain(node))))
    assert again == node
    assert plain(again) == plain(node) or "NaN" in json.dumps(plain(node))


def test_a_folder_gives_back_the_run_that_was_dumped_there(run: Any, tmp_path: Path) -> None:
    node = run("model=vit/small", "teacher=mlp", "+callbacks/b=stop", "clip=nan", "out=/tmp/x", "betas=[0,1]")
    assert dump(node, tmp_path) == tmp_path / "config.json"
    for where in (tmp_path, str(tmp_path), tmp_path / "config.json"):
        again = cn.load(where)
        assert again == node
        assert type(again.model) is type(node.model)
        with pytest.raises(FrozenError):
            again.seed = 3
    assert os.listdir(tmp_path) == ["config.json"]


def test_the_record_is_plain_json_that_one_can_read(run: Any, tmp_path: Path) -> None:
    record = json.loads(dump(run(), tmp_path).read_text())
    assert record["_class_"] == "runs.default:Default"
    assert record["_derived_"] == ["warmup"]
    assert record["model"]["head"] == {"_class_": "models.head.cls_token:ClsToken", "dim": 16, "dropout": 0.0}
    assert (record["mode"], record["out"], record["betas"], record["warmup"]) == ("train", "out", [0.9, 0.99], 5)
    assert plain(run(), tagged=False)["callbacks"] == {"checkpoint": {"every": 3, "keep": 2}}


def test_a_second_dump_replaces_the_first_whole(run: Any, tmp_path: Path) -> None:
    dump(run("seed=1"), tmp_path)
    dump(run("seed=2"), tmp_path)
    assert cn.load(tmp_path).seed == 2


def test_values_derived_before_are_derived_again_under_overrides(run: Any, tmp_path: Path) -> None:
    dump(run("steps=200"), tmp_path)
    assert cn.load(tmp_path).warmup == 10
    assert compose(cn.load(tmp_path), ["seed=2"]).warmup == 10
    assert compose(cn.load(tmp_path), ["steps=400"]).warmup == 20
    dump(run("steps=200", "warmup=3"), tmp_path)
    assert compose(cn.load(tmp_path), ["steps=400"]).warmup == 3


NODE = python("from cn import CN, derive", "class Node(CN):", "    size: int = 1", "    kept: int = 2")


def recorded(tmp_path: Path, **changes: Any) -> Path:
    record = {"_class_": "node:Node", "size": 1, "kept": 2} | changes
    file = tmp_path / "config.json"
    file.write_text(json.dumps({name: value for name, value in record.items() if value != "absent"}))
    return file


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "renamed field": (
        {"sise": 3},
        "{file} gives Node a value for 'sise', which is not a field now\n  defined in node.py:2\n  nearest: size",
    ),
    "other type": (
        {"size": "x"},
        "{file} gives Node.size the value 'x', which is not int\n  defined in node.py:3",
    ),
    "a float for an int": (
        {"size": 1.0},
        "{file} gives Node.size the value 1.0, which is not int\n  defined in node.py:3",
    ),
    "no class": (
        {"_class_": "absent"},
        "{file} cannot be read\n  it names no class",
    ),
    "renamed class": (
        {"_class_": "node:Gone"},
        "{file} needs the class 'node:Gone', which cannot be found\n"
        "  AttributeError: module 'node' has no attribute 'Gone'\n"
        '  if it was renamed or moved, write in the class: _was_ = ("node.Gone",)',
    ),
    "moved file": (
        {"_class_": "gone:Node"},
        "{file} needs the class 'gone:Node', which cannot be found\n"
        "  ModuleNotFoundError: No module named 'gone'\n"
        '  if it was renamed or moved, write in the class: _was_ = ("gone.Node",)',
    ),
    "no node": ({"_class_": "os:system"}, "{file} needs the class 'os:system', which is not a node"),
    "the base of all nodes": ({"_class_": "cn:CN", "size": "absent", "kept": "absent"}, ""),
}
del BROKEN["the base of all nodes"]


@pytest.mark.parametrize("case", BROKEN)
def test_a_record_that_does_not_fit_says_why(node_tree: Any, tmp_path: Path, case: str) -> None:
    node_tree({"node.py": NODE})
    changes, message = BROKEN[case]
    file = recorded(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        cn.load(tmp_path)
    assert str(caught.value) == message.format(file=file)


def test_a_field_that_came_later_has_its_default_of_now_and_is_told(node_tree: Any, tmp_path: Path) -> None:
    node_tree({"node.py": NODE + "    new: int = 7\n    derived: int = derive(lambda run: run.new)\n"})
    file = recorded(tmp_path)
    with pytest.warns(RecordWarning) as caught:
        node = cn.load(tmp_path)
    assert (node.new, node.derived) == (7, 7)
    (warning,) = caught
    assert str(warning.message) == f"{file} was written before Node had new: the current defaults are used"


def test_a_required_field_that_came_later_must_be_given(node_tree: Any, tmp_path: Path) -> None:
    node_tree({"node.py": NODE + "    new: int\n"})
    file = recorded(tmp_path)
    with pytest.raises(UserError) as caught:
        cn.load(tmp_path)
    assert str(caught.value) == (
        f"{file} has no value for Node.new, which is required now\n  defined in node.py:5\n"
        "  edit the record, or give the field a default"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "it holds no object"),
        ("3", "it holds no object"),
        ("{}", "it names no class"),
        ('{"_class_": 3', "JSONDecodeError: Expecting ',' delimiter: line 1 column 14 (char 13)"),
    ],
)
def test_a_file_that_is_no_record_says_so(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        cn.load(tmp_path)
    assert str(caught.value) == f"{file} cannot be read\n  {why}"


def test_bytes_and_depth_without_end_are_refused_too(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UnicodeDecodeError"):
        cn.load(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="RecursionError"):
        cn.load(tmp_path)


def test_a_folder_of_runs_names_those_in_it_the_newest_first(run: Any, tmp_path: Path) -> None:
    for number, name in enumerate(["b", "a", "sweep/c"]):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        os.utime(dump(run(), tmp_path / "outputs" / name), (number, number))
    outputs = tmp_path / "outputs"
    for folder, near in {
        "outputs": f"{outputs / 'a'}, {outputs / 'b'}",
        "": f"{outputs / 'a'}, {outputs / 'b'}",
    }.items():
        with pytest.raises(UserError) as caught:
            cn.load(tmp_path / folder)
        assert str(caught.value) == (
            f"{tmp_path / folder} is not a run folder: it has no config.json\n  choose from: {near}"
        )
    with pytest.raises(UserError, match=f"choose from: {outputs / 'sweep' / 'c'}\\Z"):
        cn.load(outputs / "sweep")


def test_the_beginning_of_a_name_is_nearest_to_the_runs_that_begin_so(run: Any, tmp_path: Path) -> None:
    for name in ("12-00-01_model=mlp,epochs=30,optim.lr=0.1", "12-00-02_a", "12-00-03"):
        (tmp_path / name).mkdir()
        dump(run(), tmp_path / name)
    assert runs_near(tmp_path / "12-00-01") == f"nearest: {tmp_path / '12-00-01_model=mlp,epochs=30,optim.lr=0.1'}"


def test_a_folder_without_a_record_names_the_nearest_that_has_one(run: Any, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        dump(run(), tmp_path / name)
    with pytest.raises(UserError) as caught:
        cn.load(tmp_path / "frist")
    assert str(caught.value) == (
        f"{tmp_path / 'frist'} is not a run folder: it has no config.json\n  nearest: {tmp_path / 'first'}"
    )
    with pytest.raises(UserError) as caught:
        cn.load(tmp_path / "none" / "none")
    assert str(caught.value) == (
        f"{tmp_path / 'none' / 'none'} is not a run folder: it has no config.json\n  see: python -m cn runs"
    )


def test_the_beginning_of_a_name_stands_for_the_only_run_that_it_fits(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("outputs/10-11_seed=1", "outputs/10-12_seed=2", "outputs/10-12_seed=3")):
        Path(name).mkdir(parents=True)
        dump(run(f"seed={number + 1}"), Path(name))
    assert [cn.load(name).seed for name in ("outputs/10-11", "10-11", "outputs/10-12_seed=3")] == [1, 1, 3]
    with pytest.raises(UserError, match=r"\Aoutputs/10-12 is not a run folder"):
        cn.load("outputs/10-12")


@pytest.mark.parametrize("wrong", [3, "x", [], None, {}, {"_class_": "models.mlp:MLP", "width": 3}])
def test_a_child_that_is_none_is_refused(tree: Path, tmp_path: Path, wrong: Any) -> None:
    from models.vit import ViT

    record = plain(ViT()) | {"head": wrong}
    with pytest.raises(UserError) as caught:
        unplain(record, "it")
    assert len(str(caught.value).split("\n")) <= 4


def test_an_entry_that_is_no_node_is_refused(tree: Path) -> None:
    from runs.default import Default

    record = plain(compose(Default))
    with pytest.raises(UserError) as caught:
        unplain(record | {"callbacks": {"a": 3}}, "it")
    assert str(caught.value) == "it holds 3 where a node belongs"


def test_a_node_that_is_derived_is_the_runs_own_again_unless_the_record_has_another(node_tree: Any) -> None:
    derived = ["class Top(CN):", "    part: Part = Part()", "    same: Part = derive(lambda run: run.part)"]
    text = python("from cn import CN, derive", "class Part(CN):", "    size: int = 1", *derived)
    node_tree({"top.py": text})
    run: Any = compose(importlib.import_module("top").Top, ["part.size=2"])
    assert run.same is run.part
    record = plain(run)
    again: Any = unplain(record)
    assert again.same is again.part
    assert again == run
    old: Any = unplain({**record, "same": {**record["same"], "size": 3}})  # derived in another way then
    assert (old.same.size, old.part.size) == (3, 2)


def test_a_derived_field_that_is_absent_is_derived(tree: Path) -> None:
    from runs.default import Default

    record = plain(compose(Default))
    del record["warmup"]
    again = unplain(record)
    assert values(again)["warmup"] == compose(again).warmup == 5  # type: ignore


def test_what_a_path_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("run/sub", "apart"):
        Path(name).mkdir(parents=True)
    for name in ("run/config.json", "run/last.pt", "run/other.json", "apart/file.pt"):
        Path(name).write_text("{}")
    Path("link").symlink_to(tmp_path / "run/last.pt")
    folder = Path("run")
    assert within("run") == within("run/config.json") == within("run/other.json") == (folder, None)
    assert within("run/last.pt") == within("run/last.pt/") == (folder, "last.pt")
    assert within("run/sub") == (folder, "sub")
    assert within("link") == (tmp_path / "run", "last.pt")
    for name in ("apart", "apart/file.pt", "run/absent.pt", "nothing"):
        assert within(name) == (Path(name), None)


def test_something_in_a_run_folder_stands_for_it_and_what_is_misspelt_is_told(run: Any, tmp_path: Path) -> None:
    made = run()
    dump(made, tmp_path)
    (tmp_path / "last.pt").write_bytes(b"\x80")
    assert cn.load(tmp_path / "last.pt") == made
    with pytest.raises(UserError) as caught:
        cn.load(tmp_path / "lats.pt")
    assert str(caught.value) == (
        f"{tmp_path / 'lats.pt'} is not a run folder: it has no config.json\n  nearest: {tmp_path / 'last.pt'}"
    )
