"""What an import writes: contracts, options that inherit, private classes, comments, and words that have changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cn.importing.proof.report import words
from cn.importing.writing.layout import statement
from tests.cn.importing.trees import Imported, imported

FILES = {
    "train": """
    # What is trained.

    defaults:
      - model: small
      - optim@model.optim: bert-nrms
      - debug: null
      - _self_

    seed: 1  # of everything
    """,
    "model/base": """
    # A network.

    _target_: nets.Net
    # channels
    dim: 8
    lr: ${model.optim.lr}
    head: {_target_: nets.Head, bias: true}  # the last layer
    """,
    "model/small": """
    defaults: [base]
    dim: 4
    head: {bias: false}
    depth: 2
    """,
    "optim/bert-nrms": "lr: 1e-3\nname: a",
    "optim/lambda": "lr: 2e-3\nname: b",
    "debug/fast": """
    # @package _global_
    defaults: [override /model: base]
    seed: 2
    model:
      dim: 3  # small
      new: [1]
    """,
}


@pytest.fixture
def tree(tmp_path: Path) -> Imported:
    return imported(tmp_path, FILES, "train")


def test_an_option_states_what_differs_from_its_base(tree: Imported) -> None:
    assert tree.text("runs/model/small.py") == (
        '''from __future__ import annotations

from runs.model import Head
from runs.model.base import Base, _Head


class Small(Base):
    """Was conf/model/small.yaml."""

    dim: int = 4
    head: Head = _Head(bias=False)
    depth: int = 2
'''
    )


def test_comments_and_nested_targets_are_kept(tree: Imported) -> None:
    assert tree.text("runs/model/base.py") == (
        '''from __future__ import annotations

from cn import derive

from runs.model import Head, Model


class _Head(Head):
    _target_: str = "nets.Head"
    bias: bool = True


class Base(Model):
    """A network."""

    _target_: str = "nets.Net"
    dim: int = 8  # channels
    lr: float = derive(lambda run: run.model.optim.lr)
    head: Head = _Head()  # the last layer
'''
    )


def test_a_comment_above_several_keys_stays_there_and_one_that_repeats_a_name_is_left_out(tmp_path: Path) -> None:
    tree = imported(
        tmp_path, {"config": "a: 1\n\n# Training\nb: 2\nc: 3\n\n# large\nd: 4\n\n# Full_name\nfull_name: x\n"}
    )
    assert tree.text("runs/config.py").partition('"""\n\n')[2] == (
        """    a: int = 1
    # Training
    b: int = 2
    c: int = 3
    d: int = 4  # large
    full_name: str = "x"
"""
    )


def test_a_contract_of_nested_nodes_says_where_they_stand(tree: Imported) -> None:
    assert 'class Head(CN):\n    """What every model.head has."""\n' in tree.text("runs/model/__init__.py")


def test_a_contract_holds_what_all_options_share(tree: Imported) -> None:
    assert tree.text("runs/optim/__init__.py") == (
        '''from __future__ import annotations

from cn import CN


class Optim(CN):
    """What optim can be."""

    lr: float
    name: str
'''
    )


def test_an_option_of_all_is_a_patch(tree: Imported) -> None:
    assert tree.text("runs/patches/debug/fast.py") == (
        '''from __future__ import annotations

from cn import Patch


class Fast(Patch):
    """Was conf/debug/fast.yaml."""

    changes = {
        "model": "base",
        "seed": 2,
        "model.dim": 3,  # small
        "++model.new": [1],
    }
'''
    )


def test_words_that_have_changed_are_told(tree: Imported) -> None:
    assert words(tree.conversion) == [
        ("`--config-name train`", "`run=train`"),
        ("`optim@model.optim=NAME`", "`model/optim=NAME`"),
        ("`debug=NAME`", "`patches=debug/NAME`"),
        ("`optim=bert-nrms`", "`optim=bert_nrms`"),
        ("`optim=lambda`", "`optim=lambda_`"),
    ]


def as_ruff_does(folder: Path, rules: str = "E4,E5,E7,E9,F,I") -> None:
    pytest.importorskip("ruff", reason="ruff is not installed")
    ruff(folder, ["format", "--check", "--line-length=120"], ["check", "--line-length=120", "--select", rules])


def ruff(folder: Path, *commands: list[str]) -> None:
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_every_file_is_formatted_as_ruff_does(tree: Imported) -> None:
    as_ruff_does(tree.folder)


@pytest.mark.slow
def test_ruff_finds_nothing_with_the_settings_of_the_project(tmp_path: Path) -> None:
    pytest.importorskip("ruff", reason="ruff is not installed")
    files = {"config": "defaults: [model: ViT]\nsizes: [1, 2]", "model/ViT": "dims: {a-b: 1}"}
    ruff(imported(tmp_path, files).folder, ["check"])


@pytest.mark.slow
def test_long_names_and_addresses_are_formatted_as_ruff_does(tmp_path: Path) -> None:
    long, inner = "cells-of-the-human-lung-and-of-the-mouse", "predictions_of_the_loader.settings_of_the_data_set"
    tree = f"""
    # @package _global_
    settings_of_the_loader:
      {inner.replace(".", ": {")}: {{fields_of_the_rows: {{user: 1}}}}}}
      name: ${{settings_of_the_loader.{inner}.fields_of_the_rows.user}}
      b: {{c: {{d: '${{settings_of_the_loader.{inner}.fields_of_the_rows}}'}}}}
    """
    files = {
        "config": f"defaults: [e: null]\n{long}-filtered: {{k: 1}}\n{long}: {{k: 2}}\nlast-{long}-{long}: 3",
        "e/one": tree,
    }
    as_ruff_does(imported(tmp_path, files).folder)


def test_a_union_of_many_contracts_is_laid_out_as_ruff_does(tmp_path: Path) -> None:
    names = [f"LongNameOfContract{i}" for i in range(8)]
    fields = [
        statement("part", " | ".join(names[:5]), "Part(a=3)", [], "", ""),
        statement("part_of_the_whole", " | ".join([*names, "None"]), None, [], "", ""),
        statement("parts", f"dict[str, {' | '.join(names[:5])}]", "{}", [], "", ""),
    ]
    for rows in fields:
        (tmp_path / "a.py").write_text("\n".join(["class A:", *rows, ""]))
        as_ruff_does(tmp_path, "E4,E5,E7,E9,I")  # its names are not defined
