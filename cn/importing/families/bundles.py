"""Groups whose options hold targets by name, as callbacks do: dicts of nodes, and a bundle for what holds several.

`callbacks/ema.yaml` with the one key `ema` is a node; `callbacks/default.yaml` with `ema` and `stop` is a bundle.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator

from cn.importing.defaults_lists.contents import HERE, MISSING, Branch, Content, Leaf, Slot, slots_of, walk
from cn.importing.defaults_lists.packages import place_of
from cn.importing.families.families import Families, Family
from cn.importing.families.names import camel, is_attribute

Keys = tuple[Hashable, ...]


class Bundles:
    """Finds such groups. options: the content of each option by group; runs, patches: of primary configs and patches.

    exact: nothing may set values around a choice of such a group, since a dict holds whole nodes alone.
    inner: groups of which a group above can choose the options, where a node is wanted.
    listed: the address of each choice of several options, `callbacks: [ema, stop]`, with the group.
    """

    def __init__(
        self,
        options: dict[str, list[Content]],
        runs: list[Content],
        patches: list[Content],
        inner: Iterable[str],
        *,
        exact: bool,
    ) -> None:
        self.options, self.runs, self.patches, self.exact = options, runs, patches, exact
        self.inner = set(inner)
        known = [each for contents in options.values() for each in contents]
        every = [content.full for content in [*runs, *patches, *known]]
        self.slots = [slot for branch in every for slot in slots_of(branch)]
        self.names = [
            (str(at[-1]), slot.group) for branch in every for at, slot in walk(branch) if isinstance(slot, Slot)
        ]
        self.references = [text for branch in every for text in _references(branch)]
        entries = [place_of(key) for content in runs for entry, _, key in content.listed if entry.group is not None]
        self.listed: dict[Keys, str] = {tuple(at.split(".")): group for group, at in entries if at and HERE not in at}

    def find(self) -> Iterator[str]:
        """Yield the groups."""
        for group, contents in self.options.items():
            holds = group not in self.inner and all(_holds_targets(each) for each in contents)
            if holds and any(len(each.full.items) > 1 for each in contents) and self._stands_alone(group):
                yield group

    def _stands_alone(self, group: str) -> bool:
        """Return whether nothing refers to what a group holds, or sets what no option of it has."""
        slots = [each for each in self.slots if each.group == group]
        lists = [at for at, its in self.listed.items() if its == group]
        names = {name for name, its in self.names if its == group} | {str(at[-1]) for at in lists}
        if any(names & set(re.findall(r"\w+", text)) for text in self.references):
            return False
        if any(each.under.items or each.option == MISSING or "${" in str(each.option) for each in slots):
            return False
        held = [each for content in self.runs for each in _branches(content.full, names)]
        if not all(_are_targets(branch) for at, branch in held if at in lists):
            return False
        around = [*(each.over for each in slots), *(branch for at, branch in held if at not in lists)]
        around += [branch for content in self.patches for _, branch in _branches(content.full, names)]
        if self.exact:
            around += [branch for content in self.runs for _, branch in _branches(content.own, names)]
            return not any(each.items for each in around)
        return all(self._is_known(group, each) for each in around)

    def _is_known(self, group: str, around: Branch) -> bool:
        """Return whether options have all that is set around a choice."""
        known: dict[Hashable, set[Hashable]] = {}
        for content in self.options[group]:
            for key, item in content.full.items.items():
                known.setdefault(key, set()).update(item.items if isinstance(item, Branch) else ())
        return all(
            isinstance(item, Branch) and {*item.items} <= known.get(key, set()) for key, item in around.items.items()
        )


def _holds_targets(content: Content) -> bool:
    if content.choices or content.outside or content.patches:
        return False
    return _are_targets(content.full)


def _are_targets(branch: Branch) -> bool:
    return all(
        is_attribute(key)
        and isinstance(item, Branch)
        and "_target_" in item.items
        and not any(slots_of(item))
        and not any("${.." in text for text in _references(item))
        for key, item in branch.items.items()
    )


def _references(branch: Branch) -> Iterator[str]:
    """Yield the texts with interpolations in a branch."""
    return (text for _, item in walk(branch) if isinstance(item, Leaf) and "${" in (text := str(item.value)))


def _branches(branch: Branch, names: set[str]) -> Iterator[tuple[Keys, Branch]]:
    """Yield the mappings below keys of these names, with their addresses."""
    return ((at, item) for at, item in walk(branch) if isinstance(item, Branch) and at and at[-1] in names)


def join(families: Families, groups: Iterable[str], listed: dict[Keys, str]) -> None:
    """Give all nodes that such a group holds one family, which becomes the contract of the group."""
    for group in groups:
        holder = families.groups[group]
        for at in (at for at, its in listed.items() if its == group):
            field = families.at(tuple(map(str, at)))
            if field is not None and field.family is not None and not field.groups:
                families.join(holder, field.family)
                field.groups, field.family = [group], None
        label = camel(group.rpartition("/")[2])
        nodes = Family(label.removesuffix("s") or label, holder.module, group, is_entry=True)
        for field in holder.fields.values():
            if field.family is not None:
                families.join(nodes, field.family)
                field.family = nodes
        holder.nodes = nodes
