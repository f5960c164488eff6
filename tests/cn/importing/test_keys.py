"""Keys of YAML that no field can have, since neither Python nor the command line can name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.report import words
from tests.cn.importing.trees import imported

NEW = "the key {!r} becomes the field {}, since no field can have that key"


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True], ids=["typed", "exact"])
def test_a_mapping_with_such_a_key_is_a_plain_dict(exact: bool, tmp_path: Path) -> None:
    files = {
        "config": "defaults: [m: a]\nnames: {_target_: builtins.dict, hot dog: 1, layer.0: '${m.x}', 'x:y': 4}",
        "m/a": "x: 1\nlr: {backbone.0: 0.1, head: 1.0}",
        "m/b": "x: 2\nlr: {head: 2.0}",
    }
    found = imported(tmp_path, files, exact=exact)
    text = found.text("runs/config.py")
    assert '"hot dog": 1,\n        "layer.0": derive(lambda run: run.m.x),\n        "x:y": 4,\n' in text
    assert '= {"backbone.0": 0.1, "head": 1.0}\n' in found.text("runs/m/a.py")
    assert found.unequal("", "m=b", "m.lr.head=3.0") == []
    assert (found.conversion.odd, dict(words(found.conversion))) == ([], {"`--config-name config`": "`run=config`"})


@pytest.mark.slow
def test_such_a_key_of_a_run_or_an_option_or_beside_a_choice_is_told(tmp_path: Path) -> None:
    files = {"config": "defaults: [m: a, m@q.m: a]\na.b: 1\nq: {c d: 2}", "m/a": "größe: 1"}
    found = imported(tmp_path, files)
    assert sorted(found.conversion.odd) == [
        ("conf/config.yaml:2", NEW.format("a.b", "a_b")),
        ("conf/config.yaml:3", NEW.format("c d", "c_d")),
        ("conf/m/a.yaml:1", NEW.format("größe", "groe")),
    ]
    (result,) = found.results("")
    assert (result.verdict, result.cause) == ("differs", "m.größe is 1 with Hydra and no key with CN")
