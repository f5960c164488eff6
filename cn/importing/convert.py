"""Convert a tree of YAML to the files of a project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cn.errors import UserError
from cn.importing.classes.classes import Change
from cn.importing.classes.comments import doc_of, left_out
from cn.importing.classes.maker import Maker
from cn.importing.classes.patch_classes import nulls, patch_classes
from cn.importing.classes.patches import Patches
from cn.importing.classes.sharing import share
from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.contents import Content, Slot, merge, slots_of
from cn.importing.defaults_lists.default_patches import DefaultPatches
from cn.importing.defaults_lists.groups import Groups, with_bases
from cn.importing.defaults_lists.loops import mark_loops
from cn.importing.defaults_lists.outside import rows
from cn.importing.defaults_lists.reader import Reader
from cn.importing.families.bundles import Bundles, join
from cn.importing.families.families import Families, Family
from cn.importing.families.following import Follow
from cn.importing.families.inference import Inference
from cn.importing.families.keys import keys_as_texts, keys_that_give_way, renamed_keys
from cn.importing.families.module_paths import of_group, of_options, of_patches
from cn.importing.families.names import camel
from cn.importing.families.written_out import write_out
from cn.importing.reading.primaries import primaries as chosen_primaries
from cn.importing.reading.schema import stored
from cn.importing.reading.yaml_files import File, files, refuse_unread
from cn.importing.sweeps.axes import take_in
from cn.importing.sweeps.hydra_settings import SLURM, settings
from cn.importing.writing.modules import Modules


class Converter:
    """Converts one tree."""

    def __init__(self, root: Path, primaries: list[str], *, exact: bool, schema: list[str] | None = None) -> None:
        self.root, self.exact, self.schema = root, exact, schema or []
        found = files(root)
        if not found:
            raise UserError(f"{root} holds no YAML file", "write: the folder that Hydra's config_path names")
        mark_loops(found)
        self.files = {config: file for config, file in found.items() if not file.error}
        self.unread = [file for file in found.values() if file.error]
        for file in self.unread:
            if file.config in primaries if primaries else not file.group:
                refuse_unread(file)
        if self.schema:
            self.files = {**stored(self.schema), **self.files}
        self.reader = Reader(self.files, self.unread)
        self.primaries = chosen_primaries(root, self.files, primaries)
        self.families = Families()
        self.groups = Groups(self.reader)
        self.options, self.patches = self.groups.options, self.groups.patches
        self.packages: dict[str, str] = {}  # of each folder
        self.modules: dict[str, str] = {}  # of each file

    def convert(self) -> Conversion:
        """Return the texts of all files, and the words that have changed."""
        contents = {name: self.reader.content(self.files[name], "") for name in self.primaries}
        with_bases(contents, self.reader)
        self.groups.find(contents)
        options = [(group, self.reader.option(file, group)) for (group, _), file in self.options.items()]
        outside = [(group, content) for group, content in options if content.outside]
        if outside:
            contents = self.reader.with_outside(contents)
        defaults = DefaultPatches(self.reader, self.patches)
        if defaults.put_apart(contents):
            contents = self.reader.anew(contents)
            for content in contents.values():
                merge(content.full, defaults.fields(content.file))
        self.groups.optional_slots(contents)
        self.groups.slots_of_patches(contents)
        self.groups.find_inner(exact=self.exact)
        reachable = self.groups.reachable()
        option_contents = {file.config: self.reader.option(file, group) for (group, _), file in self.options.items()}
        every = [*self.options.values(), *(content.file for content in contents.values())]
        paths, self.packages = of_options(every, self._reserved())
        self.modules = {**of_patches(list(self.patches.values())), **paths}
        by_option = {key: option_contents[file.config].full for key, file in reachable.items()}
        follow = Follow(
            by_option,
            lambda group, option: camel(self.modules[self.options[group, option].config].rpartition(".")[2]),
            self.patches,
        )
        for content in contents.values():
            follow.put(content, self.reader.patch, defaults.groups(content.file))
        changed = {file.config: self.reader.patch(file) for file in self.patches.values()}
        self._families(contents, option_contents)
        members = [(by_option[key], self.families.groups[key[0]]) for key in self.options]
        members += [(content.full, self.families.run) for content in [*contents.values(), *changed.values()]]
        written_out = write_out(self.families, members, by_option)
        if written_out:
            self.families = Families()
            self._families(contents, option_contents)
        by_group: dict[str, list[Content]] = {}
        for (group, _), file in self.options.items():
            by_group.setdefault(group, []).append(option_contents[file.config])
        inner_groups = self.groups.inner.values()
        bundles = Bundles(by_group, [*contents.values()], [*changed.values()], inner_groups, exact=self.exact)
        join(self.families, list(bundles.find()), bundles.listed)
        names = self._names(self.options)
        inner = self._names(self.groups.inner)
        patches = Patches(self.families, {**names, **inner}, by_option, exact=self.exact)
        for content in changed.values():
            patches.prepare(content)
        for content in contents.values() if self.exact else ():
            patches.prepare_kept(content.full, self.families.run)
        take_in(self.families, self.files)
        self.families.mark_plain()
        Inference(self.families, exact=self.exact).run()
        maker = self._maker(contents, option_contents)
        for config in [*option_contents, *contents]:
            maker.of_file(config)
        share(maker, self.families)
        modules = Modules(self.families, maker, list(patch_classes(patches, changed, self.modules)))
        for config, content in contents.items():
            maker.of_file(config).kept = patches.kept(content)
            applied = defaults.of(content.file, {})
            bases = maker.extended.get(config, [])[-1:]
            if applied != [key for base in bases for key in defaults.of(self.files[base], {})]:  # it inherits those
                maker.of_file(config).patches = [self._patch_option(self.patches[key]) for key in applied]
        modules.launch = "launch" in self._reserved()
        texts = modules.write()
        odd = [*dict.fromkeys(self.reader.lost), *written_out, *maker.odd, *patches.odd, *follow.odd]
        runs = {name: maker.modules[name].removeprefix("runs.").replace(".", "/") for name in contents}
        odd += rows(outside, self.reader.held, {runs[name]: content for name, content in contents.items()})
        odd += [*keys_as_texts(self.families), *renamed_keys(self.families)]
        odd += [row for each in contents.values() for row in keys_that_give_way(self.families.run, each.full)]
        odd += [each for file in self.files.values() for each in file.odd]
        odd += left_out(file for file in self.files.values() if not self.reader.is_hydra(file))
        odd += [(file.where, f"cannot be read, so it is left out: {file.error}") for file in self.unread]
        return Conversion(
            root=self.root,
            primaries=self.primaries,
            files=self.files,
            families=self.families,
            texts=texts,
            options=names,
            inner=inner,
            patches={key: self._patch_option(file) for key, file in self.patches.items()},
            defaults=defaults,
            kept={config: _addresses(maker.of_file(config).kept) for config in contents},
            nulls={self._patch_option(each.file): list(nulls(each)) for each in modules.patches},
            runs=runs,
            odd=odd,
            functions=modules.functions,
            called=modules.resolvers,
            reader=self.reader,
            contents=contents,
            option_files=reachable,
            class_names=maker.names,
            plugins=list(self._plugins()),
            schema=self.schema,
            resolvers=sorted(set(self._resolvers())),
        )

    def _names(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return what each option is called now, by group and option."""
        modules = {(group, option): self.modules[f"{group}/{option}"] for group, option in keys}
        return {key: name.removeprefix(f"{self.packages[key[0]]}.").replace(".", "/") for key, name in modules.items()}

    def _patch_option(self, file: File) -> str:
        return self.modules[file.config].removeprefix("runs.patches.").replace(".", "/")

    def _plugins(self) -> Iterator[tuple[str, str]]:
        """Yield the options of Hydra's own groups that defaults lists choose."""
        for file in self.files.values():
            for entry in file.entries:
                group = (entry.group or "").removeprefix("/")
                full = group if group.startswith("hydra/") else f"{file.group}/{group}"
                if full.startswith("hydra/") and isinstance(entry.options, str):
                    yield full, entry.options.removesuffix(".yaml")

    def _resolvers(self) -> Iterator[str]:
        for file in self.files.values():
            if file.path.is_file():
                yield from re.findall(r"\$\{\s*([A-Za-z_][\w.]*)\s*:", file.path.read_text("utf-8", "replace"))

    def _reserved(self) -> frozenset[str]:
        """Return the names of fields of a run, and of folders, that the new project needs itself."""
        slurm = any(set(each.values) & set(SLURM) for each in settings(self.files, "launcher"))
        return frozenset([*(["patches"] if self.patches else []), *(["launch"] if slurm else [])])

    def _families(self, contents: dict[str, Content], options: dict[str, Content]) -> None:
        self.families.run.reserved = self._reserved()
        every = [*options.values(), *contents.values()]
        without_options = {slot.group for content in every for slot in slots_of(content.full)} - self.groups.used
        for group in sorted(self.groups.used | without_options):
            label = camel(group.rpartition("/")[2])
            package = self.packages.setdefault(group, of_group(group, self._reserved()))
            self.families.groups[group] = Family(label, package, group)
        for (group, _), file in self.options.items():
            self.families.add(self.families.groups[group], options[file.config].full)
        for content in contents.values():
            self.families.add(self.families.run, content.full)
        for content in every:
            for slot in slots_of(content.full):
                family = self.families.groups.get(self.groups.group_of(slot))
                if family is not None:
                    for extra in (slot.over, slot.under):
                        self.families.add(family, extra, root=slot.option is None and bool(extra.items))
                        family.added |= {key for key, item in extra.items.items() if isinstance(item, Slot)}
        for family in self.families.groups.values():
            family.added = {key for key in family.added if not any(key in keys for keys in family.roots)}
        self.families.unify()
        self.families.offer(self.groups.inner)

    def _maker(self, contents: dict[str, Content], options: dict[str, Content]) -> Maker:
        maker = Maker(self.families, self.groups.reachable(), self.modules)
        maker.group_of = {**dict.fromkeys(contents, ""), **{file.config: at[0] for at, file in self.options.items()}}
        for config, content in {**options, **contents}.items():
            file = content.file
            maker.contents[config] = content.full
            maker.names[config] = camel(self.modules[config].rpartition(".")[2])
            maker.docs[config] = "\n".join(doc_of(file))
            bases = [base.file.config for base in content.bases]
            alike = all(maker.group_of.get(each) == maker.group_of[config] for each in bases)
            if bases and alike and not _overlap(content.bases):
                maker.extended[config] = bases
        return maker


def _addresses(changes: list[Change]) -> frozenset[str]:
    return frozenset(each.address.lstrip("+") for each in changes)


def _overlap(bases: list[Content]) -> bool:
    """Return whether two bases hold one key, so that Python's inheritance would not merge them as Hydra does."""
    seen: set[Any] = set()
    for base in bases:
        if seen & set(base.full.items):
            return True
        seen |= set(base.full.items)
    return False
