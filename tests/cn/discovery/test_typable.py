"""What `--help` and completion offer can be typed as it is offered; of what cannot, the reason is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cn import DefinitionError, UserError, compose
from cn.cli.help import complete, help_text
from cn.discovery import discover
from cn.discovery.typable import better
from tests.cn.conftest import REPOSITORY, imported, node, python

PYTHON, NONE = "cannot be imported by Python", "stands for no node"
LETTERS = "has letters that cannot be typed as they are"
FILES = {
    "café.py": f"its name {LETTERS}, rename it to cafe.py",
    "漢字.py": f"its name {LETTERS}, rename it to x_.py",
    "ünder/inner.py": f"the name of its folder ünder {LETTERS}, rename it to under",
    "my-model.py": f"its name {PYTHON}, rename it to my_model.py",
    "my-models/inner.py": f"the name of its folder my-models {PYTHON}, rename it to my_models",
    "a b.py": f"its name {PYTHON}, rename it to a_b.py",
    "my models/inner.py": f"the name of its folder my models {PYTHON}, rename it to my_models",
    "a.b.py": f"its name {PYTHON}, rename it to a_b.py",
    "a.c/inner.py": f"the name of its folder a.c {PYTHON}, rename it to a_c",
    "2d.py": f"its name {PYTHON}, rename it to x_2d.py",
    "3d/inner.py": f"the name of its folder 3d {PYTHON}, rename it to x_3d",
    "class.py": f"its name {PYTHON}, rename it to x_class.py",
    "lambda/inner.py": f"the name of its folder lambda {PYTHON}, rename it to x_lambda",
    "None.py": f"its name {PYTHON}, rename it to x_None.py",
    "null.py": f"its name {NONE}, rename it to x_null.py",
    "$(touch x).py": f"its name {PYTHON}, rename it to __touch_x_.py",
    "x" * 210 + ".py": "its name is too long to be typed",
}
FINE = {
    "true/inner.py": "Inner1",
    "TRUE.py": "TRUE",
    "false.py": "False_",
    "nan.py": "Nan",
    "Inf.py": "Inf",
    "x/null.py": "Null",
    "UPPER.py": "Upper",
    "under_score.py": "UnderScore",
    "a1.py": "A1",
    "deep/er/still.py": "Still",
    "match.py": "Match",
    "n.py": "N",
}
OPTIONS = [
    "Inf",
    "TRUE",
    "UPPER",
    "a1",
    "deep/er/still",
    "false",
    "letters",
    "letters/null",
    "letters/x2",
    "match",
    "n",
    "nan",
]
OPTIONS += ["true/inner/inner1", "under_score", "x/null"]
LITERALS = "'a b', 'é', 'a,b', '[a]', 'x;y', 'null', 'true', '1', 'ok', 'a/b', '$HOME', '', '~/x', 'a*'"
MEMBERS = "{'plain': 1, 'é': 2, 'two words': 3, 'null': 4, 'nan': 5, 'semi;colon': 6}"
RUN = f"""
from enum import Enum
from typing import Literal

from cn import CN
from models import Model
from models.n import N

Odd = Enum("Odd", {MEMBERS})


class Run(CN):
    model: Model = N()
    maybe: Model | None = None
    many: dict[str, Model] = dict.fromkeys(["a", "B-2_c", "_x", "null", "true"], N())
    odd: Odd = Odd.plain
    word: Literal[{LITERALS}] = "ok"
    number: Literal[1, 2.5, True, "x"] | None = 1
    null: int = 1
    inf: int = 1
"""
TRAIN = """
from cn import Job, main
from runs import Run


def train(run: Run, job: Job) -> None:
    print(run)


main(train)
"""


@pytest.fixture
def odd(node_tree: Any) -> Path:
    """A folder of models with names of all kinds, and the run that holds them."""
    classes = dict.fromkeys(FILES, "Odd") | FINE
    more = python(*(f"class {name}(Model): ..." for name in ("Café", "Null", "X2")))
    return node_tree(
        {
            "models/__init__.py": python("from cn import CN", "class Model(CN):", "    size: int = 1"),
            **{f"models/{path}": node(name) for path, name in classes.items()},
            "models/both.py": node("Both"),
            "models/both/inner.py": node("Inner"),
            "models/letters.py": node("Letters") + more,
            "runs/__init__.py": RUN,
            "runs/default.py": python("from runs import Run", "class Default(Run): ..."),
            "train.py": TRAIN,
        }
    )


def test_each_name_that_cannot_be_typed_is_shown_with_the_reason(odd: Path) -> None:
    names, broken = discover.options((imported("models", "Model"),))
    told = {each.file.removeprefix("models/"): each.why for each in broken}
    assert told == FILES | {
        "both.py": "models/both.py and models/both/ have one name, so Python sees only one of them",
        "letters.py": "Café has letters that cannot be typed as they are, rename it to Cafe",
    }
    assert list(names) == OPTIONS
    page = help_text(imported("runs", "Run"), None, [])
    for file, why in told.items():
        assert f"  cannot be used: models/{file}: {why}\n" in page


@pytest.mark.parametrize("path", [path for path in FILES if not {" ", ".", "$"} & set(path[:-3]) and len(path) < 99])
def test_what_is_not_offered_is_refused_for_the_same_reason(odd: Path, path: str) -> None:
    with pytest.raises(UserError) as caught:
        discover.find((imported("models", "Model"),), path.removesuffix(".py"))
    assert str(caught.value) == f"models/{path} cannot be used\n  {FILES[path]}"


def test_all_that_is_offered_is_read_back_when_it_is_typed(odd: Path) -> None:
    run = imported("runs", "Run")
    keys = complete(run, [""])
    assert {"null=", "inf=", "many.B-2_c.size=", "many._x.size=", "many.null.size=", "many.true.size="} <= set(keys)
    words = [word for key in keys for word in (complete(run, [key]) or [f"{key}5"])]
    words += [word for begun in ("many=[", "many=[letters,", "~", "+many=") for word in complete(run, [begun])]
    assert len(words) > 60
    for word in words:
        if word == "many=[letters,letters":
            continue  # which it holds already
        typed = f"{word}]" if "[" in word else word
        composed = compose(run, [typed])
        key, _, value = typed.partition("=")
        if key == "model":
            assert discover.find((imported("models", "Model"),), value) is type(composed.model)


def test_of_values_those_are_offered_that_mean_themselves(odd: Path) -> None:
    run = imported("runs", "Run")
    assert complete(run, ["odd="]) == ["odd=nan", "odd=null", "odd=plain"]
    assert complete(run, ["word="]) == ["word=1", "word=a/b", "word=null", "word=ok", "word=true"]
    assert complete(run, ["number="]) == ["number=1", "number=2.5", "number=null", "number=true", "number=x"]
    assert [compose(run, [word]).number for word in complete(run, ["number="])] == [1, 2.5, None, True, "x"]
    assert [compose(run, [word]).word for word in complete(run, ["word="])] == ["1", "a/b", "null", "ok", "true"]


@pytest.mark.slow
def test_a_shell_completes_to_words_that_the_program_takes(odd: Path) -> None:
    script = """
        eval "$(python train.py -sc install=bash)"
        COMP_LINE="python train.py model="
        COMP_WORDS=(python train.py model=)
        COMP_CWORD=2
        hydra_bash_completion
        for word in "${COMPREPLY[@]}"; do echo "$word"; python train.py "$word"; done
    """
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(["bash", "-c", script], cwd=odd, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[::2] == [f"model={option}" for option in OPTIONS]
    assert all(line.startswith("Default(model=") for line in done.stdout.splitlines()[1::2])


@pytest.mark.parametrize("key", ["a b", "é", "a.b", "2nd", "", "a/b", "-a", "0", "a=b"])
def test_a_node_among_several_has_a_name_that_can_be_typed(node_tree: Any, key: str) -> None:
    parts = f"    parts: dict[str, Part] = {{{key!r}: Part()}}"
    node_tree({"parts/__init__.py": python("from cn import CN", "class Part(CN): ...", "class Holder(CN):", parts)})
    with pytest.raises(DefinitionError) as caught:
        imported("parts", "Holder")
    assert str(caught.value) == (
        f"Holder.parts has a node called {key!r}, which cannot be typed\n"
        "  defined in parts/__init__.py:4\n"
        f"  write: {better(key)!r}, or another name of A-Z, a-z, 0-9, _ and -"
    )


def test_a_field_has_a_name_that_can_be_typed(node_tree: Any) -> None:
    node_tree({"parts/__init__.py": python("from cn import CN", "class Part(CN):", "    größe: int = 1")})
    with pytest.raises(DefinitionError) as caught:
        imported("parts", "Part")
    assert str(caught.value) == (
        "Part.größe cannot be a field: its name has letters that cannot be typed\n"
        "  write: groe: ...\n"
        "  defined in parts/__init__.py:3"
    )
