"""The code that jobs run: links stay links inside, and are copied from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cn import UserError
from cn.sweeping.submitting.snapshots import changes, digest, take
from tests.sweeps.snapshot.repository import held, of_python, write

pytestmark = pytest.mark.slow  # each starts git several times


def test_links_stay_links_inside_and_are_copied_from_outside(code: Path, into: Path, tmp_path: Path):
    write(tmp_path, "lib.py", "pictures/1.png")
    (code / "inside.py").symlink_to(code / "models/vit.py")
    (code / "folder").symlink_to("models")
    (code / "outside.py").symlink_to(tmp_path / "lib.py")
    (code / "pictures").symlink_to(tmp_path / "pictures")
    (code / ".#lock.py").symlink_to("me@host.12")
    (code / "loop.py").symlink_to("loop.py")
    (code / "outputs").symlink_to(tmp_path)
    snapshot = into / take(code, into)
    links = {path.name: os.readlink(path) for path in snapshot.iterdir() if path.is_symlink()}
    assert links == {"inside.py": "models/vit.py", "folder": "models", "pictures": str(tmp_path / "pictures")}
    assert (snapshot / "outside.py").read_text() == "# lib.py\n"
    assert not {".#lock.py", "loop.py", "outputs"} & set(os.listdir(snapshot))
    assert changes(snapshot, code) == []


def test_a_link_to_what_is_ignored_is_copied_if_it_is_a_file(code: Path, into: Path):
    (code / ".gitignore").write_text("made/\n")
    write(code, "made/a.py")
    (code / "a.py").symlink_to("made/a.py")
    (code / "b").symlink_to("made")
    assert held(into / take(code, into)) == [".gitignore", "README.md", "a.py", "models/vit.py", "train.py"]


def test_a_link_that_leads_to_another_folder_is_other_code(code: Path, into: Path):
    write(code, "one/a.py", "two/a.py")
    (code / "chosen").symlink_to("one")
    snapshot = into / take(code, into)
    (code / "chosen").unlink()
    (code / "chosen").symlink_to("two")
    assert changes(snapshot, code) == ["chosen"]
    assert digest(code) != of_python(snapshot)


def test_a_link_to_a_file_is_known_by_what_the_file_holds(code: Path, into: Path):
    (code / "AGENTS.md").symlink_to("README.md")
    (code / "old.py").symlink_to("train.py")
    before, snapshot = digest(code), into / take(code, into)
    (code / "README.md").write_text("new")
    assert digest(code) == before
    assert changes(snapshot, code) == []
    (code / "train.py").write_text("x = 1\n")
    assert changes(snapshot, code) == ["old.py", "train.py"]


def test_a_link_to_a_folder_of_which_nothing_is_copied_is_no_obstacle(code: Path, into: Path):
    (code / "drafts").mkdir()
    (code / "drafts/.#lock.py").symlink_to("me@host.12")
    (code / "chosen").symlink_to("drafts")
    snapshot = into / take(code, into)
    assert os.readlink(snapshot / "chosen") == "drafts"
    assert changes(snapshot, code) == []
    assert digest(code) == of_python(snapshot)


def test_a_linked_package_outside_is_refused(code: Path, into: Path, tmp_path: Path):
    write(tmp_path, "lib/__init__.py")
    (code / "lib").symlink_to("../lib")
    with pytest.raises(UserError) as error:
        take(code, into)
    assert str(error.value) == (
        f"lib is a link to a package outside of the code, so it would not be copied: {tmp_path / 'lib'}\n"
        "  put the package itself there, or install it and remove the link"
    )
