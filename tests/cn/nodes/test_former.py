"""What was renamed, moved or added at any depth: old records load, and name the same trial."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

import cn
from cn import CN, DefinitionError, Neutral, UserError, Was, derive
from cn.composing.compose import RenamedWarning
from cn.nodes.former import before as oldest_form
from cn.nodes.former import current
from cn.nodes.to_json import plain
from cn.writing.record import RecordWarning, unplain


class Task(CN):
    smoothing: float = 0.0
    kind: str = "plain"
    share: float = derive(lambda run: run.steps / 10)


class Run(CN):
    task: Task = Task()
    steps: int = 5

    _moved_: ClassVar[dict[str, str]] = {"smoothing": "task.smoothing"}


def record(**values: object) -> dict[str, object]:
    return {"_class_": f"{__name__}:Run", **values}


def before(node: CN) -> dict[str, object]:
    given = plain(node)
    found = oldest_form(node, given)
    assert given == plain(node)
    return found


def test_an_old_record_is_read_as_one_of_now():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordWarning)
        node = unplain(record(smoothing=0.25, steps=20))
    assert node == cn.compose(Run, ["task.smoothing=0.25", "steps=20"])


def test_a_new_record_is_read_as_it_is():
    whole = plain(cn.compose(Run, ["task.smoothing=0.5"]))
    assert current(Run, whole) is whole


def test_a_run_that_could_be_said_before_has_its_old_record():
    assert before(cn.compose(Run, ["task.smoothing=0.25", "steps=20"])) == record(smoothing=0.25, steps=20)


def test_a_run_that_could_not_be_said_before_keeps_its_new_record():
    node = cn.compose(Run, ["task.kind=other"])
    assert before(node) == plain(node)


def test_a_derived_field_that_an_old_record_has_not_is_worked_out(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({**record(steps=20), "task": {"_class_": f"{__name__}:Task"}}))
    with pytest.warns(RecordWarning):
        node = cn.load(tmp_path)
    assert node.task.share == 2.0


class Part(CN):
    size: int = 3
    extra: Annotated[float, Neutral()] = 0.0


class Large(Part):
    size: int = 30
    more: Annotated[int, Neutral()] = 1


class Holder(CN):
    part: Part = Large()


class Whole(CN):
    part: Part = Part()
    absent: Part | None = None
    parts: dict[str, Part] = {"a": Part(size=1), "b": Large()}
    holder: Holder = Holder()

    _moved_: ClassVar[dict[str, str]] = {"size": "part.size"}


def old(name: str, **values: object) -> dict[str, object]:
    return {"_class_": f"{__name__}:{name}", **values}


OLD = old(
    "Whole",
    size=3,
    absent=None,
    parts={"a": old("Part", size=1), "b": old("Large", size=30)},
    holder=old("Holder", part=old("Large", size=30)),
)


def test_neutral_fields_of_nodes_at_any_depth_are_left_out_at_their_defaults():
    assert before(cn.compose(Whole)) == OLD


@pytest.mark.parametrize("word", ["part.extra=0.5", "parts.b.more=2", "parts.a.extra=0.5", "holder.part.extra=0.5"])
def test_a_neutral_field_with_another_value_is_in_the_record(word: str):
    found, value = str(before(cn.compose(Whole, [word]))), word.partition("=")[2]
    assert found.count("extra") + found.count("more") == 1
    assert f": {value}" in found


def test_a_record_older_than_fields_of_its_nodes_is_read_without_a_warning():
    """The warning would be an error here."""
    assert unplain({**OLD}) == cn.compose(Whole)


class Renamed(CN):
    hidden: Annotated[int, Was("hidden_dim", "dim")] = 128  # of a layer
    twice: int = derive(lambda run: run.part.hidden * 2)


class Wider(Renamed):
    hidden: int = 256


class Root(CN):
    part: Renamed = Renamed()
    others: dict[str, Renamed] = {"a": Wider()}

    _was_ = ("tests.gone.Root", "tests.cn.nodes.test_former.First")


@pytest.mark.parametrize("name", ["hidden", "hidden_dim", "dim"])
def test_a_record_with_any_name_of_a_field_is_read(name: str):
    node = unplain(old("Root", part=old("Renamed", **{name: 7, "twice": 14}), others={"a": old("Wider", **{name: 9})}))
    assert node == cn.compose(Root, ["part.hidden=7", "part.twice=14", "others.a.hidden=9"])


def test_a_derived_value_stays_derived_under_its_new_name():
    class Derives(CN):
        size: int = 2
        double: Annotated[int, Was("twice")] = derive(lambda run: run.size * 2)

    node = cn.compose(Derives)
    record = current(Derives, {"size": 2, "twice": 4, "_derived_": ["twice"]})
    assert record == {"size": 2, "double": 4, "_derived_": ["double"]}
    assert oldest_form(node, plain(node))["_derived_"] == ["twice"]


def test_a_record_with_both_names_is_refused():
    with pytest.raises(UserError, match="gives Renamed a value for 'dim', which is not a field now"):
        unplain(old("Renamed", hidden=1, dim=2))


def test_the_oldest_form_has_the_oldest_names_of_fields_and_classes():
    node = cn.compose(Root)
    assert before(node) == {
        "_class_": "tests.cn.nodes.test_former:First",
        "part": old("Renamed", dim=128, twice=256, _derived_=["twice"]),
        "others": {"a": old("Wider", dim=256, twice=256, _derived_=["twice"])},
    }


def test_an_old_name_on_the_command_line_is_read_and_told():
    with pytest.warns(RenamedWarning) as told:
        node = cn.compose(Root, ["part.hidden_dim=7", "others.a.dim=9"])
    assert (node.part.hidden, node.others["a"].hidden) == (7, 9)
    assert [str(each.message) for each in told] == [
        "part.hidden_dim=7: this field is called part.hidden now",
        "others.a.dim=9: this field is called others.a.hidden now",
    ]


def test_both_names_on_the_command_line_are_refused():
    with pytest.raises(UserError) as refused:
        cn.compose(Root, ["part.hidden_dim=7", "part.hidden=8"])
    told = "part.hidden_dim=7 and part.hidden=8 set one field, which is called part.hidden now\n  keep one"
    assert str(refused.value) == told


def test_an_old_name_in_python_is_refused_with_the_line_to_write():
    with pytest.raises(UserError) as refused:
        Renamed(hidden_dim=3)
    first, *_, last = str(refused.value).splitlines()
    assert (first, last) == ("Renamed has no field 'hidden_dim': it is called hidden now", "  write: hidden=...")


BODIES = {
    "a: Annotated[int, Was('b')] = 1; b: int = 2": "No.a was 'b', which is a field now: a record could mean either",
    "a: Annotated[int, Was('c')] = 1; b: Annotated[int, Was('c')] = 2": "No.b was 'c', which is an old name of a too: "
    "a record could mean either",
    "a: Annotated[int, Was()] = 1": 'No.a Was() names no field: write Was("old_name")',
    "a: Annotated[int, Was('x y')] = 1": "No.a Was('x y') gives no name of a field: write Was(\"old_name\")",
    "a: Annotated[int, Was(None)] = 1": 'No.a Was(None) gives no name of a field: write Was("old_name")',
    "a: Annotated[int, Was('b'), Was('c')] = 1": "No.a has Was(...) twice: write one, with all names",
    "a: Annotated[int, Neutral] = 1": "No.a cannot be annotated with Neutral: write Neutral(...)",
    "a: Annotated[int, Was] = 1": "No.a cannot be annotated with Was: write Was(...)",
    "a: Annotated[int, Was(3)] = 1": 'No.a Was(3) gives no name of a field: write Was("old_name")',
}


@pytest.mark.parametrize(("body", "told"), BODIES.items())
def test_what_a_class_cannot_say_of_its_past_is_refused(body: str, told: str):
    names = {"CN": CN, "__name__": __name__}
    with pytest.raises(DefinitionError) as refused:
        exec(f"class No(CN):\n    {body}\n", names)
    assert str(refused.value).splitlines()[0] == told


def test_a_neutral_field_needs_a_default():
    class Lacks(CN):
        size: Annotated[int, Neutral()]

    with pytest.raises(DefinitionError, match=r"Lacks\.size is Neutral\(\), and has no default"):
        oldest_form(Lacks(size=3), plain(Lacks(size=3)))


def test_a_neutral_node_is_left_out_at_its_default():
    class Later(CN):
        size: int = 3
        part: Annotated[Renamed, Neutral()] = Renamed()
        perhaps: Annotated[Renamed | None, Neutral()] = None

    assert set(before(cn.compose(Later))) == {"_class_", "size"}
    assert set(before(cn.compose(Later, ["part.hidden=4"]))) == {"_class_", "size", "part"}


MODELS = {
    "models/__init__.py": "from cn import CN\n\n\nclass Model(CN):\n    pass\n",
    "models/new.py": "from models import Model\n\n\nclass Vit(Model):\n    _was_ = ('models.old.Transformer',)\n"
    "    depth: int = 3\n",
    "runs/__init__.py": "from cn import CN\nfrom models import Model\nfrom models.new import Vit\n\n\nclass Run(CN):\n"
    "    model: Model = Vit()\n",
    "runs/default.py": "from runs import Run\n\n\nclass Default(Run):\n    _was_ = ('runs.first.Base',)\n",
}


def test_a_class_that_was_moved_is_found_by_its_old_name(node_tree):
    node_tree(MODELS)
    from runs import Run

    whole = {"_class_": "runs.first:Base", "model": {"_class_": "models.old:Transformer", "depth": 5}}
    node = unplain(whole, types=(Run,))
    assert node == cn.compose(Run, ["model.depth=5"])
    assert unplain(whole) == node, "found by the contract in its folder"
    assert oldest_form(node, plain(node)) == whole
    with pytest.raises(UserError) as refused:
        unplain({"_class_": "models.gone:Net", "depth": 5})
    assert str(refused.value) == (
        "the record needs the class 'models.gone:Net', which cannot be found\n"
        "  ModuleNotFoundError: No module named 'models.gone'\n"
        '  if it was renamed or moved, write in the class: _was_ = ("models.gone.Net",)'
    )


def test_runs_of_before_and_after_differ_in_what_was_changed_alone(node_tree, tmp_path: Path):
    node_tree(MODELS)
    from cn.run_folder.differences import differences, values_in
    from runs import Run

    whole = {"_class_": "runs.first:Base", "model": {"_class_": "models.old:Transformer", "depth": 5}}
    now = plain(cn.compose(Run, ["model.depth=6"]))
    assert differences([values_in(whole), values_in(now)]) == {"model.depth": [5, 6]}


@pytest.mark.parametrize("place", ["chld.smooth", "child", "child.smoth", "perhaps.size", "must.size"])
def test_a_moved_field_must_be_one_of_a_child_that_is_there(place: str):
    class Holds(CN):
        must: Renamed
        child: Task = Task()
        perhaps: Task | None = None

        _moved_: ClassVar[dict[str, str]] = {"smooth": place}

    with pytest.raises(DefinitionError) as refused:
        current(Holds, {"smooth": 0.1})
    where = place if "." in place else f"{place}."
    told = f"Holds._moved_ puts 'smooth' at {where!r}, which is no field of a child node"
    assert str(refused.value).splitlines()[0] == told


def test_a_subclass_whose_child_lacks_the_moved_field_keeps_its_form():
    class Holder(CN):
        task: CN = Task()

        _moved_: ClassVar[dict[str, str]] = {"smoothing": "task.smoothing"}

    class Other(Holder):
        task: Part = Part()

    assert before(Other())["task"] == old("Part", size=3)


def test_a_former_class_is_named_with_its_module():
    class Bare(CN):
        _was_ = ("Old",)

    with pytest.raises(DefinitionError) as refused:
        before(Bare())
    assert str(refused.value) == "Bare._was_ names 'Old' without its module: write \"models.old.Old\""


def test_a_derived_value_that_was_renamed_or_moved_stays_derived(node_tree):
    node_tree(
        {
            "parts/__init__.py": "from cn import CN\nclass Base(CN): ...\n",
            "parts/task.py": """
from typing import Annotated
from cn import Was, derive
from parts import Base


class Task(Base):
    warm: int = derive(lambda run: run.seed * 10)
    last: Annotated[int, Was("end")] = derive(lambda run: run.seed * 100)
""",
            "parts/whole.py": """
from parts import Base
from parts.task import Task


class Whole(Base):
    seed: int = 1
    task: Task = Task()
    plain: int = 2
    _moved_ = {"warmup": "task.warm"}
""",
        }
    )
    task = {"_class_": "parts.task:Task", "end": 100, "_derived_": ["end"]}
    record = {"_class_": "parts.whole:Whole", "seed": 1, "plain": 5, "warmup": 10, "_derived_": ["plain", "warmup"]}
    for each in ({**record, "task": task}, record):
        run = unplain(each)
        again = cn.compose(run, ["seed=2"])
        assert (again.task.warm, again.task.last, again.plain) == (20, 200, 5)  # type: ignore[attr-defined]
    given = unplain({**record, "task": task, "_derived_": []})
    assert cn.compose(given, ["seed=2"]).task.warm == 10  # type: ignore[attr-defined]
    fresh = cn.compose(type(given), ["seed=3"])
    assert before(fresh) == {
        "_class_": "parts.whole:Whole", "_derived_": ["warmup"], "seed": 3, "plain": 2, "warmup": 30,
    }  # fmt: skip
