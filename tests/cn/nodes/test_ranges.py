"""Ranges in annotations: one text wherever a value is set, shown by `--help`, kept by subclasses."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Predicate
from omegaconf import OmegaConf

from cn import CN, DefinitionError, UserError, compose
from cn.cli.help import complete, help_text
from cn.hydra_compat.config import mirror
from cn.nodes.annotations import kind_of
from cn.nodes.field_types import Mismatch
from cn.nodes.to_json import plain
from cn.writing.record import unplain
from cn.writing.subclass import annotation


def kind(annotation: Any) -> Any:
    return kind_of(annotation, eval)


class Part(CN):
    lr: Annotated[float, Gt(0)] = 1e-3
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    depth: Annotated[int, Ge(1)] = 9
    most: Annotated[int | None, Ge(1)] = 9
    clip: Annotated[float | None, Gt(0)] = None
    betas: tuple[Annotated[float, Interval(ge=0, lt=1)], Annotated[float, Interval(ge=0, lt=1)]] = (0.9, 0.999)
    width: Annotated[int, MultipleOf(8)] = 64
    names: Annotated[list[str], Len(1, 2)] = ["a"]
    sizes: Annotated[dict[str, int], MinLen(1)] = {"a": 1}
    title: Annotated[str, MaxLen(3)] = ""
    mode: Annotated[Literal["a", "b"], "another package's word"] = "a"


class Narrow(Part):
    """Declares fields anew, as people do: without a range."""

    lr: float = 0.1
    depth: int = 3
    most: int | None = None
    clip: float = 1.0
    betas: tuple[float, float] = (0.5, 0.5)
    width: Annotated[int, Ge(4)] = 12


NAMES = {
    "lr": "float > 0",
    "dropout": "0 <= float < 1",
    "depth": "int >= 1",
    "most": "int >= 1 | None",
    "clip": "float > 0 | None",
    "betas": "tuple[0 <= float < 1, 0 <= float < 1]",
    "width": "int, a multiple of 8",
    "names": "list[str] with 1 <= length <= 2",
    "sizes": "dict[str, int] with length >= 1",
    "title": "str with length <= 3",
    "mode": "one of 'a', 'b'",
}
GOOD = {
    "lr": [1e-9, math.inf, 2],
    "dropout": [0, 0.999],
    "depth": [1, 10**30],
    "clip": [None, 1],
    "betas": [(0, 0.5)],
    "width": [0, -8, 64],
    "names": [["a", "b"]],
    "sizes": [{"b": 2}],
    "title": ["abc", ""],
}
BAD = {
    "lr": [0, -1.0, math.nan, -math.inf, "x", None, True],
    "dropout": [-1e-9, 1, math.nan],
    "depth": [0, 0.5, True],
    "clip": [0.0, -1, math.nan, "null"],
    "betas": [(0.9, 1.0), (-0.1, 0.9), (0.9,), (0.9, math.nan)],
    "width": [63, 0.0],
    "names": [[], ["a", "b", "c"], "a", [1]],
    "sizes": [{}],
    "title": ["abcd"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in GOOD.items() for value in values])
def test_a_value_within_the_range_is_taken_from_python_and_from_json(field: str, value: Any) -> None:
    made = Part(**{field: value})
    assert getattr(made, field) == value
    assert unplain(plain(made), types=(Part,)) == made


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_value_outside_is_refused_by_the_name_of_the_range(field: str, value: Any) -> None:
    text = f"Part.{field} is {NAMES[field]}, not {value!r}\n"
    with pytest.raises(UserError) as error:
        Part(**{field: value})
    assert str(error.value).startswith(text)
    node = Part()
    with pytest.raises(UserError) as error:
        setattr(node, field, value)
    assert str(error.value).startswith(text)
    with pytest.raises(UserError, match="which is not"):
        unplain({**plain(node), field: value}, types=(Part,))


@pytest.mark.parametrize(
    ("word", "text"),
    {
        "depth=0": "depth=0: depth is int >= 1, not 0",
        "depth=-1e2": "depth=-1e2: depth is int >= 1, not -1e2",
        "lr=nan": "lr=nan: lr is float > 0, not nan",
        "clip=0": "clip=0: clip is float > 0 | None, not 0",
        "betas=[0.9,1]": "betas=[0.9,1]: betas is tuple[0 <= float < 1, 0 <= float < 1], not [0.9,1]",
        "betas.1=1": "betas.1=1: betas.1 is 0 <= float < 1, not 1",
        "names=[]": "names=[]: names is list[str] with 1 <= length <= 2, not []",
        "~sizes.a": "~sizes.a: sizes is dict[str, int] with length >= 1, and would be {}",
        "title=long": "title=long: title is str with length <= 3, not 'long'",
    }.items(),
)
def test_a_word_outside_is_refused_with_the_line_of_the_field(word: str, text: str) -> None:
    with pytest.raises(UserError) as error:
        compose(Part, [word])
    first, second, *_ = str(error.value).splitlines()
    assert first == text
    assert second.startswith("  defined in tests/cn/nodes/test_ranges.py:") or "test_ranges.py:" in second


def test_help_shows_each_range_and_completion_still_knows_the_words() -> None:
    rows = {line.split()[0]: line for line in help_text(Part, None, []).splitlines() if line.startswith("  ")}
    for field, name in NAMES.items():
        assert name[:36] in rows[field]
    assert complete(Part, ["mode="]) == ["mode=a", "mode=b"]


def test_a_subclass_that_declares_a_field_anew_keeps_the_range_or_gives_its_own() -> None:
    assert Narrow(lr=3.0, depth=1, most=None, clip=2, betas=(0, 0), width=13).width == 13
    for field, value, name in [
        ("lr", 0, "float > 0"),
        ("depth", 0, "int >= 1"),
        ("most", 0, "int >= 1 | None"),
        ("clip", 0, "float > 0"),
        ("betas", (0.5, 1), "tuple[0 <= float < 1, 0 <= float < 1]"),
        ("width", 3, "int >= 4"),
    ]:
        with pytest.raises(UserError, match="Narrow"):
            Narrow(**{field: value})
        assert _name(Narrow, field) == name


def _name(cls: Any, field: str) -> str:
    from cn.nodes.resolving import resolve

    return resolve(cls)[field].name  # type: ignore[index]


def test_a_default_outside_of_its_own_range_or_of_its_bases_is_refused_with_its_class() -> None:
    with pytest.raises(DefinitionError, match=r"Wrong\.depth is int >= 1, but its default is 0"):

        class Wrong(CN):
            depth: Annotated[int, Ge(1)] = 0

    with pytest.raises(DefinitionError, match=r"Wrong2\.depth is int >= 1, but its default is -3"):

        class Wrong2(Part):
            depth: int = -3


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Annotated[str, Ge(1)], "cannot be Annotated[str, Ge(ge=1)]: a range is of an int or a float"),
        (Annotated[bool, Ge(0)], "cannot be Annotated[bool, Ge(ge=0)]: a range is of an int or a float"),
        (
            Annotated[int, MinLen(1)],
            "cannot be Annotated[int, MinLen(min_length=1)]: a length is of a str, list or dict",
        ),
        (Annotated[int, Ge(3), Le(2)], "cannot be Annotated[int, Ge(ge=3), Le(le=2)]: no value is 3 <= value <= 2"),
        (Annotated[int, Ge(2), Lt(2)], "cannot be Annotated[int, Ge(ge=2), Lt(lt=2)]: no value is 2 <= value < 2"),
        (Annotated[int, Gt(2), Le(2)], "cannot be Annotated[int, Gt(gt=2), Le(le=2)]: no value is 2 < value <= 2"),
        (
            Annotated[int, Ge("1")],
            "cannot be Annotated[int, Ge(ge='1')]: '1' is not a number that",
        ),
        (
            Annotated[int, MultipleOf(0)],
            "cannot be Annotated[int, MultipleOf(multiple_of=0)]: a value is a multiple of",
        ),
        (Annotated[int, Predicate(bool)], "Predicate says nothing here; write one of Ge, Gt, Le, Lt, Interval, MinLen"),
    ],
)
def test_a_range_that_can_say_nothing_is_refused_at_class_creation(annotation: Any, why: str) -> None:
    with pytest.raises(DefinitionError) as error:
        kind(annotation)
    assert why in str(error.value)


def test_the_range_of_a_union_is_that_of_the_members_that_can_have_it() -> None:
    either = kind(Annotated[int | float | str | None, Ge(1)])
    assert either.name == "int >= 1 | float >= 1 | str | None"
    assert [either.accept(value) for value in (1, 1.5, "x", None)] == [1, 1.5, "x", None]
    with pytest.raises(Mismatch):
        either.accept(0)


def test_hydra_and_saved_classes_see_the_type_alone() -> None:
    assert OmegaConf.to_container(mirror(Part()))["depth"] == 9  # type: ignore[index,call-overload]
    assert annotation(kind(Annotated[float | None, Gt(0)]), lambda cls: cls.__name__) == "float | None"


class Stepped(CN):
    share: Annotated[float, MultipleOf(0.1)] = 0.3
    count: Annotated[float, MultipleOf(2)] = 4


def test_a_multiple_of_a_float_is_as_near_as_floats_are() -> None:
    for share in (0.1, 0.2, 0.3, 0.7, 1.1, -0.6, 0, 1e9):
        assert Stepped(share=share).share == share
    for share in (0.25, 0.30001, 1e-9, math.inf):
        with pytest.raises(UserError, match=r"Stepped\.share is float, a multiple of 0\.1, not"):
            Stepped(share=share)
    with pytest.raises(UserError):
        Stepped(count=3)
