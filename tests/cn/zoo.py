"""Node classes with fields of every kind, and hypothesis strategies for nodes of them."""

from __future__ import annotations

import math
from enum import Enum, Flag
from pathlib import Path
from typing import Annotated, Any, Literal, NewType

from hypothesis import strategies as st

from cn import CN

Pixels = NewType("Pixels", int)


class Color(Enum):
    red = 1
    dark_blue = "two"
    crimson = 1  # noqa: PIE796  (another name of red)


class Access(Flag):
    read = 1
    write = 2


class Plain(CN):
    number: int = 0
    real: float = 0.0
    text: str = ""
    flag: bool = False
    path: Path = Path(".")
    color: Color = Color.red
    access: Access = Access.read
    choice: Literal["a", 1, True, None, Color.red] = "a"
    pixels: Annotated[Pixels, "unit"] = Pixels(0)


class Holders(CN):
    maybe: int | None = None
    either: int | float | str | bool | Path | Color | None = 0
    texts: list[str] = []
    paths: list[Path | str] = []
    pair: tuple[int, str] = (0, "")
    many: tuple[float, ...] = ()
    nested: list[dict[str, tuple[Color | str, ...]]] = []
    table: dict[str, list[int] | dict[str, float]] = {}
    numbers: dict[int, str] = {}
    colors: dict[Color, Path] = {}
    lists: list[int] | tuple[int, ...] | list[str] | None = None
    keys: dict[str, int] | dict[int, int] = {}
    literals: list[Literal["1", 1]] = []
    anything: Any = None


class Both(Plain):
    child: Plain = Plain(text="child")
    other: Plain | Holders | None = None
    several: dict[str, Plain | Holders] = {}


class Color2:  # two classes with one name, in one module
    class Color(Enum):
        red = 1


class path(CN):  # noqa: N801  (a node called as a module is)
    Path: Path = Path("x")
    color: Color2.Color = Color2.Color.red


text = st.text() | st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "\n",
        "a'b\"c",
        "${x}",
        "???",
        "null",
        "1",
        "\ud800",
        "{}",
        "\t\r\0",
        "ü" * 90,
        "a" * 200,
        "_class_",
    ]
)
key = text
integer = st.integers() | st.sampled_from([10**40, -1, 0])
real = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1e-300, 5e-324, 1e22])
paths = st.sampled_from([Path(""), Path("/"), Path("a b/c'd"), Path('"\\'), Path("é\n"), Path("../x")])
color = st.sampled_from(Color)
any_value = st.recursive(
    st.none() | st.booleans() | integer | real | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key, inner, max_size=3),
    max_leaves=6,
)

plains = st.builds(
    Plain,
    number=integer,
    real=real,
    text=text,
    flag=st.booleans(),
    path=paths,
    color=color,
    access=st.sampled_from([Access.read, Access.write]),
    choice=st.sampled_from(["a", 1, True, None, Color.red]),
    pixels=integer,
)
holders = st.builds(
    Holders,
    maybe=st.none() | integer,
    either=st.none() | integer | real | text | st.booleans() | paths | color,
    texts=st.lists(text, max_size=4),
    paths=st.lists(paths | text, max_size=4),
    pair=st.tuples(integer, text),
    many=st.lists(real, max_size=4).map(tuple),
    nested=st.lists(st.dictionaries(key, st.lists(color | text, max_size=2).map(tuple), max_size=2), max_size=2),
    table=st.dictionaries(key, st.lists(integer, max_size=2) | st.dictionaries(key, real, max_size=2), max_size=3),
    numbers=st.dictionaries(integer, text, max_size=3),
    colors=st.dictionaries(color, paths, max_size=2),
    lists=st.none()
    | st.lists(integer, max_size=3)
    | st.lists(integer, max_size=3).map(tuple)
    | st.lists(text, max_size=3),
    keys=st.dictionaries(key, integer, max_size=2) | st.dictionaries(integer, integer, max_size=2),
    literals=st.lists(st.sampled_from(["1", 1]), max_size=3),
    anything=any_value,
)
boths = st.builds(
    Both,
    number=integer,
    text=text,
    child=plains,
    other=st.none() | plains | holders,
    several=st.dictionaries(st.from_regex("[A-Za-z_][A-Za-z0-9_-]*", fullmatch=True), plains | holders, max_size=2),
)
nodes = plains | holders | boths | st.builds(path, Path=paths)
