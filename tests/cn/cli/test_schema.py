"""`--schema`: the JSON Schema accepts exactly the records that CN reads, and has one definition for each class."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cn import UserError
from cn.cli import schema as file
from cn.cli.help import complete
from cn.nodes.to_json import plain
from cn.writing.record import unplain

WIDE = '''\
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from runs.default import Default


class Size(Enum):
    small = 1
    large = 2


class Wide(Default):
    """A field of each type."""

    depth: Annotated[int, Ge(1), Le(9)] = 3  # blocks
    rate: Annotated[float, Gt(0), Lt(1)] = 0.5
    even: Annotated[int, MultipleOf(2)] | None = None
    some: Annotated[list[str], MinLen(1), MaxLen(2)] = ["a"]
    sizes: tuple[int, ...] = (1, 2)
    none: tuple[()] = ()
    by_number: dict[int, float] = {1: 0.5}
    by_size: dict[Size, bool] = {Size.small: True}
    near: Path | str = Path("x")
    text: Literal["a", 1, True, None] = "a"
    nested: list[tuple[int, str]] = [(1, "a")]
    infinite: float = float("inf")
'''
ASKED = [
    ["run=wide"],
    ["run=wide", "near=y", "even=4", "model=vit/small", "teacher=mlp", "callbacks=[stop,checkpoint]"],
]


@pytest.fixture
def wide(tree: Path, run: Any) -> Any:
    """The contract, in a tree whose `run=wide` has a field of each type."""
    (tree / "runs/wide.py").write_text(WIDE)
    from runs import Run

    return Run


def errors(contract: Any, record: Any) -> list[str]:
    """What the schema says against a record."""
    made = file.schema(contract)
    Draft202012Validator.check_schema(made)
    return [each.message for each in Draft202012Validator(made).iter_errors(record)]


@pytest.mark.parametrize(
    "words", [["optim=adamw"], ["run=cifar/vit"], ["model=vit/small", "callbacks=[]", "mode=eval"], *ASKED]
)
def test_the_record_of_a_composed_run_is_valid(wide: Any, run: Any, words: list[str]) -> None:
    assert errors(wide, plain(run(*words))) == []


def test_a_value_of_a_union_is_valid_whichever_member_it_has(wide: Any, run: Any) -> None:
    values = [Path("x"), "x"]
    records = [plain(run("run=wide")) | {"near": plain(type(run("run=wide"))(near=each))["near"]} for each in values]
    assert [errors(wide, each) for each in records] == [[], []]
    assert records[0]["near"] != records[1]["near"]
    assert [unplain(each).near for each in records] == values  # type: ignore[attr-defined]


# no 1.0, which is an integer to JSON Schema and a float to CN
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([0.5, -0.5, 1.5, 1e9 + 0.5, "", "a", "x", "small"])
)
KEYS = st.sampled_from(["a", "1", "-3", "01", "small", "checkpoint", "_member_"])
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2))


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_the_schema_accepts_a_value_exactly_if_a_record_with_it_can_be_read(wide: Any, run: Any, data: Any) -> None:
    validator = Draft202012Validator(file.schema(wide))
    record = plain(run(*data.draw(st.sampled_from(ASKED))))
    inside = data.draw(st.sampled_from([record, record["model"], record["optim"], record["callbacks"]["checkpoint"]]))
    inside[data.draw(st.sampled_from([*(name for name in inside if name[0] != "_"), "unknown"]))] = data.draw(JSON)
    try:
        unplain(record)
        reads = True
    except UserError:
        reads = False
    assert validator.is_valid(record) is reads, record


def test_a_definition_gives_type_range_comment_default_and_what_is_required(wide: Any) -> None:
    made = file.schema(wide)["$defs"]
    own = made["runs.wide:Wide"]
    assert (own["title"], own["description"]) == ("run=wide", "A field of each type.")
    fields = own["properties"]
    assert fields["depth"] == {
        "description": "blocks",
        "default": 3,
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
    }
    assert fields["rate"] == {"default": 0.5, "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    assert fields["infinite"] == {"type": "number"}  # JSON has no infinity
    assert fields["warmup"] == {
        "description": "steps",
        "$comment": "derived from other fields if it is absent",
        "type": "integer",
    }
    assert fields["model"]["default"] == {
        "_class_": "models.vit:ViT",
        "depth": 12,
        "head": {"_class_": "models.head.cls_token:ClsToken", "dim": 16},
    }
    assert fields["teacher"] == {
        "default": None,
        "anyOf": [{"$ref": "#/$defs/models%3AModel.options"}, {"type": "null"}],
    }
    assert own["required"] == ["_class_"]
    assert made["runs.bare:Bare"]["required"] == ["_class_", "optim"]
    assert made["models:Model.options"]["properties"]["_class_"]["enum"] == [
        "models.mlp:MLP",
        "models.vit:ViT",
        "models.vit:Small",
    ]


def test_a_wrong_value_is_the_only_error_that_a_validator_tells(wide: Any, run: Any) -> None:
    record = plain(run("run=wide"))
    record["model"]["depth"] = "deep"
    assert errors(wide, record) == ["'deep' is not of type 'integer'"]


@pytest.mark.parametrize("count", [10, 200])
def test_each_class_is_visited_once_and_each_contract_is_listed_once(
    tree: Path, run: Any, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    for number in range(count):
        (tree / f"models/m{number}.py").write_text(
            f"from models import Model\n\n\nclass M{number}(Model):\n"
            "    inner: Model | None = None\n    other: Model | None = None\n\n    def build(self) -> str:\n"
            "        return ''\n"
        )
    from runs import Run

    visited: list[Any] = []
    listed: list[Any] = []
    visit, options = file.Definitions.definition, file.discover.options
    monkeypatch.setattr(file.Definitions, "definition", lambda self, cls: [visited.append(cls), visit(self, cls)][1])
    monkeypatch.setattr(file.discover, "options", lambda types: [listed.append(types), options(types)][1])
    made = file.schema(Run)["$defs"]
    assert len(visited) == len(set(visited)) == len([name for name in made if not name.endswith(".options")])
    assert len(listed) == len(set(listed)) == 5  # Run, Model, Head, Optim, Callback
    refs = json.dumps(made).count('"$ref"')
    assert refs <= 3 * len(visited) + 30


def test_the_program_prints_it_without_torch_and_completes_the_words_beside_it(program: Any, tree: Path) -> None:
    done = program("--schema", "seed=3", "model=mlp")
    assert (done.returncode, done.stderr) == (0, "")
    made = json.loads(done.stdout)
    assert (made["$schema"], made["title"]) == ("https://json-schema.org/draft/2020-12/schema", "train.py")
    assert (made["default"]["seed"], made["default"]["model"]) == (3, {"_class_": "models.mlp:MLP", "width": 32})
    assert Draft202012Validator(made).is_valid(made["default"])
    assert "default" not in json.loads(program("--schema").stdout)
    (tree / "record.json").write_text(json.dumps(made["default"]))
    assert json.loads(program("--schema", "--from", "record.json").stdout)["default"] == made["default"]
    from runs import Run

    assert complete(Run, ["--schema", "model=m"]) == ["model=mlp"]


def test_it_goes_with_no_other_action(program: Any) -> None:
    done = program("--schema", "-m", "seed=1,2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "--schema does not go together with -m\n  leave out one of the two\n"


def test_a_wrong_override_is_refused_as_everywhere(program: Any) -> None:
    done = program("--schema", "sed=3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "sed=3: Default has no field 'sed'\n  defined in runs/default.py:6\n  nearest: seed\n"
    )


def test_a_file_that_cannot_be_used_is_left_out_and_named(tree: Path, run: Any) -> None:
    (tree / "models/broken.py").write_text("import nothing_of_this_name\n")
    from runs import Run

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = file.schema(Run)
    assert [str(each.message) for each in told] == [
        "models/broken.py is not in the schema: models/broken.py:1: ModuleNotFoundError: "
        "No module named 'nothing_of_this_name'"
    ]
    assert "models.mlp:MLP" in made["$defs"]
