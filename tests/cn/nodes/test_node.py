"""A class body is all there is: what makes a node, what one may do with it, and what is refused with the right line."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cn import CN, DefinitionError, FrozenError, MissingValueError, UserError, compose, derive
from cn.nodes.traversal import walk
from tests.cn.conftest import python

HERE = "tests/cn/nodes/test_node.py"


class Head(CN):
    dim: int = 8


class Part(CN):
    size: int = 1  # metres
    ratio: float = 1
    names: list[str] = ["a"]
    head: Head = Head(dim=3)
    heads: dict[str, Head] = {"one": Head()}
    other: Head | None = None


class Required(CN):
    size: int
    head: Head


class Tree(CN):
    value: int = 0
    left: Tree | None = None
    right: Tree | None = None


def test_a_node_is_a_dataclass_with_keyword_only_fields() -> None:
    assert dataclasses.is_dataclass(Part)
    assert [field.name for field in dataclasses.fields(Part)] == ["size", "ratio", "names", "head", "heads", "other"]
    assert all(field.kw_only for field in dataclasses.fields(Part))
    assert dataclasses.asdict(Head()) == {"dim": 8}
    with pytest.raises(UserError) as caught:
        Part(3, 2.0)  # type: ignore
    assert str(caught.value) == f"Part takes its values by name: Part(size=..., ratio=...)\n  defined in {HERE}:27"


def test_defaults_are_fresh_for_each_instance() -> None:
    one, two = Part(), Part()
    one.names.append("b")
    one.head.dim = 99
    one.heads["two"] = Head()
    assert (two.names, two.head.dim, list(two.heads)) == (["a"], 3, ["one"])


def test_a_default_does_not_follow_the_object_that_it_was_made_from() -> None:
    shared, given = Head(dim=1), (["a"],)

    class Local(CN):
        head: Head = shared
        names: tuple[list[str], ...] = given

    shared.dim = 2
    given[0].append("b")
    Local().names[0].append("c")
    assert repr(Local()) == "Local(head=Head(dim=1), names=(['a'],))"


def test_a_subclass_inherits_fields_and_changes_defaults() -> None:
    class Big(Part):
        size: int = 100
        extra: bool = True

    assert Big().size == 100
    assert Big().head == Head(dim=3)
    assert list(Big._fields) == [*Part._fields, "extra"]


def test_a_required_field_has_no_value_until_it_is_given() -> None:
    node = Required(size=1)  # type: ignore
    assert repr(node) == "Required(size=1)"
    with pytest.raises(MissingValueError) as caught:
        _ = node.head
    assert str(caught.value) == f"Required.head is required and has no value yet\n  defined in {HERE}:38"
    assert not hasattr(node, "head")
    assert not hasattr(node, "nothing")


def test_a_node_may_hold_nodes_of_its_own_type() -> None:
    tree = compose(Tree(left=Tree(value=1)), ["left.value=2"])
    assert tree == Tree(left=Tree(value=2))
    assert [address for address, _ in walk(tree)] == ["", "left"]


def test_a_class_in_a_function_may_hold_classes_of_that_function() -> None:
    class Inner(CN):
        value: int = 1

    class Outer(CN):
        inner: Inner = Inner(value=2)
        again: Outer | None = None

    assert compose(Outer, ["inner.value=3"]).inner == Inner(value=3)
    with pytest.raises(UserError, match=r"Outer\.inner is Inner, not Head\(dim=8\)"):
        Outer(inner=Head())  # type: ignore


def test_values_are_checked_whenever_they_are_set() -> None:
    node = Part()
    node.size = 3
    node.ratio = 2
    assert repr(node.ratio) == "2.0"
    with pytest.raises(UserError) as caught:
        node.size = "x"  # type: ignore
    assert str(caught.value) == f"Part.size is int, not 'x'\n  defined in {HERE}:28"
    with pytest.raises(UserError) as caught:
        Part(head=None)  # type: ignore
    assert str(caught.value) == f"Part.head is Head, not None\n  defined in {HERE}:31"
    with pytest.raises(UserError) as caught:
        Part(names="a" * 1000)  # type: ignore
    assert len(str(caught.value)) < 300


def test_an_unknown_field_is_refused_with_the_nearest() -> None:
    message = f"Part has no field 'sise'\n  defined in {HERE}:27\n  nearest: size"
    with pytest.raises(UserError) as caught:
        Part(sise=3)  # type: ignore
    assert str(caught.value) == message
    with pytest.raises(UserError) as caught:
        Part().sise = 3  # type: ignore
    assert str(caught.value) == message


def test_nodes_are_equal_by_value_and_by_type() -> None:
    class Small(Head): ...

    assert Part() == Part(size=1, ratio=1.0)
    assert Part() != Part(size=2)
    assert Part(head=Head(dim=4)) != Part()
    assert Head() != Small()
    assert Head() != 8
    assert Part(ratio=float("nan")) == Part(ratio=float("nan"))
    assert Part(heads={"a": Head()}) != Part(heads={"b": Head()})
    with pytest.raises(TypeError, match="unhashable"):
        hash(Head())


def test_whether_a_value_is_a_node_is_asked_of_no_subclass() -> None:
    """ABCMeta would ask each, whenever a class is new to it: 10 s of some 80 s of these tests."""
    called: list[str] = []
    new = type("New", (), {})()
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        assert not isinstance(new, CN)
        assert not issubclass(int, CN)
    finally:
        sys.setprofile(None)
    assert not called


def test_a_virtual_subclass_is_refused() -> None:
    class Pool(CN):
        size: int = 2  # of a side

    with pytest.raises(DefinitionError) as caught:
        Pool.register(int)
    assert str(caught.value) == "int cannot be registered as a Pool\n  write: class int(Pool)"


def test_a_composed_node_is_frozen_all_the_way_down() -> None:
    node = compose(Part)
    with pytest.raises(FrozenError) as caught:
        node.size = 3
    place = f"{HERE}:{caught.traceback[0].lineno + 1}"
    assert str(caught.value) == (
        "Part.size cannot be set: a composed node is frozen\n"
        f"  it was tried in {place}\n  make another with cn.compose(node, ['size=...'])"
    )
    for _, each in walk(node):
        with pytest.raises(FrozenError):
            each.dim = 3  # type: ignore
    with pytest.raises(FrozenError) as caught:
        del node.size
    assert str(caught.value) == "Part.size cannot be deleted: a node keeps all of its fields"
    with pytest.raises(FrozenError):
        node._frozen = False  # type: ignore


def test_composing_leaves_the_instance_that_it_began_with_as_it_was() -> None:
    node = Part()
    changed = compose(node, ["size=3", "head.dim=9", "+heads.two=1"][:2])
    assert (changed.size, changed.head.dim) == (3, 9)
    assert node == Part()
    node.size = 5
    again = compose(changed, ["size=4"])
    assert (changed.size, again.size, again.head.dim) == (3, 4, 9)


def test_copies_and_replacements_are_equal_and_keep_their_type() -> None:
    node = compose(Part, ["size=2"])
    assert copy.copy(node) == node == copy.deepcopy(node)
    assert copy.deepcopy(node).head is not node.head
    replaced = dataclasses.replace(node, size=7, head=Head(dim=1))
    assert (replaced.size, replaced.head.dim, replaced.ratio) == (7, 1, node.ratio)
    assert node.size == 2
    replaced.size = 8
    with pytest.raises(UserError, match="Part has no field 'sise'"):
        dataclasses.replace(node, sise=7)  # type: ignore
    with pytest.raises(UserError, match=r"Part\.size is int, not 'x'"):
        node.__replace__(size="x")


@pytest.mark.slow
def test_a_node_pickles_by_reference_into_another_process(run: Any, tree: Path) -> None:
    node = run("model=vit/small", "teacher=mlp", "betas=[0.1,0.2]", "mode=eval", "out=/tmp/x", "clip=nan")
    assert pickle.loads(pickle.dumps(node)) == node
    assert len(pickle.dumps(node)) < 2000
    script = python(
        "import pickle, sys",
        "node = pickle.load(sys.stdin.buffer)",
        "print(type(node.model).__module__, node.model.dim, node.mode, node.out, node._frozen, node.warmup)",
        "sys.stdout.buffer.flush()",
        "pickle.dump(node, open('back', 'wb'))",
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(node), cwd=tree, capture_output=True, check=True
    )
    assert done.stdout.decode() == "models.vit 384 Mode.eval /tmp/x True 5\n"
    back = pickle.loads((tree / "back").read_bytes())
    assert back == node
    with pytest.raises(FrozenError):
        back.seed = 3


def test_a_constant_a_method_and_a_private_name_are_no_fields() -> None:
    class Local(CN):
        LIMIT: ClassVar[int] = 3
        _cache = 4
        size: int = 1

        @property
        def double(self) -> int:
            return self.size * self.LIMIT

        @cached_property
        def triple(self) -> int:
            return self.size * 3

        @classmethod
        def make(cls) -> Local:
            return cls(size=2)

        @staticmethod
        def name() -> str:
            return "x"

        class Plain: ...

    node = compose(Local.make())
    assert list(Local._fields) == ["size"]
    assert (node.double, node.triple, node.name()) == (6, 6, "x")
    assert node == Local(size=2)


def test_a_field_specifier_of_dataclasses_works() -> None:
    class Local(CN):
        names: list[float] = dataclasses.field(default_factory=lambda: [1])
        size: int = dataclasses.field(default=3)

    assert repr(Local()) == "Local(names=[1.0], size=3)"
    with pytest.raises(DefinitionError, match="Wrong cannot be made: mutable default <class 'list'> for field names"):

        class Wrong(CN):
            names: list[float] = dataclasses.field(default=[1])


WRONG_DEFAULTS = {
    "it: int = '3'": "Wrong.it is int, but its default is '3'",
    "it: int = 3.0": "Wrong.it is int, but its default is 3.0",
    "it: int = True": "Wrong.it is int, but its default is True",
    "it: int = None": "Wrong.it is int, but its default is None",
    "it: str = 3": "Wrong.it is str, but its default is 3",
    "it: list[int] = ['a']": "Wrong.it is list[int], but its default is ['a']",
    "it: list[int] = (1,)": "Wrong.it is list[int], but its default is (1,)",
    "it: tuple[int, int] = (1, 2, 3)": "Wrong.it is tuple[int, int], but its default is (1, 2, 3)",
    "it: dict[str, int] = {1: 1}": "Wrong.it is dict[str, int], but its default is {1: 1}",
    "it: Head = Head": "Wrong.it is Head, but its default is <class 'tests.cn.nodes.test_node.Head'>",
    "it: Head = Part()": "Wrong.it is Head, but its default is Part(size=1, ratio=1.0, names=['a'], head=Head(dim=3), "
    "heads={'one': Head(dim=8)}, other=None)",
    "it: Head = None": "Wrong.it is Head, but its default is None",
    "it: dict[str, Head] = {'a': 3}": "Wrong.it is dict[str, Head], but its default is {'a': 3}",
    "it: Literal['a', 'b'] = 'c'": "Wrong.it is one of 'a', 'b', but its default is 'c'",
    "it: set[int] = set()": "Wrong.it cannot be set[int]: write a list",
}


@pytest.mark.parametrize("line", WRONG_DEFAULTS)
@pytest.mark.parametrize("future", [False, True])
def test_a_default_that_does_not_fit_is_refused_at_class_creation(node_tree: Any, line: str, future: bool) -> None:
    lines = ["from __future__ import annotations"] if future else ["import typing"]
    lines += ["from typing import Literal", "from tests.cn.nodes.test_node import CN, Head, Part", "class Wrong(CN):"]
    node_tree({"wrong.py": python(*lines, f"    {line}")})
    with pytest.raises(DefinitionError) as caught:
        __import__("wrong")
    written = {"it: Head = None": "it: Head | None = None", "it: Head = Head": "Head()"}
    instead = f"\n  write: {written[line]}" if line in written else ""
    assert str(caught.value) == f"{WRONG_DEFAULTS[line]}\n  defined in wrong.py:5{instead}"


def test_an_int_is_a_float_everywhere() -> None:
    class Local(CN):
        one: float = 1
        many: list[float] = [1, 2]
        pair: tuple[float, int] = (1, 2)

    assert repr(Local()) == repr(Local(one=1, many=[1, 2], pair=(1, 2)))
    assert repr(Local()) == "Local(one=1.0, many=[1.0, 2.0], pair=(1.0, 2))"


def test_a_name_that_is_defined_later_is_resolved_when_it_is_there(node_tree: Any) -> None:
    source = python(
        "from __future__ import annotations",
        "from cn import CN",
        "class First(CN):",
        "    second: Second | None = None",
        "    size: int = 'x'",
        "class Second(CN): ...",
    )
    node_tree({"late.py": source})
    late = __import__("late")
    with pytest.raises(DefinitionError) as caught:
        compose(late.First)
    assert str(caught.value) == "First.size is int, but its default is 'x'\n  defined in late.py:5"
    node_tree({"late.py": source.replace("'x'", "3")})
    late = __import__("late")
    assert repr(compose(late.First, ["size=4"])) == "First(second=None, size=4)"
    with pytest.raises(UserError, match=r"First.second is Second \| None, not 3"):
        late.First(second=3)


def test_a_name_that_is_never_defined_is_refused_when_it_is_needed(node_tree: Any) -> None:
    source = python(
        "from __future__ import annotations",
        "from typing import TYPE_CHECKING",
        "from cn import CN",
        "if TYPE_CHECKING:",
        "    from elsewhere import Second",
        "class First(CN):",
        "    second: Second | None = None",
    )
    node_tree({"never.py": source})
    with pytest.raises(DefinitionError) as caught:
        compose(__import__("never").First)
    assert str(caught.value) == (
        "First.second is annotated with a name that is not defined: name 'Second' is not defined\n"
        "  write: its import outside of `if TYPE_CHECKING`, so that it is there when the program runs\n"
        "  defined in never.py:7"
    )


def test_a_derived_default_is_written_as_such() -> None:
    assert repr(derive(lambda run: 1)) == "derive(...)"
    assert repr(partial(derive)) is not None


def test_a_class_without_a_docstring_has_none() -> None:
    assert Part.__doc__ is None
    assert "Tree" not in (Tree.__doc__ or "")


@pytest.mark.parametrize("future", [True, False])
def test_a_field_may_have_a_type_that_is_defined_in_its_class(node_tree: Any, future: bool) -> None:
    source = python(
        "from __future__ import annotations" if future else "",
        "from enum import Enum",
        "from cn import CN",
        "class Node(CN):",
        "    class Mode(Enum):",
        "        fast = 1",
        "    mode: Mode = Mode.fast",
    )
    node_tree({"inside.py": source})
    inside = __import__("inside")
    assert compose(inside.Node, ["mode=fast"]).mode is inside.Node.Mode.fast


def test_a_field_may_be_called_as_its_type_is(node_tree: Any) -> None:
    source = python(
        "from __future__ import annotations",
        "from pathlib import Path",
        "from cn import CN",
        "class Node(CN):",
        "    Path: Path = Path('a')",
        "    int: int = 3",
        "    other: int = 4",
    )
    node_tree({"named.py": source})
    assert repr(compose(__import__("named").Node, ["Path=b"])) == "Node(Path=PosixPath('b'), int=3, other=4)"


def test_nodes_may_have_several_bases() -> None:
    class Left(CN):
        size: int = 1
        left: str = "l"

    class Right(CN):
        size: int = 2
        right: list[str] = ["r"]

    class Mixin:
        def double(self) -> int:
            return self.size * 2  # type: ignore

    class Both(Mixin, Left, Right):
        both: bool = True

    assert compose(Both, ["right=[x]", "left=y"]) == Both(size=1, left="y", right=["x"])
    assert Both().double() == 2


def test_a_check_may_call_that_of_any_base_whether_the_base_defines_one_or_not() -> None:
    class Base(CN):
        size: int = 1

    class Sub(Base):
        def check(self) -> None:
            super().check()
            if self.size > 2:
                raise ValueError("size is more than 2")

    assert compose(Sub, ["size=2"]).size == 2
    with pytest.raises(UserError, match="size is more than 2"):
        compose(Sub, ["size=3"])


class Sized(CN):
    width: int = 3

    @cached_property
    def size(self) -> int:
        return self.width * 4

    def check(self) -> None:
        if self.size > 1000:
            raise ValueError("it is too large")


class Total(CN):
    part: Sized = Sized()
    total: int = derive(lambda run: run.part.size)


def test_a_cached_property_is_computed_anew_once_its_node_is_changed() -> None:
    run = compose(Total)
    assert (run.part.size, run.total) == (12, 12)
    other = compose(run, ["part.width=10"])
    assert (other.part.size, other.total, run.part.size) == (40, 40, 12)
    with pytest.raises(UserError, match="it is too large"):
        compose(run, ["part.width=1000"])


class Below(CN):
    steps: int = 200
    rate: float = derive(lambda run: 0.5)
    beside: int = 1


class Long(Below):
    steps: int = 900
    rate: float = 0.1


class Loud(Below):
    volume: int = 3


class LongAndLoud(Loud, Long):
    pass


def test_of_several_bases_the_default_is_that_of_python() -> None:
    """`Loud` inherits what `Long` sets, and comes before it."""
    node = compose(LongAndLoud)
    assert (node.steps, node.rate, node.beside, node.volume) == (900, 0.1, 1, 3)
    assert (LongAndLoud.steps, LongAndLoud().steps) == (900, 900)
    assert [field.name for field in dataclasses.fields(LongAndLoud)] == ["steps", "rate", "beside", "volume"]
    assert dataclasses.fields(LongAndLoud)[0].default == 900


class Fixed(Below):
    steps: ClassVar[int] = 5  # type: ignore[misc]


def test_a_constant_takes_the_place_of_a_field() -> None:
    assert compose(Fixed).steps == 5
    with pytest.raises(UserError, match="Fixed has no field 'steps'"):
        compose(Fixed, ["steps=7"])
    assert "steps" not in repr(Fixed())


TENFOLD: Any = derive(lambda run: run.base * 10)


class Shared(CN):
    base: int = 1
    first: int = TENFOLD
    second: int = TENFOLD
    self: int = 3


def test_one_derive_may_be_the_default_of_several_fields() -> None:
    run = compose(Shared, ["second=99"])
    assert (run.first, run.second) == (10, 99)
    assert (Shared(first=4).first, compose(Shared()).second) == (4, 10)


def test_a_field_may_be_called_self() -> None:
    assert Shared(self=4).self == 4
    assert compose(Shared, ["self=5"]).self == 5


class Told(CN):
    base: int = 2
    more: int = derive(lambda run, factor=3: run.base * factor)


def test_a_parameter_of_derive_with_a_default_keeps_it() -> None:
    assert compose(Told).more == 6
