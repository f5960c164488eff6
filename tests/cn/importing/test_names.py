"""Names that Python accepts, and interpolations as Python."""

from __future__ import annotations

import pytest

from cn.importing.families.addresses import Addresses
from cn.importing.families.families import Families, Field
from cn.importing.families.interpolations import NotReadable, parsed
from cn.importing.families.names import attribute, camel, distinct, is_attribute, slug
from cn.importing.writing.expressions import Writer


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bert-nrms", "bert_nrms"),
        ("1x1", "x1x1"),
        ("lambda", "lambda_"),
        ("none", "none"),
        ("null", "null_"),
        ("a.b", "a_b"),
        ("Größe", "Groe"),
        ("-", "x"),
    ],
)
def test_a_file_gets_the_nearest_name_that_python_can_import(name: str, file: str) -> None:
    assert slug(name) == file


def test_two_names_with_one_slug_are_told_apart() -> None:
    assert distinct(["a-b", "a_b", "A_B"]) == {"A_B": "A_B", "a_b": "a_b_2", "a-b": "a_b_3"}
    assert distinct(["train"], ["train"], "_options") == {"train": "train_options"}


@pytest.mark.parametrize(
    ("name", "cls"),
    [("early_stopping", "EarlyStopping"), ("ViT-small", "ViTSmall"), ("none", "None_"), ("1x1", "X1x1"), ("cn", "Cn")],
)
def test_a_class_is_called_as_its_file_is(name: str, cls: str) -> None:
    assert camel(name) == cls


def test_a_key_that_is_no_attribute_gets_one() -> None:
    assert [is_attribute(key) for key in ("a", "class", "check", "_x", "_target_", "a-b", 1)] == [
        *(True, False, False, False, True, False, False)
    ]
    assert [attribute(key) for key in ("class", "Loss/x", "check", "_x_", "9a")] == [
        *("class_", "Loss_x", "check_", "x", "x9a")
    ]


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("${a.b}", "run.a.b"),
        ("${a[0].b}", "run.a[0].b"),
        ("x/${a}/y", 'f"x/{run.a}/y"'),
        ("{${a}}", 'f"{{{run.a}}}"'),
        ("${.b}", "node.b"),
        ("${..b}", "above(run, node, 1).b"),
        ("${a.${b}}", 'select(run, f"a.{run.b}")'),
        ("${oc.env:HOME}", 'os.environ["HOME"]'),
        ("${oc.env:HOME,3}", 'os.environ.get("HOME", "3")'),
        ("${oc.env:HOME,null}", 'os.environ.get("HOME", None)'),
        ("${oc.select:a.b,1.5}", 'select(run, "a.b", 1.5)'),
        ("${oc.decode:${oc.env:X}}", 'decode(os.environ["X"])'),
        ("${eval:'${a} // 2 + 1'}", "run.a // 2 + 1"),
        ("""${eval:'5 if "${a}" == "mh" else 4'}""", '5 if str(run.a) == "mh" else 4'),
        ("${now:%Y-%m}", 'now("%Y-%m")'),
        ('${mine:${a},"x, y",true,[1]}', 'mine(run.a, "x, y", True, [1])'),
        ("${a}${b}", 'f"{run.a}{run.b}"'),
        ('${a} is "b"', '"".join(map(str, [run.a, \' is "b"\']))'),
    ],
)
def test_an_interpolation_is_written_as_python(text: str, python: str) -> None:
    assert Writer(Addresses(Families()), Field("x", "x")).value(text) == python


def test_an_interpolation_that_does_not_end_is_not_read() -> None:
    with pytest.raises(NotReadable):
        parsed("${a")
