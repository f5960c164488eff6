"""A class for each patch; one that extends a single other states only what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from cn.importing.classes.classes import Change
from cn.importing.classes.patches import Patches
from cn.importing.defaults_lists.contents import Content, Leaf
from cn.importing.families.names import camel
from cn.importing.reading.yaml_files import File


@dataclasses.dataclass
class PatchClass:
    """A patch to write. base: the file of the patch that it extends."""

    file: File
    module: str
    name: str
    base: PatchClass | None
    changes: list[Change]


def patch_classes(patches: Patches, contents: dict[str, Content], modules: dict[str, str]) -> Iterator[PatchClass]:
    """Yield a class for each patch; one that extends a single other states only what differs."""
    made: dict[str, PatchClass] = {}

    def make(config: str) -> PatchClass:
        if config not in made:
            content = contents[config]
            changes = patches.changes(content)
            bases = [each.file.config for each in content.bases]
            base = make(bases[0]) if len(bases) == 1 and bases[0] in contents else None
            held: dict[str, Any] = {}
            above = base
            while above is not None:
                held = {each.address: each.value for each in above.changes} | held
                above = above.base
            changes = [each for each in changes if each.address not in held or held[each.address] != each.value]
            module = modules[config]
            made[config] = PatchClass(content.file, module, camel(module.rpartition(".")[2]), base, changes)
        return made[config]

    for config in contents:
        yield make(config)


def nulls(patch: PatchClass | None) -> Iterator[str]:
    """Yield the groups of which a patch, or one that it extends, chooses nothing."""
    while patch is not None:
        yield from (
            each.address.replace(".", "/")
            for each in patch.changes
            if each.value is None and isinstance(each.leaf, Leaf) and each.field is not None and each.field.groups
        )
        patch = patch.base
