"""Comments of YAML: where each goes, and those that stand at no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn.importing.reading.yaml_files import files
from tests.cn.importing.test_text import as_ruff_does
from tests.cn.importing.trees import imported, write

LISTS = """\
# Which model is trained?
defaults: [_self_, e: null]
c:
  # one
  - 1
  - ${x}  # two
x: 1
d:
  - name: a  # about a
    # its size
    size: 3
f:
  hot dog: [1, 2]  # of f
"""
PATCH = """\
# @package _global_
f:
  # why
  hot dog:
    - 3  # first
"""


@pytest.mark.parametrize(
    ("row", "comment"),
    [
        (r'a: "x \" # y" # z', "z"),
        (r'a: "x \\" # z', "z"),
        ("a: 'it''s # not' # z", "z"),
        ("a: 'x \\' # z", "z"),
        ("a: it's # z", "z"),
    ],
)
def test_a_comment_begins_outside_of_quotes(row: str, comment: str, tmp_path: Path) -> None:
    assert files(write(tmp_path, {"config": row}))["config"].beside == {("a",): comment}


def test_a_text_of_several_lines_holds_no_comment(tmp_path: Path) -> None:
    file = files(write(tmp_path, {"config": "a: |\n  # x\n  y\n# of b\nb: >-\n  # z\n"}))["config"]
    assert (file.above, file.left) == ({("b",): ["of b"]}, [])


def test_comments_in_lists_and_in_plain_dicts_stand_at_their_items(tmp_path: Path) -> None:
    found = imported(tmp_path, {"config": LISTS, "e/one": PATCH})
    text = found.text("runs/config.py")
    assert text[text.index("class ") :] == (
        '''class Config(Run):
    """Which model is trained?"""

    c: list[Any] = [
        # one
        1,
        derive(lambda run: run.x),  # two
    ]
    x: int = 1
    d: list[Any] = [
        # about a
        {
            "name": "a",
            # its size
            "size": 3,
        },
    ]
    f: dict[str, Any] = {
        "hot dog": [1, 2],  # of f
    }
'''
    )
    assert found.text("runs/patches/e/one.py").endswith(
        """    changes = {
        "f": {
            # why
            "hot dog": [
                3,  # first
            ],
        },
    }
"""
    )
    assert found.conversion.odd == []
    as_ruff_does(found.folder)


def test_comments_that_stand_at_no_value_are_counted(tmp_path: Path) -> None:
    tree = {
        "config": "# head\n\n# more\ndefaults:\n  # which\n  - m: a  # this\nx: 1\n# first\n\n# second\ny: 2\n# end\n",
        "m/a": "z: [1,\n  2\n  # last\n  ]",
        "hydra/help/a": "# of Hydra\n\n# alone\n",
    }
    found = imported(tmp_path, tree)
    file = found.conversion.files["config"]
    assert (file.head, file.above, file.left) == (["head"], {("y",): ["second"]}, [3, 5, 6, 8, 12])
    why = "comments that stand at no value are left out; lines: 6"
    assert found.conversion.odd == [("conf/config.yaml:3", why), ("conf/m/a.yaml:3", why)]
