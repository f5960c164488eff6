"""A composed node is written as a class that composes to it again, as ruff would have it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from cn import CN, UserError, compose
from cn.nodes.field_types import same
from cn.nodes.traversal import values
from cn.writing.subclass import changed, quoted, subclass
from tests.cn import zoo
from tests.cn.conftest import REPOSITORY, python

RUFF = [sys.executable, "-m", "ruff"]


def source(node: CN, name: str = "Saved", module: str = "tests.cn.saved_by_a_test") -> str:
    return subclass(node, module, name, command="python train.py run=saved", doc=["What."], root=REPOSITORY)


def made(text: str, name: str = "Saved", module: str = "tests.cn.saved_by_a_test") -> Any:
    """An instance of the class that the source defines."""
    sys.modules[module] = new = ModuleType(module)
    try:
        exec(compile(text, module, "exec"), vars(new))
        return compose(vars(new)[name])
    finally:
        del sys.modules[module]


def refused_by_ruff(folder: Path, inside: str = ".") -> str:
    pytest.importorskip("ruff")
    how = ["--isolated", "--no-cache", "--line-length=120"]
    commands = (["format", "--diff", *how], ["check", "--select=I,F", *how])
    done = [subprocess.run([*RUFF, *each, inside], cwd=folder, capture_output=True, text=True) for each in commands]
    return "".join(each.stdout for each in done if each.returncode)


@pytest.mark.slow
def test_a_node_of_any_values_composes_again_and_ruff_has_nothing_to_change(tmp_path: Path) -> None:
    texts: dict[str, None] = {}

    @given(zoo.nodes)
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    def write(node: CN) -> None:
        run = compose(node)
        if changed(run):
            text = source(run)
            assert same(values(made(text)), values(run))
            if all(letter < "\u0300" for letter in text):  # ruff measures some of the others as two columns, or none
                texts[text] = None

    write()
    assert len(texts) > 50
    for number, text in enumerate(texts):
        (tmp_path / f"x{number}.py").write_text(text, encoding="utf-8")
    assert refused_by_ruff(tmp_path) == ""


@pytest.mark.slow
def test_what_is_too_long_for_a_line_is_laid_out_as_ruff_does(tmp_path: Path) -> None:
    for number, node in enumerate(
        [zoo.Holders(either="a" * 200), zoo.Holders(table={"a" * 200: {"b" * 200: math.inf}})]
    ):
        text = source(compose(node))
        assert same(values(made(text)), values(compose(node)))
        (tmp_path / f"x{number}.py").write_text(text)
    assert refused_by_ruff(tmp_path) == ""


def test_only_what_differs_is_written_with_the_annotations_of_the_class() -> None:
    node = zoo.Both(
        number=3,
        color=zoo.Color.dark_blue,
        choice=zoo.Color.red,
        path=zoo.Path("a/b"),
        child=zoo.Plain(text="child", real=1e30),
        several={"one": zoo.Holders(pair=(1, "x"), colors={zoo.Color.red: zoo.Path("y")})},
    )
    assert source(compose(node)) == EXPECTED


EXPECTED = '''\
"""python train.py run=saved"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tests.cn.zoo import Both, Color, Holders, Plain


class Saved(Both):
    """What."""

    number: int = 3
    path: Path = Path("a/b")
    color: Color = Color.dark_blue
    choice: Literal["a", 1, True, None, Color.red] = Color.red
    child: Plain = Plain(real=1e30, text="child")
    several: dict[str, Plain | Holders] = {"one": Holders(pair=(1, "x"), colors={Color.red: Path("y")})}
'''


def test_what_does_not_fit_on_a_line_has_a_line_for_each_part() -> None:
    node = compose(zoo.Both(text="t" * 104, child=zoo.Plain(text="c" * 90, path=zoo.Path("p" * 20), flag=True)))
    assert source(node).split("\n\n")[-1] == python(
        "    text: str = (",
        f'        "{"t" * 104}"',
        "    )",
        "    child: Plain = Plain(",
        f'        text="{"c" * 90}",',
        "        flag=True,",
        f'        path=Path("{"p" * 20}"),',
        "    )",
    )


@pytest.mark.slow
def test_a_comment_goes_along_unless_it_is_about_its_line_or_too_long(node_tree: Any, tmp_path: Path) -> None:
    node_tree(
        {
            "things.py": python(
                "from cn import CN",
                "class Thing(CN):",
                "    size: int = 1  # channels",
                "    name: str = ''  # as the paper has it",
                "    rate: float = 0.0  # noqa: E501",
                "    sizes: tuple[int, ...] = ()  # one a layer",
            )
        }
    )
    from things import Thing  # type: ignore

    text = source(compose(Thing(size=2, name="n" * 90, rate=1.0, sizes=tuple(range(100, 130)))))
    fields = text.split("\n\n")[-1]
    assert fields.startswith(f'    size: int = 2  # channels\n    name: str = "{"n" * 90}"\n    rate: float = 1.0\n')
    assert fields.endswith("        129,\n    )  # one a layer\n")
    (tmp_path / "x.py").write_text(text)
    assert refused_by_ruff(tmp_path) == ""


@pytest.mark.slow
def test_a_name_that_is_taken_is_written_with_its_module(node_tree: Any, tmp_path: Path) -> None:
    node_tree(
        {
            "one.py": python("from cn import CN", "class Thing(CN):", "    size: int = 1"),
            "two.py": python(
                "import one",
                "from cn import CN",
                "class Thing(CN):",
                "    it: one.Thing = one.Thing()",
                "    n: int = 1",
            ),
        }
    )
    from one import Thing as One  # type: ignore
    from two import Thing as Two  # type: ignore

    node = compose(Two(it=One(size=2)))
    text = source(node, "Thing")
    assert text.split('"""\n\n', 1)[1] == python(
        "from __future__ import annotations",
        "",
        "import one",
        "import two",
        "",
        "",
        "class Thing(two.Thing):",
        '    """What."""',
        "",
        "    it: one.Thing = one.Thing(size=2)",
    )
    assert same(values(made(text, "Thing")), values(node))
    (tmp_path / "x.py").write_text(text)
    assert refused_by_ruff(tmp_path) == ""


@pytest.mark.slow
def test_imports_are_sorted_as_ruff_sorts_them(node_tree: Any) -> None:
    names = ["a10", "a2", "B1", "MLP", "Vit", "ViT", "_hidden", "aB"]
    many = [f"Option{number}" for number in (1, 2, 10, 11, 20, 100, 101, 102, 103, 104)]
    files = {f"parts/{name}.py": f"from cn import CN\nclass {name}(CN): ...\n" for name in ("net2", "net10", "Net3")}
    classes = [f"class {name}(CN): ..." for name in (*names, *many)]
    files["parts/all.py"] = python("from cn import CN", *classes, "class Any(CN):")[:-1] + " ...\n"
    files["parts/whole.py"] = python(
        "from typing import Any",
        "from cn import CN",
        "class Whole(CN):",
        "    parts: dict[str, CN] = {}",
        "    x: Any = 1",
    )
    root = node_tree(files)
    from importlib import import_module

    every = [getattr(import_module("parts.all"), name)() for name in (*names, *many)]
    every += [getattr(import_module(f"parts.{name}"), name)() for name in ("net2", "net10", "Net3")]
    whole = import_module("parts.whole").Whole
    for number, held in enumerate((every, every[:4])):
        node = compose(whole(x=2, parts={type(each).__name__: each for each in held}))
        text = subclass(node, "parts.saved", "Saved", command="x", doc=["What."], root=root)
        assert made(text).x == 2
        (root / "saved").mkdir(exist_ok=True)
        (root / "saved" / f"x{number}.py").write_text(text)
    assert refused_by_ruff(root, "saved") == ""


def test_a_long_docstring_has_several_lines() -> None:
    text = subclass(compose(zoo.Plain(number=1)), "x.y", "Saved", command="x", doc=["One.", "Two."], root=REPOSITORY)
    assert '    """One.\n    Two.\n    """\n\n    number: int = 1\n' in text


def test_quotes_are_those_that_take_fewer_backslashes() -> None:
    assert [quoted(each) for each in ("a", "it's", 'say "a"', "\"'", "\\\n\ud800é")] == [
        '"a"',
        '"it\'s"',
        "'say \"a\"'",
        '"\\"\'"',
        '"\\\\\\n\\ud800é"',
    ]


def test_a_class_in_a_function_cannot_be_named() -> None:
    class Local(CN):
        size: int = 1

    with pytest.raises(UserError, match="is defined in a function, so no Python elsewhere can name it"):
        source(compose(Local(size=2)))
