"""An option that there is none of is most likely a field, set as other programs have it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

HELP = "\n  see: python train.py --help\n"
HABITS = {
    "--steps 3": "there is no option --steps\n  write: steps=3",
    "--steps=3": "there is no option --steps\n  write: steps=3",
    "--seed -3": "there is no option --seed\n  write: seed=-3",
    "--model vit": "there is no option --model\n  write: model=vit",
    "--model": "there is no option --model\n  write: model=NAME",
    "--flag": "there is no option --flag\n  write: flag=true",
    "--lr 3e-4": "there is no option --lr\n  write: optim.lr=3e-4",
    "-lr 3e-4": "there is no option -lr\n  write: optim.lr=3e-4",
    "--optim.lr 3": "there is no option --optim.lr\n  write: optim.lr=3",
    "--head cls_token": "there is no option --head\n  write: model/head=cls_token",
    "--dropout 0.5": "there is no option --dropout\n  write: model.head.dropout=0.5",
    "--width 8 model=mlp": "there is no option --width\n  write: model.width=8",
    "--out ~x": "there is no option --out\n  write: 'out=\"~x\"'",
    "--stpes 3": "there is no option --stpes\n  write: steps=3",
    "-w 3": "there is no option -w\n  write: warmup=3",
    "--teacher.width 8": "there is no option --teacher.width\n  write: teacher.width=8",
    "--multirn seed=1,2": "there is no option --multirn\n  nearest: --multirun",
}


@pytest.mark.parametrize("typed", HABITS)
def test_an_option_of_other_programs_is_offered_as_a_word(
    program: Callable[..., subprocess.CompletedProcess[str]], typed: str
) -> None:
    done = program(*typed.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", HABITS[typed] + HELP)
