"""A field whose key is no name of Python's has that key on the command line, in records and for a target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from cn import CN, DefinitionError, Key, UserError, Was, compose, derive, instantiate, load
from cn.cli.explain import explain_text
from cn.cli.help import complete, help_text
from cn.cli.schema import schema
from cn.nodes.former import before
from cn.nodes.to_json import plain
from cn.run_folder.differences import values
from cn.writing.command_line import words
from cn.writing.python import as_python
from cn.writing.record import dump
from tests.cn.conftest import python


class Metric(CN):
    _target_: str = "builtins.dict"
    sync: Annotated[bool, Key("sync-on")] = False
    class_: Annotated[str, Key("class")] = "mean"


class Metrics(CN):
    value_loss: Annotated[Metric, Key("Loss/value_loss")] = Metric()
    grads: Annotated[Metric | None, Key("Grads/x/y")] = None
    size: Annotated[int, Key("1x1"), Ge(0)] = 1  # of the kernel
    name: Annotated[str, Key("_name_")] = derive(lambda run: f"n{run.metrics.size}")
    old: Annotated[int, Key("new/key"), Was("older")] = 1


class Whole(CN):
    rate: Annotated[float, Key("Loss/rate")] = 0.5  # of the loss
    metrics: Metrics = Metrics()
    table: dict[str, float] = {"Loss/x": 1.0}


TYPED = ["Loss/rate=2", "metrics.Loss/value_loss.sync-on=true", "metrics.1x1=3", "metrics.Loss/value_loss.class=sum"]


def test_a_key_is_typed_as_it_is() -> None:
    node = compose(Whole, TYPED)
    assert (node.rate, node.metrics.value_loss.sync, node.metrics.size) == (2.0, True, 3)
    assert (node.metrics.value_loss.class_, node.metrics.name) == ("sum", "n3")
    assert compose(Whole, ["metrics.1x1=2"]) == compose(Whole, ["metrics.size=2"])
    assert compose(Whole, ["metrics.Loss/value_loss.class=${Loss/rate}"]).metrics.value_loss.class_ == "0.5"


def test_a_key_of_a_dict_may_have_a_slash() -> None:
    node = compose(Whole, ["table.Loss/x=2", "+table.Loss/y=3"])
    assert node.table == {"Loss/x": 2.0, "Loss/y": 3.0}
    assert compose(Whole, words(node)) == node
    assert compose(Whole, ["~table.Loss/x"]).table == {}


def test_plain_values_records_and_targets_have_the_keys(tmp_path: Path) -> None:
    node = compose(Whole, [*TYPED, "metrics.Grads/x/y.class=max", "metrics/Grads/x/y=metric"][:4])
    told = plain(node, tagged=False)
    assert told["Loss/rate"] == 2.0
    assert told["metrics"] == {
        "Loss/value_loss": {"_target_": "builtins.dict", "sync-on": True, "class": "sum"},
        "Grads/x/y": None,
        "1x1": 3,
        "_name_": "n3",
        "new/key": 1,
    }
    assert plain(node)["metrics"]["_derived_"] == ["_name_"]
    dump(node, tmp_path)
    assert load(tmp_path) == node
    assert compose(load(tmp_path), ["metrics.1x1=4"]).metrics.name == "n4"
    assert instantiate(node.metrics.value_loss) == {"sync-on": True, "class": "sum"}
    assert values(tmp_path)["metrics.Loss/value_loss.sync-on"] is True


def test_a_record_with_an_old_name_is_read_and_keeps_its_hash(tmp_path: Path) -> None:
    node = compose(Whole, ["metrics.new/key=5"])
    old = before(node, plain(node))
    assert (old["metrics"]["older"], "new/key" in old["metrics"]) == (5, False)
    (tmp_path / "config.json").write_text(json.dumps(old))
    assert load(tmp_path) == node


def test_python_has_the_name_and_takes_the_key_too() -> None:
    node = compose(Whole, TYPED)
    assert "rate=2.0" in as_python(node)
    assert Whole(**{"Loss/rate": 3.0}).rate == 3.0  # pyright: ignore[reportCallIssue]
    assert eval(repr(node)) == node


def test_the_words_of_a_node_have_the_keys() -> None:
    node = compose(Whole, TYPED)
    assert words(node) == [
        *("Loss/rate=2.0", "metrics.Loss/value_loss.sync-on=true", "metrics.Loss/value_loss.class=sum", "metrics.1x1=3")
    ]
    assert compose(Whole, words(node)) == node


def test_explain_shows_the_keys() -> None:
    told = explain_text(Whole, None, TYPED, "metrics.Loss/value_loss.sync-on", None).splitlines()
    assert (told[0], told[-1].strip()) == (
        "metrics.Loss/value_loss.sync-on = true",
        "true   command line, metrics.Loss/value_loss.sync-on=true",
    )


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("metrics.Loss/value=3", "metrics.Loss/value=3: Metrics has no field 'Loss/value'\n"),
        ("metrics.1x1=-1", "metrics.1x1=-1: metrics.1x1 is int >= 0, not -1\n"),
        ("Loss/rate=x", "Loss/rate=x: Loss/rate is float, not 'x'\n"),
        ("metrics.Loss/value_loss=3", "metrics.Loss/value_loss=3: metrics.Loss/value_loss is a node (Metric)"),
    ],
)
def test_a_wrong_word_is_told_with_its_key(word: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(Whole, [word])
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a b", "Key('a b') cannot be typed: write letters, digits, _ and -, with / in between"),
        ("a.b", "Key('a.b') cannot be typed: write letters, digits, _ and -, with / in between"),
        ("", "Key('') cannot be typed: write letters, digits, _ and -, with / in between"),
        ("_class_", "Key('_class_') belongs to cn: write a field of a dict instead"),
    ],
)
def test_a_key_that_cannot_be_is_refused(text: str, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Key(text)
    assert str(caught.value) == told


def test_two_fields_cannot_have_one_key() -> None:
    body: dict[str, Any] = {"__annotations__": {"a": Annotated[int, Key("b")], "b": int}, "a": 1, "b": 2}
    with pytest.raises(DefinitionError, match=r"^Wrong\.a has the key 'b', which is that of another field too\n"):
        type(CN)("Wrong", (CN,), {**body, "__module__": __name__})


TREE = {
    "models/net.py": python(
        "from typing import Annotated",
        "from cn import Key",
        "from models import Model",
        "from models.head import Head",
        "from models.head.mean_pool import MeanPool",
        "class Net(Model):",
        '    rate: Annotated[float, Key("Loss/rate")] = 0.5',
        '    head: Annotated[Head, Key("Heads/main")] = MeanPool()',
        "    def build(self): return 'net'",
    )
}


def test_a_node_is_chosen_by_its_key(tree: Path, run: Any) -> None:
    (tree / "models/net.py").write_text(TREE["models/net.py"])
    node = run("model=net", "model/Heads/main=cls_token", "model.Heads/main.dim=3", "model.Loss/rate=1")
    assert (type(node.model.head).__name__, node.model.head.dim, node.model.rate) == ("ClsToken", 3, 1.0)
    from cn.writing.command_line import command

    assert run(*command(node)) == node
    from runs import Run

    assert complete(Run, ["model=net", "model/Heads/main=c"]) == ["model/Heads/main=cls_token"]
    assert complete(Run, ["model=net", "model.Heads/main=c", "model.H"]) == ["model.Heads/main.scale="]
    page = help_text(Run, None, ["model=net"])
    assert "  model/Heads/main  cls_token [mean_pool]\n" in page
    assert "  model.Loss/rate  float  0.5\n" in page
    assert "\nmodel.Heads/main = MeanPool, models/head/mean_pool.py:4\n" in page


def test_the_schema_has_the_keys(tree: Path, run: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    (tree / "models/net.py").write_text(TREE["models/net.py"])
    from runs import Run

    made = schema(Run)
    found = made["$defs"]["models.net:Net"]["properties"]
    assert found["Loss/rate"] == {"default": 0.5, "type": "number"}
    assert found["_derived_"]["items"] == {"enum": ["Loss/rate", "Heads/main"]}
    jsonschema.Draft202012Validator(made).validate(plain(run("model=net", "model.Loss/rate=3")))


def test_multirun_and_package_know_keys(tree: Path, program: Any) -> None:
    (tree / "models/net.py").write_text(TREE["models/net.py"])
    done = program("-m", "model=net", "model.Loss/rate=range(1,3)")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-2].split()[:2] == ["0", "1"]
    done = program("model=net", "--cfg", "job", "--package", "model.Heads/main")
    assert done.stdout.endswith("run = MeanPool(scale=1.0)\n")


def test_plain_hydra_holds_the_keys(tree: Path, run: Any, isolated_store: Any) -> None:
    (tree / "models/net.py").write_text(TREE["models/net.py"])
    import hydra
    from hydra import compose as plain_compose
    from hydra import initialize
    from omegaconf import OmegaConf

    from cn.hydra_compat.groups import prepare
    from runs import Run

    prepare(Run)
    base: Any = {"version_base": "1.3"} if hydra.__version__ < "1.4" else {}
    with initialize(**base, config_path=None):
        config = plain_compose("config", ["model=net"])
    made: Any = OmegaConf.to_object(config)
    assert compose(made) == run("model=net")
