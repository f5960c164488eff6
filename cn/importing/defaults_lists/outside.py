"""What an option puts outside of its own package, `/optimizer@_global_.optimizer: adam` in model/x.yaml.

The runs and patches that choose the option hold it. With another option it stays, and a run that holds another option
lacks it, whatever a command chooses; the report tells both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cn.importing.defaults_lists.contents import HERE, Branch, Content, Item, Slot, descend, merge, slots_of
from cn.importing.defaults_lists.packages import relative_to

Option = Callable[[Slot], Content | None]


def outside_of(slots: Iterable[Slot], option: Option, above: tuple[str, ...] = ()) -> Iterator[Content]:
    """Yield the options of slots that put something outside of their packages, after those that they choose."""
    for slot in slots:
        content = option(slot)
        if content is None or content.file.config in above:
            continue
        inner = [each for branch in (content.full, *content.outside.values()) for each in slots_of(branch)]
        yield from outside_of(inner, option, (*above, content.file.config))
        if content.outside:
            yield content


def put(content: Content, merged: Branch, package: str, at: str, branch: Branch) -> None:
    """Merge what stands at a package into the content of a file; it is outside unless the package is the file's own."""
    relative = relative_to(at, package)
    merge(content.outside.setdefault(at, Branch()) if relative is None else descend(merged, relative), branch)


def rows(options: Iterable[tuple[str, Content]], held: set[str], runs: dict[str, Content]) -> Iterator[tuple[str, str]]:
    """Yield the place of each value that an option puts outside of its package, with what became of it.

    options: each with its group. held: the options of which runs and patches hold these values. runs: of the primary
    configs, by the name of the run.
    """
    told: set[tuple[str, str]] = set()
    for group, content in options:
        name = content.file.config.removeprefix(f"{group}/")
        what = "it is left out"
        if content.file.config in held:
            what = f"here it belongs to what chooses {name}, and stays with another {group}"
            chosen = {
                run: {each.option for each in slots_of(its.full) if each.group == group} for run, its in runs.items()
            }
            without = [f"run={run}" for run, names in chosen.items() if names and name not in names]
            what += f"; {', '.join(without)} with {group}={name} lacks it" if without else ""
        for package, branch in content.outside.items():
            at = package.replace(HERE, group.replace("/", "."))
            for key, item in branch.items.items():
                place, address = _place(item, content), f"{at}.{key}" if at else str(key)
                if (place, address) not in told:
                    yield place, f"{address} is set by {group}: {name}, outside of {group}; {what}"
                told.add((place, address))


def _place(item: Item, content: Content) -> str:
    """Return the place of the first value or choice in an item."""
    if not isinstance(item, Branch):
        return item.place
    return next((_place(each, content) for each in item.items.values()), content.file.shown)
