"""A bundle is one option of a dict of nodes that stands for several; the dict may be null if its annotation says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cn import DefinitionError, compose, load
from cn.cli.explain import explain_text
from cn.cli.help import complete, help_text
from cn.cli.schema import schema
from cn.nodes.to_json import plain
from cn.writing.command_line import command, words
from cn.writing.record import dump
from cn.writing.subclass import subclass
from tests.cn.conftest import python

FILES = {
    "runs/callbacks/both.py": python(
        "from cn import Bundle",
        "from runs.callbacks import Callback",
        "from runs.callbacks.checkpoint import Checkpoint",
        "from runs.callbacks.stop import Stop",
        "",
        "",
        "class Both(Bundle):",
        '    """What most runs want."""',
        "",
        "    checkpoint: Callback = Checkpoint(every=7)",
        "    early: Callback = Stop(patience=9)",
        "",
        "",
        "class More(Both):",
        "    early: Callback | None = None",
        "    late: Callback = Stop()",
    ),
    "runs/bundled.py": python(
        "from runs.callbacks import Callback",
        "from runs.callbacks.both import Both",
        "from runs.default import Default",
        "",
        "",
        "class Bundled(Default):",
        "    callbacks: dict[str, Callback] = Both()",
        "",
        "",
        "class Preset(Default):",
        "    callbacks: dict[str, Callback] = Both(early=Both()['early'].__class__(patience=1))",
        "",
        "",
        "class Perhaps(Default):",
        "    extra: dict[str, Callback] | None = None",
    ),
}


@pytest.fixture
def bundled(tree: Path, run: Any) -> Any:
    for path, text in FILES.items():
        (tree / path).write_text(text)
    return run


def shown(node: Any) -> dict[str, Any]:
    return {key: plain(each, tagged=False) for key, each in node.callbacks.items()}


BOTH = {"checkpoint": {"every": 7, "keep": 2}, "early": {"every": 1, "patience": 9}}


def test_a_bundle_gives_its_nodes_with_their_values(bundled: Any) -> None:
    node = bundled("callbacks=both")
    assert (shown(node), type(node.callbacks)) == (BOTH, dict)
    assert shown(bundled("callbacks=[both]", "callbacks.early.patience=3"))["early"]["patience"] == 3
    assert shown(bundled("callbacks=both/more")) == {
        "checkpoint": BOTH["checkpoint"],
        "late": {"every": 1, "patience": 5},
    }


def test_a_bundle_stands_beside_other_options(bundled: Any) -> None:
    assert list(bundled("callbacks=[both,stop]").callbacks) == ["checkpoint", "early", "stop"]
    assert list(bundled("callbacks=[]", "+callbacks=both").callbacks) == ["checkpoint", "early"]
    assert list(bundled("callbacks=[both]", "~callbacks.early", "+callbacks/b=stop").callbacks) == ["checkpoint", "b"]


def test_a_bundle_may_be_the_default_of_a_run(bundled: Any) -> None:
    assert shown(bundled("run=bundled")) == BOTH
    assert shown(bundled("run=bundled", "callbacks.early.patience=2"))["early"]["patience"] == 2
    assert shown(bundled("run=bundled/preset"))["early"]["patience"] == 1
    assert shown(bundled("run=bundled/preset", "callbacks=both"))["early"]["patience"] == 1  # it is there already
    assert list(bundled("run=bundled", "+callbacks=stop").callbacks) == ["checkpoint", "early", "stop"]


def test_another_choice_drops_the_values_of_a_bundle(bundled: Any) -> None:
    assert shown(bundled("run=bundled", "callbacks=[checkpoint]")) == {"checkpoint": {"every": 1, "keep": 2}}
    assert shown(bundled("callbacks=[checkpoint]")) == {"checkpoint": {"every": 3, "keep": 2}}  # the run's own preset


@pytest.mark.parametrize(
    "asked",
    [[], ["callbacks=[checkpoint,stop]"], ["callbacks.early.every=5"], ["callbacks=[checkpoint]"], ["~callbacks"]],
)
def test_the_words_of_a_run_compose_it(bundled: Any, asked: list[str], tmp_path: Path) -> None:
    node = bundled("run=bundled", *asked)
    assert bundled(*command(node)) == node
    dump(node, tmp_path)
    assert compose(load(tmp_path)) == node


def test_errors_name_the_bundle(bundled: Any, refused: Any, tree: Path) -> None:
    assert refused("callbacks=[both,checkpoint]") == (
        "callbacks=[both,checkpoint]: callbacks holds 'checkpoint' already\n"
        "  for a second one: +callbacks/OTHER_NAME=checkpoint"
    )
    assert refused("+callbacks/mine=both") == (
        "+callbacks/mine=both: Both is a bundle of several\n  write: +callbacks=both"
    )
    assert refused("run=bundled", "+callbacks=both") == "+callbacks=both: callbacks holds 'checkpoint' already"
    assert refused("callbacks=bth").split("\n")[-1] == "  nearest: both"
    file = tree / "runs/callbacks/wrong.py"
    file.write_text(python("from cn import Bundle", "class Wrong(Bundle):", "    size: int = 3"))
    with pytest.raises(DefinitionError) as caught:
        bundled("callbacks=wrong")
    assert str(caught.value) == (
        "Wrong.size is 3, and each field of a bundle is a node\n  defined in runs/callbacks/wrong.py:3"
    )
    code = ["from cn import Bundle", "from models.mlp import MLP", "class Other(Bundle):", "    a: MLP = MLP()"]
    (tree / "runs/callbacks/other.py").write_text(python(*code))
    assert refused("callbacks=other") == (
        "callbacks=other: callbacks.a is Callback, not MLP(width=32)\n  defined in runs/callbacks/other.py:4"
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [("early: Callback", "has no default"), ("early: Callback = derive(lambda run: None)", "is derived")],
)
def test_an_entry_of_a_bundle_without_a_node_is_refused(bundled: Any, tree: Path, entry: str, told: str) -> None:
    code = ["from cn import Bundle, derive", "from runs.callbacks import Callback", "class Wrong(Bundle):"]
    (tree / "runs/callbacks/wrong.py").write_text(python(*code, f"    {entry}"))
    with pytest.raises(DefinitionError) as caught:
        bundled("callbacks=wrong")
    why = told.replace("is derived", "is derived, and each field of a bundle is a node")
    assert str(caught.value) == (
        f"Wrong.early {why}\n  write: early: ... = NODE(); to leave it out: early: ... | None = None\n"
        "  defined in runs/callbacks/wrong.py:4"
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "early: Callback = Both()",
            "Wrong.early is Callback, but its default is {'checkpoint': Checkpoint(every=7, keep=2), "
            "'early': Stop(every=1, patience=9)}\n    defined in runs/callbacks/wrong.py:5\n"
            "    Both is a bundle of several: inherit from it, or write dict[str, Callback]",
        ),
        (
            "early: Callback = None",
            "Wrong.early is Callback, but its default is None\n    defined in runs/callbacks/wrong.py:5\n"
            "    write: early: Callback | None = None",
        ),
        (
            "all: dict[str, Callback] = {'early': derive(lambda run: Stop())}",
            "Wrong.all is dict[str, Callback], but its default is {'early': derive(...)}\n"
            "    defined in runs/callbacks/wrong.py:5\n"
            "    write: all: dict[str, Callback] = derive(lambda run: {...}), with all of its nodes",
        ),
    ],
)
def test_a_wrong_default_of_a_node_says_what_to_write(
    bundled: Any, refused: Any, tree: Path, entry: str, told: str
) -> None:
    code = ["from cn import Bundle, derive", "from runs.callbacks import Callback"]
    code += ["from runs.callbacks.both import Both, Stop", "class Wrong(Bundle):", f"    {entry}"]
    (tree / "runs/callbacks/wrong.py").write_text(python(*code))
    assert refused("callbacks=wrong") == f"callbacks=wrong: runs/callbacks/wrong.py cannot be used\n  {told}"


def test_pages_list_bundles_where_several_nodes_can_be_chosen(bundled: Any, tree: Path) -> None:
    from runs.bundled import Bundled

    from runs import Run

    page = help_text(Run, None, ["callbacks=both"])
    assert "  callbacks   [checkpoint, early] of both both/more [checkpoint] [stop]\n" in page
    assert complete(Run, ["callbacks=b"]) == ["callbacks=both", "callbacks=both/more"]
    told = explain_text(Run, None, ["callbacks=both"], "callbacks", None).splitlines()
    assert [line.split("  ")[-1].strip() for line in told[:4]] == [
        "callbacks = {checkpoint: Checkpoint, early: Stop}",
        "Run, runs/__init__.py:25",
        "command line, callbacks=both",
        "callbacks.checkpoint.every = 7",
    ]
    told = explain_text(Run, None, ["callbacks=both"], "callbacks.early.patience", None).splitlines()
    assert told[1:] == ["  5  Stop, runs/callbacks/stop.py:5", "  9  Both.early, runs/callbacks/both.py:11"]
    told = explain_text(Bundled, None, [], "callbacks.early.patience", None).splitlines()
    assert told[1:] == ["  5  Stop, runs/callbacks/stop.py:5", "  9  Bundled.callbacks, runs/bundled.py:7"]
    assert "callbacks.both" not in str(schema(Run))


def test_a_dict_of_nodes_may_be_null(bundled: Any, tmp_path: Path) -> None:
    assert bundled("callbacks=null").callbacks == {}
    node = bundled("run=bundled/perhaps")
    assert (node.extra, plain(node, tagged=False)["extra"]) == (None, None)
    node = bundled("run=bundled/perhaps", "extra=[stop]", "extra.stop.patience=2")
    assert node.extra["stop"].patience == 2
    assert bundled(*command(node)) == node
    assert bundled("run=bundled/perhaps", "+extra/b=stop").extra.keys() == {"b"}
    assert bundled("run=bundled/perhaps", "extra=[]").extra == {}
    dump(node, tmp_path)
    for word in ("extra=null", "~extra"):
        again = compose(load(tmp_path), [word])
        assert (again.extra, words(again, node)) == (None, ["extra=null"])
    from runs.bundled import Perhaps

    assert "[null]" in help_text(Perhaps, None, [])
    assert complete(Perhaps, ["extra=n"]) == ["extra=null"]
    assert explain_text(Perhaps, None, [], "extra", None) == "extra = null  Perhaps, runs/bundled.py:15"
    text = subclass(node, "runs.mine", "Mine", command="x", doc=["x"], root=tmp_path)
    assert "    extra: dict[str, Callback] | None = {" in text


def test_derive_and_patches_may_name_a_bundle(bundled: Any, tree: Path) -> None:
    (tree / "runs/patches").mkdir()
    (tree / "runs/patches/own.py").write_text(
        python(
            "from cn import Patch",
            "class Own(Patch):",
            "    changes = {'callbacks': 'both', 'callbacks.early.every': 4}",
        )
    )
    assert bundled("patches=own").callbacks["early"].every == 4
    (tree / "runs/follow.py").write_text(
        python(
            "from cn import derive",
            "from runs.callbacks import Callback",
            "from runs.default import Default",
            "class Follow(Default):",
            "    callbacks: dict[str, Callback] = derive(lambda run: 'both' if run.seed > 1 else ['stop'])",
        )
    )
    assert list(bundled("run=follow").callbacks) == ["stop"]
    assert shown(bundled("run=follow", "seed=2")) == BOTH


@pytest.mark.slow
def test_plain_hydra_knows_bundles(bundled: Any, isolated_store: Any) -> None:
    import hydra
    from hydra import compose as plain_compose
    from hydra import initialize
    from omegaconf import OmegaConf

    from cn.hydra_compat.groups import prepare
    from runs import Run

    prepare(Run)
    base: Any = {"version_base": "1.3"} if hydra.__version__ < "1.4" else {}
    with initialize(**base, config_path=None):
        for words_of_it in (["callbacks=[both]"], ["callbacks=[both,stop]"], ["run=bundled"]):
            made: Any = OmegaConf.to_object(plain_compose("config", words_of_it))
            assert compose(made) == bundled(*words_of_it)


def test_choosing_what_is_there_keeps_its_values_and_two_plus_signs_begin_afresh(bundled: Any) -> None:
    from runs import Run

    assert bundled("model=vit").model.depth == 12
    assert bundled("++model=vit").model.depth == 9
    assert bundled("++callbacks=[checkpoint]").callbacks["checkpoint"].every == 1
    assert bundled("++callbacks/checkpoint=checkpoint").callbacks["checkpoint"].every == 1
    assert shown(bundled("run=bundled/preset", "++callbacks=both")) == BOTH
    page = explain_text(Run, None, ["model=vit"], "model", None).splitlines()
    assert page[2] == "  ViT                     command line, model=vit, which keeps its values"
    page = explain_text(Run, None, ["++model=vit"], "model", None).splitlines()
    assert page[2] == "  ViT                   command line, ++model=vit"
