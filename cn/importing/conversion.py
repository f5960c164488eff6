"""What an import makes of a tree."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cn.importing.defaults_lists.contents import Content
from cn.importing.defaults_lists.default_patches import DefaultPatches
from cn.importing.defaults_lists.reader import Reader
from cn.importing.families.families import Families
from cn.importing.reading.yaml_files import File


@dataclasses.dataclass
class Conversion:
    """What an import makes. texts: by path in the new project; words: of the command line, old and new."""

    root: Path
    primaries: list[str]
    files: dict[str, File]
    families: Families
    texts: dict[str, str]
    options: dict[tuple[str, str], str]  # (group, option) -> the option's name now
    inner: dict[tuple[str, str], str]  # the same of options that a group above their own can choose
    patches: dict[tuple[str, str], str]  # (group, option) -> the patch's name now
    defaults: DefaultPatches
    kept: dict[str, frozenset[str]]  # primary -> addresses of what it keeps whatever is chosen
    nulls: dict[str, list[str]]  # patch -> addresses of groups of which it chooses nothing
    runs: dict[str, str]  # primary -> run
    odd: list[tuple[str, str]]  # (place, why) of what was not converted
    functions: set[str]
    called: dict[str, str]  # function -> what YAML calls its resolver
    reader: Reader
    contents: dict[str, Content]  # of the primaries
    option_files: dict[tuple[str, str], File]  # of `options` and `inner`
    class_names: dict[str, str]  # of each file
    schema: list[str]  # modules that fill the ConfigStore
    sweeps: dict[str, str] = dataclasses.field(default_factory=dict[str, str])  # of each file with parameters of one
