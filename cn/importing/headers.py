"""The header of a YAML file, `# @package _global_`, as Hydra reads it: among the comments at the top."""

from __future__ import annotations

import re

HEADER = re.compile(r"^#\s*@package\s+(\S+)\s*$")


def package_in(written: str) -> str:
    """Return the package that a header writes, which is always absolute: "" for `_global_`."""
    return below_global(written if f"{written}.".startswith("_global_.") else f"_global_.{written}")


def below_global(package: str) -> str:
    """Return what stands after the last `_global_.` of a package. As Hydra has it, any letter may stand for the dot."""
    _, found, after = package.rpartition("_global_")
    return after[1:] if found else package
