"""`${...}` on the command line stands for other values, for the environment, and for what is chosen elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf.basecontainer import BaseContainer

from cn import CN, compose
from cn.cli.explain import explain_text

VALUES: dict[str, dict[str, Any]] = {
    "steps=${seed}": {"steps": 1},
    "steps=${seed} seed=5": {"steps": 5},
    "steps=${seed} seed=${model.depth} model.depth=7": {"steps": 7, "seed": 7},
    "steps=${optim.lr} optim.lr=3": {"steps": 3},
    "name=${seed}": {"name": "1"},
    "name=a-${seed}-${model.head.dim}": {"name": "a-1-16"},
    "name='${seed}'": {"name": "1"},
    r"name='\${seed}'": {"name": "${seed}"},
    "tasks=[${name},b] name=z": {"tasks": ["z", "b"]},
    "opts={b:${seed}}": {"opts": {"a": 1, "b": 1}},
    "opts.a=${seed} seed=3": {"opts": {"a": 3}},
    "+opts.b=${opts.a}": {"opts": {"a": 1, "b": 1}},
    "tasks.0=${name}": {"tasks": ["x"]},
    "betas=[${clip},0.1] clip=0.5": {"betas": (0.5, 0.1)},
    "clip=${oc.env:RATE}": {"clip": 0.3},
    "seed=${oc.env:SEED}": {"seed": 7},
    "name=${oc.env:SEED}": {"name": "7"},
    "either=${oc.env:SEED}": {"either": "7"},
    "flag=${oc.env:FLAG}": {"flag": True},
    "clip=${oc.env:NONE}": {"clip": None},
    "betas=[${oc.env:RATE},0.1]": {"betas": (0.3, 0.1)},
    "seed=${oc.env:NOWHERE,4}": {"seed": 4},
    "seed='${oc.decode:${oc.env:SEED}}'": {"seed": 7},
    "warmup=${seed}": {"warmup": 1},
}


@pytest.mark.parametrize("words", VALUES)
def test_values_stand_for_others(run: Any, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    for name, value in {"SEED": "7", "RATE": "0.3", "FLAG": "true", "NONE": "null"}.items():
        monkeypatch.setenv(name, value)
    node = run(*words.split())
    assert {name: getattr(node, name) for name in VALUES[words]} == VALUES[words]


def test_a_text_that_only_looks_like_one_is_left_alone(run: Any) -> None:
    from runs.default import Default

    node = run(r"name='\${seed} \${'", "steps=${seed}")
    assert (node.name, node.steps) == ("${seed} ${", 1)
    given = Default(name="${", anything=["${x"], tasks=["${nope}"])  # type: ignore
    from cn import compose

    assert compose(given, ["steps=${seed}"]).tasks == ["${nope}"]  # type: ignore


def test_a_derived_value_follows_what_is_worked_out(run: Any) -> None:
    assert run("steps=${model.dim}").warmup == 192 // 20


def test_a_choice_may_follow_another_or_the_environment(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", "vit/small")
    node = run("model=${oc.env:MODEL}", "model.depth=2", "teacher=${model}", "run=${oc.env:RUN,cifar/vit}")
    assert (type(node).__name__, type(node.model).__name__, type(node.teacher).__name__) == ("ViT", "Small", "Small")
    assert type(run("teacher=${model}", "model=mlp").teacher).__name__ == "MLP"
    assert list(run("callbacks=[${oc.env:CALLBACK,stop}]").callbacks) == ["stop"]


REFUSED = {
    "steps=${steps}": "steps=${steps} cannot be worked out\n  it leads back to itself",
    "steps=${seed} seed=${steps}": "steps=${seed} cannot be worked out\n  it leads back to itself",
    "steps=${seed} seed=${clip} clip=${steps}": "steps=${seed} cannot be worked out\n  it leads back to itself",
    "name=${nope}": "name=${nope} cannot be worked out\n  there is no nope",
    "seed=${warmup}": "seed=${warmup} cannot be worked out\n"
    "  warmup is derived only after each ${...} is worked out\n  to give it: warmup=VALUE",
    "name=${model.dimm}": "name=${model.dimm} cannot be worked out\n  there is no model.dimm\n"
    "  nearest: model.dim, model.head.dim, model.head",
    "seed=${nope:3}": "seed=${nope:3} cannot be worked out\n  there is no ${nope:...}\n"
    f"  choose from: {', '.join(sorted(each for each in BaseContainer._resolvers if each.startswith('oc.')))}",
    "name='${now:x}'": "name='${now:x}' cannot be worked out\n"
    "  ${now:...} is Hydra's, and works only in its own options",
    "name='${seed.x}'": "name='${seed.x}' cannot be worked out\n  seed has nothing inside it",
    "name='${tasks.x}'": "name='${tasks.x}' cannot be worked out\n  x is no place in a list",
    "tasks.7=${name}": "tasks.7=${name} cannot be worked out\n  it names no place in a list",
    "tasks.x=${name}": "tasks.x=${name} cannot be worked out\n  it names no place in a list",
    "name='${..x}'": "name='${..x}' cannot be worked out\n  there is no ..x",
    "name='${oc.envv:X}'": "name='${oc.envv:X}' cannot be worked out\n  there is no ${oc.envv:...}\n  nearest: oc.env",
    "name='${oc.dict.keys:seed}'": "name='${oc.dict.keys:seed}' cannot be worked out\n"
    "  what it calls fails: `oc.dict.keys` cannot be applied to objects of type: int",
    "seed=${oc.env:NOWHERE}": "seed=${oc.env:NOWHERE} cannot be worked out\n"
    "  the environment has no NOWHERE\n  to have a value without it: '${oc.env:NOWHERE,VALUE}'",
    "seed=${name}": "seed=${name}: seed is int, not 'x'\n  defined in runs/__init__.py:28",
    "name=${model}": "name=${model}: name is str, not {'dim': 192, 'depth': 12, 'heads': 3, "
    "'head': {'dim': 16, 'dropout': 0.0}}\n  defined in runs/__init__.py:29",
    "model=${name}": "model=${name} cannot be worked out\n  there is no name among what is chosen\n"
    "  choose from: model, optim",
    "run=${seed}": "run=${seed} cannot be worked out\n  there is no seed among what is chosen",
    "teacher=${oc.env:NOWHERE,vitt}": "teacher=${oc.env:NOWHERE,vitt}: no model is called 'vitt'\n"
    "  options are the subclasses of Model (models/__init__.py:6)\n  nearest: vit, vit/small",
    "name='${a..}'": "name='${a..}' cannot be worked out\n  what stands in its ${...} cannot be read",
    "seed=${": "'seed=${' cannot be read as NAME=VALUE\n  '${' is not closed",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_worked_out_is_refused(refused: Any, words: str) -> None:
    assert refused(*words.split()) == REFUSED[words]


@pytest.mark.parametrize("words", ["seed=${nope:3}", "name='${now:x}'"])
def test_what_hydra_gives_to_omegaconf_changes_no_message(refused: Any, words: str) -> None:
    from hydra.core.utils import setup_globals
    from omegaconf import OmegaConf

    setup_globals()
    assert refused(*words.split()) == REFUSED[words]
    assert OmegaConf.has_resolver("now")


class United(CN):
    out: str | Path = Path("x")
    outs: dict[str, str | Path] = {"a": Path("y")}
    log: str = ""


def test_a_value_of_a_union_stands_as_it_is_written() -> None:
    assert compose(United, ["log=${out}/z"]).log == "x/z"
    assert compose(United, ["log=${outs.a}/z"]).log == "y/z"
    assert explain_text(United, None, [], "outs", None).startswith("outs = {a: y}  United")
