"""A node that names its target is built without wrapper code, and without importing the library before it is built."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import hydra.utils
import pytest

from cn import CN, DefinitionError, UserError, compose, instantiate
from cn.nodes.field_types import same
from cn.nodes.target import check_target, locate, target_of
from tests.cn.conftest import start


class Delta(CN):
    _target_: str = "datetime.timedelta"
    days: int = 1
    hours: float = 2.0


class Sorted(CN):
    _target_: str = "builtins.sorted"
    _partial_: bool = True
    reverse: bool = True


class Inner(CN):
    size: int = 1


class Pair(CN):
    _target_: str = "tests.cn.nodes.test_target.Both"
    first: Delta = Delta(days=3)
    second: Inner = Inner()
    several: dict[str, Delta] = {"a": Delta(days=1)}
    where: Path = Path("x")
    pair: tuple[int, int] = (1, 2)


class Both:
    def __init__(self, first: Any, second: Any, several: Any, where: Path, pair: Any) -> None:
        self.given = (first, second, several, where, pair)


class Named(CN):
    _target_: str = "collections.namedtuple"
    typename: str = "Point"
    field_names: list[str] = ["x", "y"]


def test_the_target_is_called_with_the_fields() -> None:
    assert str(instantiate(compose(Delta, ["days=2"]))) == "2 days, 2:00:00"
    assert instantiate(compose(Named))(1, 2) == (1, 2)


def test_what_is_known_only_later_is_given_later() -> None:
    assert str(instantiate(Delta(), days=5)) == "5 days, 2:00:00"
    sort = instantiate(Sorted())
    assert isinstance(sort, partial)
    assert sort([1, 3, 2]) == [3, 2, 1]
    assert instantiate(Sorted(), reverse=False)([1, 3, 2]) == [1, 2, 3]
    assert instantiate(Sorted(), [1, 3, 2])() == [3, 2, 1]


def test_children_with_a_target_are_built_first_and_others_passed_as_they_are() -> None:
    node = compose(Pair)
    first, second, several, where, pair = instantiate(node).given
    assert (str(first), second, str(several["a"])) == ("3 days, 2:00:00", Inner(), "1 day, 2:00:00")
    assert same((where, pair), (Path("x"), (1, 2)))


def test_hydra_instantiates_a_composed_node_too() -> None:
    # from 1.4 on Hydra wants to be told which targets may be called
    may: Any = {} if hydra.__version__ < "1.4" else {"_execution_whitelist_": ["datetime.timedelta", "builtins.sorted"]}
    assert str(hydra.utils.instantiate(compose(Delta, ["days=2"]), **may)) == "2 days, 2:00:00"
    assert hydra.utils.instantiate(compose(Sorted), **may)([1, 3, 2]) == [3, 2, 1]


def test_the_target_is_no_value_of_the_command_line() -> None:
    with pytest.raises(UserError) as caught:
        compose(Delta, ["_target_=os.system"])
    assert str(caught.value).startswith("_target_=os.system: Delta has no field '_target_'\n")
    assert "choose from: days, hours" in str(caught.value)


def test_a_subclass_changes_the_target_and_keeps_the_fields() -> None:
    class Other(Delta):
        _target_: str = "builtins.dict"

    assert instantiate(Other()) == {"days": 1, "hours": 2.0}
    assert (target_of(Other), target_of(Other())) == ("builtins.dict", "builtins.dict")


NOT_THERE = {
    "datetime.timedelt": "datetime.timedelt does not exist: datetime has no 'timedelt'\n"
    "  nearest: timedelta, time, timezone",
    "datetime.timedelta.x": "datetime.timedelta.x does not exist: datetime has no 'x'\n"
    "  choose from: days, max, microseconds, min, resolution, seconds, total_seconds",
    "nowhere.at.all": "nowhere.at.all does not exist: no module is called 'nowhere'\n"
    "  install the package, or mend the name in `_target_`",
    "nowhere": "nowhere does not exist: it names no module\n  install the package, or mend the name in `_target_`",
    "print": "print does not exist: it names no module\n  write: builtins.print",
    ".optim": ".optim does not exist: no module is called ''\n  install the package, or mend the name in `_target_`",
    "": " does not exist: no module is called ''\n  install the package, or mend the name in `_target_`",
    "json.decoderr.X": "json.decoderr.X does not exist: json has no 'decoderr'\n"
    "  nearest: decoder, encoder, JSONDecoder",
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_a_target_that_does_not_exist_is_told(name: str) -> None:
    with pytest.raises(UserError) as caught:
        locate(name)
    assert str(caught.value) == NOT_THERE[name]


def test_a_module_that_breaks_on_import_is_not_taken_for_one_that_is_not_there(node_tree: Any) -> None:
    node_tree({"wrong.py": "import nowhere_at_all\n"})
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        locate("wrong.thing")


def test_a_node_without_a_target_says_how_to_name_one() -> None:
    with pytest.raises(UserError) as caught:
        instantiate(Inner())
    assert str(caught.value) == (
        'Inner names no target\n  defined in tests/cn/nodes/test_target.py:31\n  write: _target_: str = "package.name"'
    )


def test_fields_that_the_target_does_not_take_are_found_without_calling_it() -> None:
    class Wrong(CN):
        _target_: str = "tests.cn.nodes.test_target.Both"
        first: int = 1
        thrid: int = 2

    class Positional(CN):
        _target_: str = "builtins.sorted"
        iterable: list[int] = []

    check_target(Pair)
    check_target(Named)
    with pytest.raises(UserError) as caught:
        check_target(Wrong)
    what, where, near = str(caught.value).split("\n")
    assert what == "tests.cn.nodes.test_target.Both takes no 'thrid'"
    assert where.startswith("  defined in tests/cn/nodes/test_target.py:")
    assert near == "  choose from: first, pair, second, several, where"
    with pytest.raises(UserError, match=r"builtins\.sorted takes no 'iterable'"):
        check_target(Positional)


@pytest.mark.slow
def test_a_library_is_imported_only_when_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("class Thing:\n    def __init__(self, size): self.size = size\n")
    (tmp_path / "node.py").write_text(
        "import sys\nimport cn\n\nclass Node(cn.CN):\n    _target_: str = 'library.Thing'\n    size: int = 1\n\n"
        "node = cn.compose(Node, ['size=3'])\nprint('library' in sys.modules)\n"
        "print(cn.instantiate(node).size, 'library' in sys.modules, 'torch' in sys.modules)\n"
    )
    done = start(tmp_path, "node.py")
    assert (done.stdout, done.stderr) == ("False\n3 True False\n", "")
    assert "library" not in sys.modules


class Taken:
    """Keeps what it was called with."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.args, self.named = args, named

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taken) and (self.args, self.named) == (other.args, other.named)

    def __hash__(self) -> int:
        raise TypeError

    def __repr__(self) -> str:
        return f"Taken({self.args}, {self.named})"


TAKEN = "tests.cn.nodes.test_target.Taken"


class Leaf(CN):
    _target_: str = TAKEN
    size: int = 3


class Positional(CN):
    _target_: str = TAKEN
    _args_: list[Any] = [1, {"_target_": "builtins.complex", "real": 2, "imag": 3}]
    name: str = "a"


class Flat(CN):
    _target_: str = TAKEN
    _recursive_: bool = False
    leaf: Leaf = Leaf()
    table: dict[str, Any] = {"_target_": "builtins.dict", "a": 1}


class Deep(CN):
    _target_: str = TAKEN
    table: dict[str, Any] = {"one": {"_target_": "builtins.dict", "a": [{"_target_": "builtins.complex", "real": 1}]}}
    several: list[Any] = [{"_target_": TAKEN, "_args_": [5], "x": {"_target_": "builtins.list"}}, 7]
    later: dict[str, Any] = {"_target_": "builtins.sorted", "_partial_": True, "reverse": True}
    raw: dict[str, Any] = {"_target_": TAKEN, "_recursive_": False, "x": {"_target_": "builtins.list"}}


class Whole(CN):
    _target_: str = TAKEN
    _convert_: str = "all"
    inner: Inner = Inner(size=4)
    leaf: Leaf = Leaf()


def test_positional_arguments_are_those_of_the_node_or_the_late_ones() -> None:
    assert instantiate(Positional()) == Taken(1, 2 + 3j, name="a")
    assert instantiate(Positional(), 8, name="b") == Taken(8, name="b")


def test_targets_in_lists_and_dicts_are_called_by_their_own_rules() -> None:
    found = instantiate(Deep())
    assert found.named["table"] == {"one": {"a": [1 + 0j]}}
    assert found.named["several"] == [Taken(5, x=[]), 7]
    assert found.named["later"]([1, 3, 2]) == [3, 2, 1]
    assert found.named["raw"] == Taken(x={"_target_": "builtins.list"})


def test_without_recursion_what_is_below_is_passed_as_it_is() -> None:
    assert instantiate(Flat()) == Taken(leaf=Leaf(), table={"_target_": "builtins.dict", "a": 1})


def test_a_child_without_a_target_is_a_node_or_where_all_is_converted_a_dict() -> None:
    assert instantiate(Whole()) == Taken(inner={"size": 4}, leaf=Taken(size=3))
    assert instantiate(Pair()).given[1] == Inner()


class Between(CN):
    _target_: str = TAKEN
    inner: Inner = Inner()


class Around(CN):
    _target_: str = TAKEN
    _convert_: str = "all"
    below: Between = Between()
    own: Whole = Whole()
    table: dict[str, Any] = {"_target_": TAKEN, "x": {"_target_": TAKEN, "y": 1}}


class Plainer(Whole):
    _target_: str = "builtins.dict"


class Undone(Whole):
    _convert_: str = "none"


def test_a_subclass_with_its_own_target_inherits_the_other_names_of_hydra() -> None:
    class Late(Sorted):
        _target_: str = "builtins.dict"

    assert (Late()._partial_, Plainer()._convert_) == (True, "all")
    assert instantiate(Late())() == {"reverse": True}
    assert instantiate(Plainer()) == {"inner": {"size": 4}, "leaf": Taken(size=3)}
    assert instantiate(Undone()) == Taken(inner=Inner(size=4), leaf=Taken(size=3))


def test_what_is_converted_is_converted_in_nodes_below_too() -> None:
    assert instantiate(Around()).named["below"] == Taken(inner={"size": 1})
    assert instantiate(Between()) == Taken(inner=Inner())


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("_target_ = 'a.b'", "_target_: str = 'a.b'"),
        ("_convert_ = 'all'", "_convert_: str = 'all'"),
        ("_partial_ = False", "_partial_: bool = False"),
        ("_args_ = [1]", "_args_: list = [1]"),
    ],
)
def test_a_name_of_hydra_without_an_annotation_is_refused(node_tree: Any, line: str, instead: str) -> None:
    node_tree({"part.py": f"from cn import CN\nclass Part(CN):\n    {line}\n"})
    with pytest.raises(DefinitionError) as caught:
        import part  # type: ignore # noqa: F401
    name = line.partition(" ")[0]
    assert str(caught.value) == (
        f"Part.{name} has no annotation, so it would not be a field\n  write: {instead}\n  defined in part.py:3"
    )


def test_hydra_calls_the_same_for_each_of_these_names() -> None:
    may: Any = {}
    if hydra.__version__ >= "1.4":
        names = ("dict", "complex", "list", "sorted")
        may = {"_execution_whitelist_": [TAKEN, *(f"builtins.{name}" for name in names)]}
    for node in (Positional(), Whole(), Around(), Plainer()):
        assert hydra.utils.instantiate(compose(node), **may) == instantiate(node)
    theirs, ours = hydra.utils.instantiate(compose(Deep), **may), instantiate(Deep())
    for name in ("table", "several"):
        assert theirs.named[name] == ours.named[name]
    assert theirs.named["later"]([1, 3, 2]) == ours.named["later"]([1, 3, 2])


WRONG = {
    "_convert_: str = 'some'": "_convert_ is one of none, partial, object, all, not 'some'",
    "_args_: int = 3": "_args_ is a list, not 3",
    "_recursive_: str = 'no'": "_recursive_ is a bool, not 'no'",
    "_partial_: int = 1": "_partial_ is a bool, not 1",
}


@pytest.mark.parametrize("line", WRONG)
def test_another_value_of_these_names_is_refused(line: str) -> None:
    scope: dict[str, Any] = {"CN": CN, "__name__": __name__}
    exec(f"class No(CN):\n    _target_: str = 'builtins.dict'\n    {line}\n", scope)
    with pytest.raises(UserError) as refused:
        instantiate(scope["No"]())
    assert str(refused.value).splitlines()[0] == f"builtins.dict: {WRONG[line]}"


def test_a_field_that_is_given_by_position_already_is_no_parameter_any_more() -> None:
    class Once(CN):
        _target_: str = "tests.cn.nodes.test_target.Both"
        _args_: list[Any] = [3, 4]
        pair: int = 2

    class Twice(Once):
        first: int = 2

    check_target(Once)
    with pytest.raises(UserError, match=r"^tests\.cn\.nodes\.test_target\.Both takes no 'first'"):
        check_target(Twice)


def test_a_target_that_does_not_say_what_it_takes_is_not_checked() -> None:
    check_target(Delta)


@pytest.mark.parametrize(("name", "kind"), [("math.pi", "float"), ("os.path", "module")])
def test_a_target_that_cannot_be_called_is_refused(name: str, kind: str) -> None:
    scope: dict[str, Any] = {"CN": CN, "__name__": __name__}
    exec(f"class No(CN):\n    _target_: str = {name!r}\n", scope)
    for call in (lambda: instantiate(scope["No"]()), lambda: check_target(scope["No"])):
        with pytest.raises(UserError) as refused:
            call()
        assert str(refused.value) == f"{name} cannot be called: it is a {kind}\n  mend the name in `_target_`"
