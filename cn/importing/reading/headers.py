"""The header of a YAML file, `# @package _global_`, as Hydra reads it: before all other comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

READ = 512  # letters of a file in which Hydra looks for the header
HEADER = re.compile(r"^#\s*@package\s+(\S+)\s*$")


def written_in(text: str) -> str | None:
    """Return the package that the header of a file writes, None without one. ValueError if Hydra refuses the header."""
    found: str | None = None
    for row in filter(None, map(str.strip, text[:READ].splitlines())):
        if not re.match(r"#\s*@", row):
            break
        words = [word for word in row.lstrip("#").strip().split(" ") if word]
        if len(words) != 2:
            raise ValueError(f"its header {row} is not understood: write # @package NAME")
        found = words[1] if words[0] == "@package" else found
    return found


def without_effect(text: str) -> Iterator[int]:
    """Yield the lines among the comments at the top that look like a header, and that Hydra does not read."""
    length, is_read = 0, True
    for number, row in enumerate(text.splitlines(keepends=True), 1):
        plain, length = row.strip(), length + len(row)
        if plain and not plain.startswith("#"):
            return
        is_read = is_read and length <= READ and (not plain or bool(re.match(r"#\s*@", plain)))
        if not is_read and HEADER.match(plain):
            yield number


def package_in(written: str) -> str:
    """Return the package that a header writes, which is always absolute: "" for `_global_`."""
    return below_global(written if f"{written}.".startswith("_global_.") else f"_global_.{written}")


def below_global(package: str) -> str:
    """Return what stands after the last `_global_.` of a package. As Hydra has it, any letter may stand for the dot."""
    _, found, after = package.rpartition("_global_")
    return after[1:] if found else package
