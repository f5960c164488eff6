"""Mappings of several files with the same keys are instances of one class, which has the values that all share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cn.importing.trees import Imported, imported

ONE = "data: {name: cifar, size: 32, path: a}  # images\nopt:\n  lr: 0.1  # of Adam\n  decay: ${n}\nn: 1\n"
TWO = ONE.replace("path: a", "path: b").replace("lr: 0.1", "lr: 0.2")


def tree(folder: Path, two: str) -> Imported:
    return imported(folder, {"one": ONE, "two": two}, "one", "two")


@pytest.mark.slow
def test_what_all_share_stands_once_and_each_file_states_what_differs(tmp_path: Path) -> None:
    found = tree(tmp_path, TWO)
    text = found.text("runs/__init__.py")
    assert (
        '''class Opt(CN):
    """What every run.opt has."""

    lr: float  # of Adam
    decay: int = derive(lambda run: run.n)


class Data(CN):
    """What every run.data has."""

    name: str = "cifar"
    size: int = 32
    path: str
'''
        in text
    )
    assert found.text("runs/two.py").partition('"""\n\n')[2] == (
        """    data: Data = Data(path="b")  # images
    opt: Opt = Opt(lr=0.2)
    n: int = 1
"""
    )
    for name in ("one", "two"):
        assert found.unequal("", "data.size=3 n=4", "opt.lr=3.5 opt.decay=2", primary=name) == []


@pytest.mark.slow
def test_a_mapping_that_holds_another_is_shared_with_it(tmp_path: Path) -> None:
    one = "save: {top: {k: 5, mode: min}, last: true}\nn: 1\n"
    two = one.replace("k: 5", "k: 1").replace("last: true", "last: false")
    found = imported(tmp_path, {"one": one, "two": two, "three": one}, "one", "two", "three")
    assert '''class Top(CN):
    """What every run.save.top has."""

    k: int
    mode: str = "min"


class Save(CN):
    """What every run.save has."""

    top: Top
    last: bool
''' in found.text("runs/__init__.py")
    assert "    save: Save = Save(top=Top(k=1), last=False)\n" in found.text("runs/two.py")
    same = imported(tmp_path / "same", {"one": one, "two": one}, "one", "two")
    assert "    top: Top = Top()\n    last: bool = True\n" in same.text("runs/__init__.py")
    assert "    save: Save = Save()\n" in same.text("runs/two.py")
    for name in ("one", "two", "three"):
        assert found.unequal("", "save.top.k=3", "save.top.mode=max save.last=true", primary=name) == []


def test_other_keys_or_other_comments_stay_classes_of_each_file(tmp_path: Path) -> None:
    found = tree(tmp_path, TWO.replace("size: 32, ", "").replace("# of Adam", "# of SGD"))
    text = found.text("runs/two.py")
    assert "class _Data(Data):" in text
    assert "    lr: float = 0.2  # of SGD" in text
