"""`Run._where_` names the fields that say where a run is computed: no result and no trial depends on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from cn import Job, UserError, compose
from cn.nodes.to_json import plain
from cn.run_folder import where as _where
from cn.run_folder.differences import diff
from cn.sweeping.planning.plan import identity
from cn.sweeping.showing.queries import command_of
from runs import Run
from runs._request import asked
from runs.default import Default
from runs.logger._facts import facts

CHANGES = {
    "folder": "folder=elsewhere",
    "launch": "launch.parallel=3",
    "mode": "mode=eval",
    "gpu": "gpu=-1",
    "log_every": "log_every=3",
    "save_every": "save_every=2",
    "logger": "logger=[csv]",
}


class Followed(Default):
    """Adds a field that changes no result."""

    note: str = ""

    _where_: ClassVar[tuple[str, ...]] = ("note",)


def name_of(run: Run, *words: str) -> str:
    return identity(run, plain(run), words)


def outcome(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in ("command", "seconds")}


def test_each_field_that_says_where_is_tried():
    assert set(CHANGES) == {*_where.names(Run)}
    assert _where.names(Followed) == ("note", *_where.names(Run))


@pytest.mark.parametrize("word", [each for name, each in CHANGES.items() if name not in ("folder", "mode")])
def test_the_bits_of_a_result_are_the_same(word, go):
    words = ("epochs=2", "callbacks=[ema]")
    before, after = go("before", *words), go("after", *words, word)
    assert torch.equal(before.weights(), after.weights())
    assert outcome(before.summary) == outcome(after.summary)


@pytest.mark.parametrize("word", CHANGES.values(), ids=list(CHANGES))
def test_a_trial_is_the_same_wherever_it_is(word):
    assert name_of(compose(Default, ["seed=3", word])) == "36c1e44f08"


@pytest.mark.parametrize("word", ["gpu=-1", "log_every=3", "logger=[csv]", "+logger=csv"])
def test_what_is_varied_on_purpose_makes_another_trial(word):
    assert name_of(compose(Default, ["seed=3", word]), word) != "36c1e44f08"


def test_how_processes_share_the_work_is_no_such_field():
    """fsdp adds up in another order than ddp."""
    assert name_of(compose(Default, ["seed=3", "parallel=fsdp"])) != "36c1e44f08"


def test_a_subclass_names_more():
    run = compose(Followed, ["note=tried again", "gpu=-1"])
    assert name_of(run) == name_of(Followed())
    assert name_of(run, "note=tried again") != name_of(Followed())
    assert asked(compose(Followed, ["mode=eval", "note=x"]), Job(overrides=("mode=eval", "note=x"), source=Path("a")))


def test_a_class_that_names_what_is_no_field_is_refused():
    class Misspelt(Default):
        _where_: ClassVar[tuple[str, ...]] = ("log_evry",)

    with pytest.raises(UserError) as error:
        compose(Misspelt, [])
    assert str(error.value).startswith("Misspelt._where_ names 'log_evry', which is no field of it\n")
    assert "nearest: log_every" in str(error.value)


def test_a_run_in_a_test_may_be_followed_otherwise_and_a_job_or_a_folder_is_refused():
    def ask(*words: str) -> object:
        run = compose(Default, ["mode=eval", *words])
        return asked(run, Job(overrides=("mode=eval", *words), source=Path("a")))

    for word in ("gpu=-1", "log_every=3", "logger=[csv]", "+logger=csv"):
        assert ask(word)
    for word in ("folder=b", "launch=slurm", "parallel=fsdp", "epochs=3"):
        with pytest.raises(UserError):
            ask(word)


def test_a_run_that_is_trained_further_elsewhere_is_a_new_one():
    run = compose(Default, ["gpu=-1"])
    assert not asked(run, Job(overrides=("gpu=-1",), source=Path("a"))).resumes


def test_loggers_hear_of_what_a_run_is(go):
    run = go("run", "steps=2", "log_every=3", "save_every=2", "gpu=-1", "logger=[csv]")
    told = facts(run.folder).values
    assert not {each.partition(".")[0] for each in told} & {*_where.names(Run)}
    assert {"epochs", "optim.lr", "parallel"} <= {*told}


def test_the_command_of_a_run_leaves_out_where_it_was():
    run = compose(Default, ["seed=3", "parallel=fsdp", *CHANGES.values()])
    assert command_of(run) == ["run=default", "parallel=fsdp", "seed=3"]


def test_the_command_of_a_trial_keeps_what_its_sweep_varies_though_it_says_where():
    run = compose(Default, ["seed=3", "gpu=-1", "log_every=3", "launch.parallel=2"])
    words = ("gpu=-1", "launch.parallel=2")
    assert command_of(run, words) == ["run=default", "gpu=-1", "seed=3"]


def test_two_runs_that_differ_in_where_alone_have_the_same_configuration_and_a_table_tells_the_rest(go):
    folders = [go("a", "steps=2").folder, go("b", "steps=2", "gpu=-1", "logger=[csv]").folder]
    text, data = diff(folders)
    first, second, _ = text.split("\n\n")
    assert first == "their configurations are the same"
    assert second.splitlines()[0].split() == ["where", "a", "b"]
    assert ["gpu", "null", "-1"] in [line.split() for line in second.splitlines()]
    assert data["where"] == list(data["differences"])
    go("c", "steps=2", "seed=3", "gpu=-1")
    text, data = diff([folders[0], Path("c")])
    assert [block.split()[0] for block in text.split("\n\n")][1] == "where"
    assert data["where"] == ["gpu"]
    assert list(data["differences"]) == ["gpu", "seed"]


def test_a_record_whose_class_is_gone_has_the_fields_of_every_run(tmp_path):
    record = json.loads(json.dumps(plain(Followed()))) | {"_class_": "runs.gone:Gone"}
    assert _where.names_in(record) == _where.names(Run)
    assert _where.names_in(plain(Followed())) == _where.names(Followed)
