"""Names of this repository that changed: what was typed and recorded under the old ones is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cn import load
from cn.nodes.to_json import plain
from cn.sweeping.planning.plan import identity
from runs import Run


def test_launch_gpus_is_read_and_told(compose: Any) -> None:
    with pytest.warns(UserWarning, match=r"^launch\.gpus=2: this field is called launch\.processes now$"):
        assert compose(Run, "launch.gpus=2").launch.processes == 2


def test_a_run_that_recorded_launch_gpus_goes_on_and_is_the_same_trial(compose: Any, tmp_path: Path) -> None:
    run = compose(Run, "launch.processes=2")
    record = plain(run)
    record["launch"]["gpus"] = record["launch"].pop("processes")
    (tmp_path / "config.json").write_text(json.dumps(record))
    assert load(tmp_path) == run
    assert identity(load(tmp_path), record) == identity(run, plain(run)) == identity(compose(Run), plain(compose(Run)))
