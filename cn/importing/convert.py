"""Convert a tree of YAML to the files of a project."""

from __future__ import annotations

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
from cn.importing.defaults_lists.contents import Branch, Content, Slot, merge, slots_of
from cn.importing.defaults_lists.default_patches import DefaultPatches
from cn.importing.defaults_lists.groups import Groups, with_bases
from cn.importing.defaults_lists.loops import mark_loops
from cn.importing.defaults_lists.outside import rows
from cn.importing.defaults_lists.reader import Reader
from cn.importing.families.bundles import Bundles, join
from cn.importing.families.families import Families, Family
from cn.importing.families.inference import Inference
from cn.importing.families.keys import keys_as_texts, keys_that_give_way, renamed_keys
from cn.importing.families.module_paths import of_group, of_options, of_patches
from cn.importing.families.names import camel
from cn.importing.families.patches_that_follow import Follow
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
        self.groups = Groups(self.reader)
        self.options, self.patches = self.groups.options, self.groups.patches
        self.families = Families()
        self.packages: dict[str, str] = {}  # of each folder
        self.modules: dict[str, str] = {}  # of each file

    def convert(self) -> Conversion:
        """Return the texts of all files, and the words that have changed."""
        self._follow_defaults()
        self._name_modules()
        follow = self._follow_choices()
        self._make_families()
        written_out = write_out(self.families, self._members(), self.by_option)
        if written_out:
            self._make_families()
        self._make_bundles()
        names, inner = self._names(self.options), self._names(self.groups.inner)
        patches = self._infer_types({**names, **inner})
        maker = self._make_classes()
        share(maker, self.families)
        modules = Modules(self.families, maker, list(patch_classes(patches, self.changed, self.modules)))
        self._apply_patches(maker, patches)
        modules.launch = "launch" in self._reserved()
        texts = modules.write()
        runs = {name: maker.modules[name].removeprefix("runs.").replace(".", "/") for name in self.contents}
        odd = [*dict.fromkeys(self.reader.lost), *written_out, *maker.odd, *patches.odd, *follow.odd]
        return Conversion(
            root=self.root,
            primaries=self.primaries,
            files=self.files,
            families=self.families,
            texts=texts,
            options=names,
            inner=inner,
            patches={key: self._patch_option(file) for key, file in self.patches.items()},
            defaults=self.defaults,
            kept={config: _addresses(maker.of_file(config).kept) for config in self.contents},
            nulls={self._patch_option(each.file): list(nulls(each)) for each in modules.patches},
            runs=runs,
            odd=[*odd, *self._told(runs)],
            functions=modules.functions,
            called=modules.resolvers,
            reader=self.reader,
            contents=self.contents,
            option_files=self.reachable,
            class_names=maker.names,
            schema=self.schema,
        )

    def _follow_defaults(self) -> None:
        """Read what primary configs, options and patches hold, and find which groups there are."""
        contents = {name: self.reader.content(self.files[name], "") for name in self.primaries}
        with_bases(contents, self.reader)
        self.groups.find(contents)
        options = [(group, self.reader.option(file, group)) for (group, _), file in self.options.items()]
        self.outside = [(group, content) for group, content in options if content.outside]
        if self.outside:
            contents = self.reader.with_outside(contents)
        self.defaults = DefaultPatches(self.reader, self.patches)
        if self.defaults.put_apart(contents):
            contents = self.reader.anew(contents)
            for content in contents.values():
                merge(content.full, self.defaults.fields(content.file))
        self.groups.optional_slots(contents)
        self.groups.slots_of_patches(contents)
        self.groups.find_inner(exact=self.exact)
        self.contents = contents  # of primary configs
        self.option_contents = {
            file.config: self.reader.option(file, group) for (group, _), file in self.options.items()
        }
        self.reachable = self.groups.reachable()
        self.by_option = {key: self.option_contents[file.config].full for key, file in self.reachable.items()}

    def _name_modules(self) -> None:
        every = [*self.options.values(), *(content.file for content in self.contents.values())]
        paths, self.packages = of_options(every, self._reserved())
        self.modules = {**of_patches(list(self.patches.values())), **paths}

    def _follow_choices(self) -> Follow:
        """Put the values of patches that follow choices into the options, and read what the other patches change."""

        def class_of(group: str, option: str) -> str:
            return camel(self.modules[self.options[group, option].config].rpartition(".")[2])

        follow = Follow(self.by_option, class_of, self.patches)
        for content in self.contents.values():
            follow.put(content, self.reader.patch, self.defaults.groups(content.file))
        self.changed = {file.config: self.reader.patch(file) for file in self.patches.values()}
        return follow

    def _members(self) -> list[tuple[Branch, Family]]:
        """Return what each file holds, with its family."""
        members = [(self.by_option[key], self.families.groups[key[0]]) for key in self.options]
        return members + [(each.full, self.families.run) for each in [*self.contents.values(), *self.changed.values()]]

    def _make_bundles(self) -> None:
        by_group: dict[str, list[Content]] = {}
        for (group, _), file in self.options.items():
            by_group.setdefault(group, []).append(self.option_contents[file.config])
        contents, changed = [*self.contents.values()], [*self.changed.values()]
        bundles = Bundles(by_group, contents, changed, self.groups.inner.values(), exact=self.exact)
        join(self.families, list(bundles.find()), bundles.listed)

    def _infer_types(self, names: dict[tuple[str, str], str]) -> Patches:
        """Work out the type of each field, from the values of patches and sweeps too. names: of options."""
        patches = Patches(self.families, names, self.by_option, exact=self.exact)
        for content in self.changed.values():
            patches.prepare(content)
        for content in self.contents.values() if self.exact else ():
            patches.prepare_kept(content.full, self.families.run)
        take_in(self.families, self.files)
        self.families.mark_plain()
        Inference(self.families, exact=self.exact).run()
        return patches

    def _apply_patches(self, maker: Maker, patches: Patches) -> None:
        """Let the class of each run keep its choices, and name the patches that it applies."""
        for config, content in self.contents.items():
            maker.of_file(config).kept = patches.kept(content)
            applied = self.defaults.of(content.file, {})
            bases = maker.extended.get(config, [])[-1:]
            if applied != [
                key for base in bases for key in self.defaults.of(self.files[base], {})
            ]:  # it inherits those
                maker.of_file(config).patches = [self._patch_option(self.patches[key]) for key in applied]

    def _told(self, runs: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the place of what is not converted as it stands, with the reason. runs: of the primary configs."""
        yield from rows(self.outside, self.reader.held, {runs[name]: each for name, each in self.contents.items()})
        yield from keys_as_texts(self.families)
        yield from renamed_keys(self.families)
        for each in self.contents.values():
            yield from keys_that_give_way(self.families.run, each.full)
        for file in self.files.values():
            yield from file.odd
        yield from left_out(file for file in self.files.values() if not self.reader.is_hydra(file))
        for file in self.unread:
            yield file.where, f"cannot be read, so it is left out: {file.error}"

    def _names(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return what each option is called now, by group and option."""
        modules = {(group, option): self.modules[f"{group}/{option}"] for group, option in keys}
        return {key: name.removeprefix(f"{self.packages[key[0]]}.").replace(".", "/") for key, name in modules.items()}

    def _patch_option(self, file: File) -> str:
        return self.modules[file.config].removeprefix("runs.patches.").replace(".", "/")

    def _reserved(self) -> frozenset[str]:
        """Return the names of fields of a run, and of folders, that the new project needs itself."""
        slurm = any(set(each.values) & set(SLURM) for each in settings(self.files, "launcher"))
        return frozenset([*(["patches"] if self.patches else []), *(["launch"] if slurm else [])])

    def _make_families(self) -> None:
        self.families = Families()
        self.families.run.reserved = self._reserved()
        every = [*self.option_contents.values(), *self.contents.values()]
        without_options = {slot.group for content in every for slot in slots_of(content.full)} - self.groups.used
        for group in sorted(self.groups.used | without_options):
            label = camel(group.rpartition("/")[2])
            package = self.packages.setdefault(group, of_group(group, self._reserved()))
            self.families.groups[group] = Family(label, package, group)
        for (group, _), file in self.options.items():
            self.families.add(self.families.groups[group], self.option_contents[file.config].full)
        for content in self.contents.values():
            self.families.add(self.families.run, content.full)
        for slot in (slot for content in every for slot in slots_of(content.full)):
            family = self.families.groups.get(self.groups.group_of(slot))
            if family is None:
                continue
            for extra in (slot.over, slot.under):
                self.families.add(family, extra, root=slot.option is None and bool(extra.items))
                family.added |= {key for key, item in extra.items.items() if isinstance(item, Slot)}
        for family in self.families.groups.values():
            family.added = {key for key in family.added if not any(key in keys for keys in family.roots)}
        self.families.unify()
        self.families.offer(self.groups.inner)

    def _make_classes(self) -> Maker:
        maker = Maker(self.families, self.reachable, self.modules)
        maker.group_of = {
            **dict.fromkeys(self.contents, ""),
            **{file.config: group for (group, _), file in self.options.items()},
        }
        for config, content in {**self.option_contents, **self.contents}.items():
            maker.contents[config] = content.full
            maker.names[config] = camel(self.modules[config].rpartition(".")[2])
            maker.docs[config] = "\n".join(doc_of(content.file))
            bases = [base.file.config for base in content.bases]
            alike = all(maker.group_of.get(each) == maker.group_of[config] for each in bases)
            if bases and alike and not _overlap(content.bases):
                maker.extended[config] = bases
        for config in [*self.option_contents, *self.contents]:
            maker.of_file(config)
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
