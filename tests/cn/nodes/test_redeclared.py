"""A subclass that declares a field anew keeps its type or narrows it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge

from cn import CN, DefinitionError, compose
from cn.nodes.annotations import kind_of
from cn.nodes.redeclared import narrows


class Side(Enum):
    left = 1
    right = 2


class Part(CN): ...


class Small(Part): ...


class Other(CN): ...


NARROWER: list[tuple[Any, Any]] = [
    (int, int),
    (int, float),
    (int, Annotated[int, Ge(1)]),
    (Annotated[int, Ge(4)], Annotated[int, Ge(1)]),
    (int, int | None),
    (int, float | None),
    (None, int | None),
    (Literal["a"], Literal["a", "b"]),
    (Literal["a", "b"], str),
    (Literal[1, 2], float),
    (Literal[Side.left], Side),
    (Side, Literal[Side.left, Side.right]),
    (str | int, str | int | None),
    (dict[str, int], Any),
    (Part, Any),
    (list[int], list[float]),
    (list[int], list),
    (tuple[int, int], tuple[int, ...]),
    (tuple[int, float], tuple[float, float]),
    (dict[str, int], dict[str, float]),
    (Small, Part),
    (Small, Part | None),
    (Small, Small | Other),
    (None, Part | None),
    (Part | None, Part),
    (dict[str, Part] | None, dict[str, Part]),
    (Small | Other, CN),
    (dict[str, Small], dict[str, Part]),
]
OTHERS: list[tuple[Any, Any]] = [
    (float, int),
    (bool, int),
    (str, int),
    (Path, str),
    (str, Path),
    (Any, int),
    (int | None, int),
    (int | None, Annotated[int, Ge(1)]),
    (Literal["a", "c"], Literal["a", "b"]),
    (Literal["a"], int),
    (str, Literal["a", "b"]),
    (Side, Literal[Side.left]),
    (int | str, int | bool),
    (list[float], list[int]),
    (tuple[int, ...], list[int]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int, int, int], tuple[int, int]),
    (tuple[int, str], tuple[int, ...]),
    (tuple[int, int], list[int]),
    (dict[str, float], dict[str, int]),
    (dict[int, int], dict[str, int]),
    (list[int], dict[str, int]),
    (Part, Small),
    (Other, Part),
    (Part | Other, Part),
    (int, Part),
    (Part, int),
    (Part, dict[str, Part]),
    (dict[str, Part], Part),
]


def kind(annotation: Any) -> Any:
    return kind_of(annotation, eval)


@pytest.mark.parametrize(("own", "base"), NARROWER)
def test_a_type_of_fewer_values_narrows(own: Any, base: Any) -> None:
    assert narrows(kind(own), kind(base))


@pytest.mark.parametrize(("own", "base"), OTHERS)
def test_a_type_with_other_values_does_not(own: Any, base: Any) -> None:
    assert not narrows(kind(own), kind(base))


BASE = """
from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from cn import CN


class Part(CN): ...


class Base(CN):
    epochs: Annotated[int, Ge(1)] = 1
    parts: dict[str, Part] = {}


class Mid(Base): ...
"""


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "epochs: float = 1.5",
            "It.epochs is float, and Base says int >= 1 (base.py:15)\n"
            "  write: epochs: Annotated[int, Ge(1)], a narrower type, or another name\n"
            "  defined in it.py:5",
        ),
        (
            "epochs: int | None = None",
            "It.epochs is int | None, and Base says int >= 1 (base.py:15)\n"
            "  write: epochs: Annotated[int, Ge(1)], a narrower type, or another name\n"
            "  defined in it.py:5",
        ),
        (
            "parts: Part = Part()",
            "It.parts is Part, and Base says dict[str, Part] (base.py:16)\n"
            "  write: parts: dict[str, Part], a narrower type, or another name\n"
            "  defined in it.py:5",
        ),
    ],
)
def test_a_field_of_another_type_is_refused_with_both_places(line: str, error: str, node_tree: Any) -> None:
    node_tree({"base.py": BASE, "it.py": f"from base import Mid, Part\n\n\nclass It(Mid):\n    {line}\n"})
    with pytest.raises(DefinitionError) as refused:
        __import__("it")
    assert str(refused.value) == error


class Base(CN):
    epochs: Annotated[int, Ge(1)] = 1
    parts: dict[str, Part] = {}


def test_a_narrower_field_is_checked_and_composed_as_such() -> None:
    class Narrow(Base):
        epochs: Literal[2, 3] = 2
        parts: dict[str, Small] = {"a": Small()}

    assert compose(Narrow, ["epochs=3"]) == Narrow(epochs=3)


def test_a_run_with_such_a_field_ends_with_status_2(program: Any, tree: Path) -> None:
    text = "from runs.default import Default\n\n\nclass R1(Default):\n    steps: float = 1.5\n"
    (tree / "runs/r1.py").write_text(text)
    done = program("run=r1")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "run=r1: runs/r1.py cannot be used",
        "  R1.steps is float, and Run says int (runs/__init__.py:26)",
        "    write: steps: int, a narrower type, or another name",
        "    defined in runs/r1.py:5",
    ]
