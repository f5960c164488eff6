"""What a run is asked to do is settled once, before torch is imported, and handed on."""

from __future__ import annotations

from typing import Any

import train as door
from cn import Job, compose
from runs import _request, _train
from runs.default import Default

WORDS = ("model=mlp", "model.hidden_sizes=[8]", "steps=1", "gpu=-1", "folder=run")


def test_it_is_settled_once_by_the_door_and_used_by_the_training(here, monkeypatch):
    settled: list[_request.Asked] = []
    settle = _request.asked

    def spy(*args: Any) -> _request.Asked:
        settled.append(settle(*args))
        return settled[-1]

    monkeypatch.setattr(_request, "asked", spy)
    monkeypatch.setattr(_train, "asked", spy)
    door.train(compose(Default, WORDS), Job(overrides=WORDS, argv=WORDS))
    assert settled == [_request.Asked(None, resumes=False)]
    words = ("mode=eval",)
    run = compose(Default, (*WORDS, *words))
    door.train(run, Job(overrides=words, argv=words, source=here / "run"))
    assert settled[1:] == [_request.Asked(here / "run", resumes=True)]


def test_what_was_settled_is_taken_as_it_is(here, monkeypatch):
    monkeypatch.setattr(_train, "asked", None)
    run = compose(Default, WORDS)
    _train.train(run, Job(overrides=WORDS, argv=WORDS), _request.Asked(None, resumes=False))
    assert (here / "run/summary.json").is_file()


def test_whoever_trains_without_the_door_has_it_settled_all_the_same(here):
    run = compose(Default, WORDS)
    _train.train(run, Job(overrides=WORDS, argv=WORDS))
    assert (here / "run/summary.json").is_file()


def test_a_configuration_without_a_run_begins_a_new_one(here):
    (here / "old/.hydra").mkdir(parents=True)
    run = compose(Default, WORDS)
    assert _request.asked(run, Job(source=here / "old")) == _request.Asked(None, resumes=False)
