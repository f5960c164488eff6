"""Packages of entries of a defaults list."""

from __future__ import annotations

import pytest

from cn.importing.defaults_lists.contents import HERE
from cn.importing.defaults_lists.packages import package_of
from cn.importing.reading.yaml_files import Entry


@pytest.mark.parametrize(
    ("group", "option", "package", "found"),
    [
        ("/db", "mysql", "_group_.zz", "db.zz"),
        ("db", "mysql", "_group_", "web.server.db"),
        ("db", "mysql", "x._group_", "x.web.server.db"),
        ("../db", "mysql", "_group_.zz", "web.db.zz"),
        (None, "/db/mysql", "_group_.zz", "db.zz"),
        (None, "mysql", "_group_.zz", "web.server.zz"),
        ("db", "mysql", "zz", f"{HERE}.zz"),
    ],
)
def test_the_word_group_in_a_package_is_the_whole_path_of_the_group(
    group: str | None, option: str, package: str, found: str
) -> None:
    entry = Entry(group, option, package, False, False, 1)
    assert package_of(entry, HERE, group or "", None, "web/server") == found
