"""A record has no module imported but those of nodes, wherever in it the module is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cn
from cn import CN, UserError, compose
from cn.cli.composed import contracts
from cn.nodes.to_json import plain
from cn.writing.python import as_python
from cn.writing.record import dump, load, unplain
from cn.writing.record_class import of_nodes, recorded
from tests.cn.conftest import MODEL, imported, node, python, start

TOUCH = "open('imported', 'a').write(__name__)\n"
OUTSIDE = {
    "tests/__init__.py": "",
    "tests/x.py": TOUCH + python("from cn import CN", "class Y(CN): ..."),
    "scripts/clean.py": TOUCH + python("from runs import Run", "class Y(Run): ..."),
    "alone.py": TOUCH + python("class Y: ..."),
    "told/__init__.py": '"""\nfrom cn import CN\n"""\nif False:\n    from cn import CN\n' + TOUCH,
    "told/x.py": TOUCH,
    "broken/__init__.py": "from cn import (\n",
    "broken/x.py": TOUCH,
    "lazy.py": "def __getattr__(name):\n    import alone\n    return alone.Y\n",
}
NOT_OF_NODES = [
    "tests.x:Y",
    "scripts.clean:Y",
    "alone:Y",
    "told:Y",
    "told.x:Y",
    "broken.x:Y",
    "this:x",
    "antigravity:Y",
]


@pytest.fixture
def project(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small repository with what is none of its nodes beside them."""
    for name, source in OUTSIDE.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(source)
    monkeypatch.chdir(tree)
    for name in list(sys.modules):
        if name.partition(".")[0] in ("tests", "this", "antigravity"):
            monkeypatch.delitem(sys.modules, name)
    return tree


@pytest.mark.parametrize("name", NOT_OF_NODES)
def test_a_class_that_is_none_of_nodes_is_refused_before_its_module_is_imported(project: Path, name: str) -> None:
    from runs import Run

    module = name.partition(":")[0]
    whole = plain(compose(Run, ["callbacks=[stop]"]))
    for place in ([], ["model"], ["model", "head"], ["callbacks", "stop"]):
        record = json.loads(json.dumps(whole))
        inner = record
        for key in place:
            inner = inner[key]
        inner["_class_"] = name
        (project / "config.json").write_text(json.dumps(record))
        with pytest.raises(UserError) as caught:
            cn.load(project)
        assert str(caught.value) == (
            f"{project}/config.json needs the class {name!r}, and {module!r} is not a module of nodes\n"
            "  a record may import only modules in a folder of nodes, whose __init__.py imports cn\n"
            "  edit the record"
        )
    assert module not in sys.modules
    assert not (project / "imported").exists()


@pytest.mark.parametrize("name", ["lazy:Y", "os:system", "json:decoder.JSONDecoder", "runs:os.system"])
def test_a_module_that_is_there_already_is_asked_for_what_it_has_and_no_more(project: Path, name: str) -> None:
    import lazy  # pyright: ignore[reportMissingImports]  # noqa: F401

    with pytest.raises(UserError):
        recorded(name, "the record")
    assert "alone" not in sys.modules


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone:Node", "ModuleNotFoundError: No module named 'gone'"),
        ("models.gone:Node", "ModuleNotFoundError: No module named 'models.gone'"),
        ("models.mlp:Gone", "AttributeError: module 'models.mlp' has no attribute 'Gone'"),
        ("../x:Y", "ImportError: '../x' is no module's name"),
        ("/etc/x:Y", "ImportError: '/etc/x' is no module's name"),
        (".models:Y", "ImportError: '.models' is no module's name"),
        ("", "ImportError: '' is no module's name"),
        ("a\x1b:Y", "ImportError: 'a\\\\x1b' is no module's name"),
        ("__main__:Gone", "AttributeError: module '__main__' has no attribute 'Gone'"),
    ],
)
def test_what_is_not_there_is_told_as_such(project: Path, name: str, why: str) -> None:
    with pytest.raises(UserError) as caught:
        recorded(name, "the record")
    assert str(caught.value).split("\n")[1] == f"  {why}"


A = node("A", "parts:Model")
WITHIN = python("from parts import Model", "class A:", "    class B(Model): ...")
NODES = {
    "a public file": ({"parts/__init__.py": MODEL, "parts/a.py": A}, "parts.a:A"),
    "an underscore file": ({"parts/__init__.py": MODEL, "parts/_a.py": A}, "parts._a:A"),
    "the contract": ({"parts/__init__.py": MODEL}, "parts:Model"),
    "a class within one": (
        {"parts/__init__.py": MODEL, "parts/a.py": WITHIN},
        "parts.a:A.B",
    ),
    "a folder in the folder": ({"parts/__init__.py": MODEL, "parts/b/c/a.py": A}, "parts.b.c.a:A"),
    "folders in a package": (
        {"own/__init__.py": "", "own/parts/__init__.py": MODEL, "own/parts/a.py": node("A", "own.parts:Model")},
        "own.parts.a:A",
    ),
    "a file without a folder": ({"single.py": MODEL}, "single:Model"),
    "a class under an old name": (
        {
            "parts/__init__.py": MODEL,
            "parts/new.py": A,
            "parts/_old.py": "def __getattr__(name):\n    import parts.new\n    return getattr(parts.new, name)\n",
        },
        "parts._old:A",
    ),
}


@pytest.mark.parametrize("case", NODES)
def test_a_module_of_nodes_is_imported(node_tree: Any, case: str) -> None:
    files, name = NODES[case]
    node_tree(files)
    assert name.partition(":")[0] not in sys.modules
    assert issubclass(recorded(name, "the record"), CN)


def test_in_a_folder_without_a_contract_the_type_of_the_field_is_enough(node_tree: Any, tmp_path: Path) -> None:
    base = python("from cn import CN", "class Base(CN): ...", "class Holder(CN):", "    part: Base = Base()")
    node_tree({"shapes/base.py": base, "shapes/circle.py": node("Circle", "shapes.base:Base")})
    holder = imported("shapes.base", "Holder")
    dump(compose(holder, ["part=circle"]), tmp_path)
    for name in ("shapes.circle", "shapes.base"):
        del sys.modules[name]
    with pytest.raises(UserError, match="'shapes.base' is not a module of nodes".replace(".", r"\.")):
        load(tmp_path)
    holder = imported("shapes.base", "Holder")
    assert type(load(tmp_path).part).__name__ == "Circle"
    (tmp_path / "config.json").write_text('{"_class_": "shapes.circle:Circle"}')
    del sys.modules["shapes.circle"]
    assert type(load(tmp_path, (imported("shapes.base", "Base"),))).__name__ == "Circle"


@pytest.mark.parametrize("name", ["cn.nodes.node:CN", "cn:CN", "cn:CNMeta", "cn:compose"])
def test_what_is_no_node_is_told_as_such(project: Path, name: str) -> None:
    (project / "config.json").write_text(json.dumps({"_class_": name}))
    with pytest.raises(UserError) as caught:
        cn.load(project)
    assert str(caught.value) == f"{project}/config.json needs the class {name!r}, which is not a node"


@pytest.mark.slow
def test_a_program_goes_on_with_a_record_of_its_own_nodes(tree: Path) -> None:
    start(
        tree, "-c", "from runs.default import Default; from cn.writing.record import dump; dump(Default(seed=5), '.')"
    )
    assert start(tree, "train.py", "--from", ".").stdout == "trained ViT with seed 5\n"
    elsewhere = tree / "elsewhere"
    elsewhere.mkdir()
    script = "import cn; print(cn.load('..').seed)"
    done = start(elsewhere, "-c", f"import sys; sys.path.insert(0, {str(tree)!r}); {script}")
    assert (done.stdout, done.stderr) == ("5\n", "")


def test_what_is_called_is_said_by_the_class_and_not_by_the_record(node_tree: Any) -> None:
    node_tree(
        {
            "parts/__init__.py": MODEL,
            "parts/a.py": A.replace("...", "\n    _target_: str = 'builtins.dict'"),
        }
    )
    record = plain(imported("parts.a", "A")())
    assert unplain(record)._target_ == "builtins.dict"  # type: ignore[attr-defined]
    with pytest.raises(UserError) as caught:
        unplain({**record, "_target_": "os.system"})
    assert str(caught.value) == (
        "the record gives A the target 'os.system', and its class names another\n"
        "  defined in parts/a.py:3\n"
        "  a record cannot say what is called: put a class with that target there, or edit the record"
    )


def test_a_target_that_a_class_above_names_is_read_and_written_as_python(node_tree: Any) -> None:
    data = "    data: Data = Data(_target_='{}')\n"
    files = {
        "parts/__init__.py": MODEL + "class Data(CN):\n    _target_: str\n    x: int = 1\n",
        "parts/a.py": "from parts import Data, Model\nclass A(Model):\n" + data.format("builtins.dict"),
        "parts/b.py": "from parts import Data\nfrom parts.a import A\nclass B(A):\n" + data.format("a.b"),
        "parts/c.py": python(
            "from parts import Model",
            "from parts.b import B",
            "class C(Model):",
            "    many: dict[str, B] = {'b': B()}",
        ),
    }
    node_tree(files)
    one = imported("parts.b", "B")(data=imported("parts", "Data")(_target_="a.b", x=2))
    many = imported("parts.c", "C")()
    for each in (one, many):
        assert unplain(plain(each)) == each
        scope: dict[str, Any] = {}
        exec(as_python(each), scope)
        assert scope["run"] == each
    assert 'data=Data(_target_="a.b", x=2)' in as_python(one)
    with pytest.raises(UserError, match=r"gives Data the target 'os\.system'"):
        unplain({**plain(one), "data": {**plain(one.data), "_target_": "os.system"}})


SHARED = {
    "lab/__init__.py": "from lab._base import Experiment as Experiment\n",
    "lab/_base.py": python("from cn import CN", "class Experiment(CN):", "    seed: int = 0"),
    "lab/plain.py": "class Plain: ...\n",
    "trials/__init__.py": python("from lab import Experiment", "class Trial(Experiment): ..."),
    "dotted/__init__.py": python("import lab as library", "class Trial(library.Experiment): ..."),
    **{
        f"{name}/default.py": f"from {name} import Trial\n\n\nclass Default(Trial): ...\n"
        for name in ("trials", "dotted")
    },
    "other/__init__.py": TOUCH
    + python("from lab import Experiment", "from lab.plain import Plain", "class X(Plain): ..."),
}


def test_a_contract_may_derive_from_a_node_of_another_package(
    node_tree: Callable[[dict[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = node_tree(SHARED)
    monkeypatch.chdir(tree)
    assert not of_nodes("other.default")
    for folder in ("trials", "dotted"):
        assert folder not in sys.modules
        assert vars(unplain({"_class_": f"{folder}.default:Default", "seed": 3}))["seed"] == 3
    assert {each.__module__ for each in contracts([])} == {"trials", "dotted"}
    assert not (tree / "imported").exists()
