"""Reading YAML files: lines, comments, defaults lists, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.errors import UserError
from cn.importing.convert import Converter
from cn.importing.reading.yaml_files import files
from tests.cn.importing.trees import imported, write


def test_each_key_has_its_line_and_its_comments(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "config": """\
            # The head.

            # of a
            a: 1  # beside
            b:
              # of c, in
              # two lines
              c: "x # y"  # not z

              d: 'it''s' #e
            """
        },
    )
    file = files(root)["config"]
    assert file.head == ["The head."]
    assert [file.lines[keys] for keys in [("a",), ("b",), ("b", "c"), ("b", "d")]] == [4, 5, 8, 10]
    assert file.above == {("a",): ["of a"], ("b", "c"): ["of c, in", "two lines"]}
    assert file.beside == {("a",): "beside", ("b", "c"): "not z", ("b", "d"): "e"}
    assert file.place(("b", "c", "0")) == "conf/config.yaml:8"


def test_an_entry_of_a_defaults_list_is_read(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {"m/a": "# @package _global_.x\ndefaults: [one, /b@_here_, optional c@d.e: [f, g], override /h: null, _self_]"},
    )
    file = files(root)["m/a"]
    assert file.package == "x"
    assert [tuple(entry)[:5] for entry in file.entries] == [
        (None, "one", None, False, False),
        (None, "/b", "_here_", False, False),
        ("c", ["f", "g"], "d.e", True, False),
        ("/h", None, None, False, True),
        (None, "_self_", None, False, False),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\na: 2\n", "found duplicate key a"),
        ("a: [1\n", "expected ',' or ']'"),
        ("a: !!python/object:os.system {}\n", "could not determine a constructor"),
        ("defaults: {a: 1}\n", "its defaults must be a list, and are a dict"),
        ("defaults: [[1]]\n", "an item of its defaults list is not understood: [1]"),
        ("a: 1\n---\nb: 2\n", "expected a single document in the stream, but found another document"),
        ("defaults: [bad]\n", "its defaults lead back to it: b/bad -> b/bad"),
        ("defaults: [/b/worse]\n", "its defaults lead back to it: b/bad -> b/worse -> b/bad"),
        ("a: " + "[" * 500 + "]" * 500, "it is nested too deep"),
        ("a: " + "[" * 101 + "]" * 101, "it is nested too deep"),
        ("a: \xff", ""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_where_it_is_named_and_else_left_out(
    text: str, why: str, tmp_path: Path
) -> None:
    root = write(tmp_path, {"config": "x: 1", "other": "defaults: [b: bad]", "b/bad": text, "b/good": "y: 1"})
    if "worse" in text:
        (root / "b/worse.yaml").write_text("defaults: [bad]")
    if not why:
        (root / "b/bad.yaml").write_bytes(b"a: \xff")
    with pytest.raises(UserError) as error:
        Converter(root, ["other"], exact=False).convert()
    assert str(error.value).startswith("conf/b/bad.yaml")
    assert why in str(error.value)
    (root / "other.yaml").unlink()
    conversion = Converter(root, ["config"], exact=False).convert()
    (place, told), *_ = conversion.odd
    assert place.startswith("conf/b/bad.yaml")
    assert told == f"cannot be read, so it is left out: {str(error.value).partition(chr(10))[2].strip()}"
    assert "runs/b/good.py" in conversion.texts


def test_a_tab_is_told_with_its_line(tmp_path: Path) -> None:
    root = write(tmp_path, {"config": "a: 1\nb:\n\tc: 2\n"})
    with pytest.raises(UserError) as error:
        Converter(root, ["config"], exact=False)
    assert str(error.value) == (
        "conf/config.yaml:3 cannot be read\n  a line begins with a tab: YAML is indented with spaces"
    )


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, {"config": "a: 1\n"})

    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(UserError) as error:
        Converter(root, ["config"], exact=False)
    assert str(error.value) == "conf/config.yaml cannot be read\n  PermissionError: Permission denied"


@pytest.mark.parametrize(
    ("mark", "end", "package"),
    [("\ufeff", "\n", None), ("", "\r\n", "")],  # Hydra finds no header behind a mark either
)
def test_a_byte_order_mark_and_other_ends_of_lines_change_no_value(
    mark: str, end: str, package: str | None, tmp_path: Path
) -> None:
    text = "# @package _global_\n\n# head\n\na: 1  # beside\n# above\nb: |\n  x\n  y\n"
    root = write(tmp_path, {"config": "x: 1"})
    (root / "b.yaml").write_bytes((mark + text.replace("\n", end)).encode())
    file = files(root)["b"]
    assert (file.package, file.body, file.head) == (package, {"a": 1, "b": "x\ny\n"}, ["head"])
    assert (file.beside, file.above) == ({("a",): "beside"}, {("b",): ["above"]})


@pytest.mark.parametrize(
    ("text", "package", "without_effect"),
    [
        ("\n  # @package a.b\n# more\n", "a.b", []),
        ("#@package a\n# @other x\n#  @package   _global_\n", "", []),
        ("# An experiment\n# @package a\nx: 1\n# @package b\n", None, [2]),
        ("## @package a\n", None, []),
        (f"# @other {'x' * 500}\n# @package a\n", None, [2]),
    ],
)
def test_a_header_counts_only_where_hydra_reads_it(
    text: str, package: str | None, without_effect: list[int], tmp_path: Path
) -> None:
    root = write(tmp_path, {"config": "x: 1"})
    (root / "b.yaml").write_text(text)
    file = files(root)["b"]
    why = "this header has no effect, as with Hydra, which reads it only before all other comments"
    assert (file.package, file.odd) == (package, [(f"conf/b.yaml:{line}", why) for line in without_effect])


@pytest.mark.parametrize("header", ["# @package", "# @package a # why"])
def test_a_header_that_hydra_refuses_is_told(header: str, tmp_path: Path) -> None:
    root = write(tmp_path, {"config": "x: 1", "m/a": f"{header}\ny: 1"})
    conversion = Converter(root, ["config"], exact=False).convert()
    why = f"cannot be read, so it is left out: its header {header} is not understood: write # @package NAME"
    assert conversion.odd == [("conf/m/a.yaml", why)]


@pytest.mark.slow
def test_an_option_below_a_header_without_effect_is_no_patch(tmp_path: Path) -> None:
    files = {"config": "defaults: [e: null, _self_]\ns: 1", "e/one": "# An experiment\n# @package _global_\ns: 2"}
    found = imported(tmp_path, files)
    assert found.unequal("", "e=one", "e=one e.s=3") == []
    assert [place for place, _ in found.conversion.odd] == ["conf/e/one.yaml:2"]


def test_links_to_folders_are_followed_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    root = write(tmp_path, {"config": "x: 1", ".hid/x": "y: 1", "hid/x": "y: 2", "m/.ipynb_checkpoints/a": "z: 1"})
    (tmp_path / "real/m").mkdir(parents=True)
    (tmp_path / "real/m/b.yaml").write_text("y: 3")
    (root / "linked").symlink_to("../real/m")
    (tmp_path / "real/m/back").symlink_to(root)
    found = files(root)
    assert {config: file.body for config, file in found.items()} == {
        "config": {"x": 1},
        "hid/x": {"y": 2},
        "linked/b": {"y": 3},
    }


def test_of_a_yaml_and_a_yml_hydra_reads_the_first(tmp_path: Path) -> None:
    root = write(tmp_path, {"config": "x: 1", "m/a": "y: 1"})
    (root / "m/a.yml").write_text("y: 2")
    (root / "m/b.yml").write_text("y: 3")
    found = files(root)
    assert [(config, file.body) for config, file in found.items()] == [
        *(("config", {"x": 1}), ("m/a", {"y": 1}), ("m/b", {"y": 3}))
    ]
    assert found["m/a"].odd == [("conf/m/a.yml", "it is left out, since Hydra reads a.yaml in its place")]


def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, {"config": "a: 1\n"})

    def refused(*_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(UserError) as error:
        Converter(root, ["config"], exact=False)
    assert str(error.value) == f"{root} cannot be read\n  PermissionError: Permission denied"


def test_a_value_that_no_field_can_hold_is_left_out_and_told(tmp_path: Path) -> None:
    config = "a: 1\nb: !!binary aGVsbG8=\nc: {d: !!set {x}, e: [1, [!!timestamp 2020-01-01]], f: !!pairs [g: 1]}"
    conversion = imported(tmp_path, {"config": config}).conversion
    assert conversion.files["config"].body == {"a": 1, "c": {"f": [["g", 1]]}}
    assert conversion.odd == [
        ("conf/config.yaml:2", "b holds bytes, which no field can hold, so it is left out"),
        ("conf/config.yaml:3", "c.d holds set, which no field can hold, so it is left out"),
        ("conf/config.yaml:3", "c.e.1.0 holds date, which no field can hold, so it is left out"),
    ]
