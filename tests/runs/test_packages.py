"""What a plain installation lacks is told before a run begins, with the command that brings it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cn import Job, UserError
from data.hub import Hub
from models.mlp import Mlp
from models.timm import Timm
from runs._request import asked
from runs.default import Default
from runs.task.distil import Distil

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_model_that_is_not_installed_is_told_before_torch_is_imported():
    script = (
        "import sys, cn.lazy, runs._request\n"
        "from cn import Job, UserError, compose\n"
        "from runs import Run\n"
        "cn.lazy.find_spec = lambda name: None if name == 'timm' else name\n"
        "try:\n    runs._request.asked(compose(Run, ['model=timm']), Job())\n"
        "except UserError as error:\n    print(error, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "model: timm is not installed\n  type: pip install -c constraints.txt -e '.[hub]' False\n"


def test_the_model_of_a_task_is_looked_at_too_and_one_of_ours_needs_nothing(monkeypatch):
    monkeypatch.setattr("cn.lazy.find_spec", lambda name: None)
    asked(Default(model=Mlp()), Job())
    with pytest.raises(UserError) as refused:
        asked(Default(model=Mlp(), task=Distil(teacher=Timm())), Job())
    told = "task.teacher: timm is not installed\n  type: pip install -c constraints.txt -e '.[hub]'"
    assert str(refused.value) == told


def test_data_of_the_hub_need_a_package(monkeypatch):
    monkeypatch.setattr("cn.lazy.find_spec", lambda name: None)
    with pytest.raises(UserError) as refused:
        asked(Default(data=Hub(path=Path("rows"))), Job())
    assert str(refused.value) == "data: datasets is not installed\n  type: pip install -c constraints.txt -e '.[hub]'"
