"""Groups whose options hold targets by name, as callbacks do: dicts of nodes, and a bundle for what holds several.

`callbacks/ema.yaml` with the one key `ema` is a node; `callbacks/default.yaml` with `ema` and `stop` is a bundle.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator

from cn.importing.contents import MISSING, Branch, Content, Leaf, Slot
from cn.importing.families import Families, Family
from cn.importing.groups import slots_of
from cn.importing.names import camel, is_attribute

Keys = tuple[Hashable, ...]


class Bundles:
    """Finds such groups. options: the content of each option by group; others: of primary configs and patches.

    exact: nothing may set values around a choice of such a group, since a dict holds whole nodes alone.
    """

    def __init__(self, options: dict[str, list[Content]], others: list[Content], *, exact: bool) -> None:
        self.options, self.others, self.exact = options, others, exact
        every = [content.full for content in [*others, *(each for known in options.values() for each in known)]]
        self.slots = [slot for branch in every for slot in slots_of(branch)]
        self.places = {at: slot.group for branch in every for at, slot in _places(branch, ())}
        self.references = [text for branch in every for text in _references(branch)]

    def find(self) -> Iterator[str]:
        """Yield the groups."""
        for group, contents in self.options.items():
            holds = all(_holds_targets(each) for each in contents)
            if holds and any(len(each.full.items) > 1 for each in contents) and self._stands_alone(group):
                yield group

    def _stands_alone(self, group: str) -> bool:
        """Return whether nothing refers to what a group holds, or sets what no option of it has."""
        slots = [each for each in self.slots if each.group == group]
        places = [at for at, its in self.places.items() if its == group]
        names = {str(at[-1]) for at in places}
        if any(names & set(re.findall(r"\w+", text)) for text in self.references):
            return False
        if any(each.under.items or each.option == MISSING or "${" in str(each.option) for each in slots):
            return False
        around = [each.over for each in slots]
        around += [
            item for content in self.others for at in places if isinstance(item := _at(content.full, at), Branch)
        ]
        if self.exact:
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
    return all(
        is_attribute(key)
        and isinstance(item, Branch)
        and "_target_" in item.items
        and not any(slots_of(item))
        and not any("${.." in text for text in _references(item))
        for key, item in content.full.items.items()
    )


def _references(branch: Branch) -> Iterator[str]:
    """Yield the texts with interpolations in a branch."""
    for item in branch.items.values():
        if isinstance(item, Leaf):
            if "${" in (text := str(item.value)):
                yield text
        else:
            for inner in (item,) if isinstance(item, Branch) else (item.over, item.under):
                yield from _references(inner)


def _places(branch: Branch, at: Keys) -> Iterator[tuple[Keys, Slot]]:
    for key, item in branch.items.items():
        if isinstance(item, Slot):
            yield (*at, key), item
        elif isinstance(item, Branch):
            yield from _places(item, (*at, key))


def _at(branch: Branch, at: Keys) -> object:
    item: object = branch
    for key in at:
        item = item.items.get(key) if isinstance(item, Branch) else None
    return item


def join(families: Families, groups: Iterable[str]) -> None:
    """Give all nodes that such a group holds one family, which becomes the contract of the group."""
    for group in groups:
        holder = families.groups[group]
        label = camel(group.rpartition("/")[2])
        nodes = Family(label.removesuffix("s") or label, holder.module, group, is_entry=True)
        for field in holder.fields.values():
            if field.family is not None:
                families.join(nodes, field.family)
                field.family = nodes
        holder.nodes = nodes
