"""Convert a tree of YAML to the files of a project."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cn.errors import UserError, lines
from cn.importing.classes import Change
from cn.importing.contents import Branch, Content, Item, Leaf, Slot
from cn.importing.expressions import Writer
from cn.importing.families import Families, Family
from cn.importing.following import Follow
from cn.importing.hydra_settings import SLURM, settings
from cn.importing.inference import Inference
from cn.importing.maker import Maker
from cn.importing.modules import Modules
from cn.importing.names import camel, distinct, slug
from cn.importing.patches import PatchClass, Patches
from cn.importing.primaries import primaries as chosen_primaries
from cn.importing.reader import Reader
from cn.importing.schema import stored
from cn.importing.yaml_files import Entry, File, files, refuse_unread


@dataclasses.dataclass
class Conversion:
    """What an import makes. texts: by path in the new project; words: of the command line, old and new."""

    root: Path
    primaries: list[str]
    files: dict[str, File]
    families: Families
    texts: dict[str, str]
    options: dict[tuple[str, str], str]  # (group, option) -> the option's name now
    patches: dict[tuple[str, str], str]  # (group, option) -> the patch's name now
    kept: dict[str, frozenset[str]]  # primary -> addresses of what it keeps whatever is chosen
    nulls: dict[str, list[str]]  # patch -> addresses of groups of which it chooses nothing
    runs: dict[str, str]  # primary -> run
    odd: list[tuple[str, str]]  # (place, why) of what was not converted
    functions: set[str]
    reader: Reader
    contents: dict[str, Content]  # of the primaries
    option_files: dict[tuple[str, str], File]
    class_names: dict[str, str]  # of each file
    plugins: list[tuple[str, str]]  # options of Hydra's own groups that the tree chooses
    schema: list[str]  # modules that fill the ConfigStore
    resolvers: list[str]  # names that interpolations call


class Converter:
    """Converts one tree."""

    def __init__(self, root: Path, primaries: list[str], *, exact: bool, schema: list[str] | None = None) -> None:
        self.root, self.exact, self.schema = root, exact, schema or []
        self.files = files(root)
        if not self.files:
            raise UserError(lines(f"{root} holds no YAML file", "write: the folder that Hydra's config_path names"))
        refuse_unread(self.files)
        if self.schema:
            self.files = {**stored(self.schema), **self.files}
        self.reader = Reader(self.files)
        self.primaries = chosen_primaries(root, self.files, primaries)
        self.families = Families()
        self.used: set[str] = set()  # groups that are chosen somewhere
        self.options: dict[tuple[str, str], File] = {}
        self.patches: dict[tuple[str, str], File] = {}
        self.packages: dict[str, str] = {}  # of each folder
        self.modules: dict[str, str] = {}  # of each file

    def convert(self) -> Conversion:
        """Return the texts of all files, and the words that have changed."""
        contents = {name: self.reader.content(self.files[name], "") for name in self.primaries}
        self._with_bases(contents)
        self._find_groups(contents)
        self._optional_slots(contents)
        option_contents = {file.config: self.reader.option(file, group) for (group, _), file in self.options.items()}
        self._name_modules(contents)
        follow = Follow(
            {key: option_contents[file.config].full for key, file in self.options.items()},
            lambda group, option: camel(self.modules[self.options[group, option].config].rpartition(".")[2]),
            self.patches,
        )
        for content in contents.values():
            follow.put(content, self.reader.patch)
        self._families(contents, option_contents)
        names = self._option_names()
        patches = Patches(self.families, names)
        changed = {file.config: self.reader.patch(file) for file in self.patches.values()}
        for content in changed.values():
            patches.prepare(content)
        for content in contents.values() if self.exact else ():
            patches.prepare_kept(content.full, self.families.run)
        Inference(self.families, exact=self.exact).run()
        maker = self._maker(contents, option_contents)
        for config in [*option_contents, *contents]:
            maker.of_file(config)
        modules = Modules(self.families, maker, self._writer, list(self._patch_classes(patches, changed)))
        for config, content in contents.items():
            kept = patches.kept(content)
            maker.of_file(config).kept = [each for each in kept if self.exact or each.is_choice]
        modules.launch = any(set(each.values) & set(SLURM) for each in settings(self.files, "launcher"))
        texts = modules.write()
        odd = [*self.reader.lost, *maker.odd, *patches.odd, *follow.odd]
        runs = {name: maker.modules[name].removeprefix("runs.").replace(".", "/") for name in contents}
        return Conversion(
            root=self.root,
            primaries=self.primaries,
            files=self.files,
            families=self.families,
            texts=texts,
            options=names,
            patches={key: self._patch_option(file) for key, file in self.patches.items()},
            kept={config: _addresses(maker.of_file(config).kept) for config in contents},
            nulls={self._patch_option(each.file): list(_nulls(each)) for each in modules.patches},
            runs=runs,
            odd=odd,
            functions=modules.functions,
            reader=self.reader,
            contents=contents,
            option_files=self.options,
            class_names=maker.names,
            plugins=list(self._plugins()),
            schema=self.schema,
            resolvers=sorted(set(self._resolvers())),
        )

    def _option_names(self) -> dict[tuple[str, str], str]:
        """Return what each option is called now."""
        return {
            (group, option): self.modules[file.config].removeprefix(f"{self.packages[group]}.").replace(".", "/")
            for (group, option), file in self.options.items()
        }

    def _patch_option(self, file: File) -> str:
        return self.modules[file.config].removeprefix("runs.patches.").replace(".", "/")

    def _patch_classes(self, patches: Patches, contents: dict[str, Content]) -> Iterator[PatchClass]:
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
                module = self.modules[config]
                made[config] = PatchClass(content.file, module, camel(module.rpartition(".")[2]), base, changes)
            return made[config]

        for config in contents:
            yield make(config)

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

    def _with_bases(self, contents: dict[str, Content]) -> None:
        """Take the primary configs that others extend into those to convert."""
        todo = list(contents.values())
        while todo:
            for base in todo.pop().bases:
                if not base.file.group and base.file.config not in contents:
                    contents[base.file.config] = base
                    todo.append(base)

    def _find_groups(self, contents: dict[str, Content]) -> None:
        """Find the groups that are chosen, and the options of each; the rest of a folder's path is in the name."""
        todo: list[Item] = [content.full for content in contents.values()]
        slots = [slot for item in todo for slot in slots_of(item)]
        for file in self.files.values():
            if file.group and not file.group.startswith("hydra"):
                content = self.reader.content(file)
                slots += slots_of(content.full)
        self.used = {slot.group for slot in slots if self.reader.groups.get(slot.group)}
        for file in self.files.values():
            parts = file.group.split("/") if file.group else []
            if (parts and parts[0] == "hydra") or not parts:
                continue
            homes = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
            group = next((each for each in homes if each in self.used), homes[-1])
            option = f"{file.group}/{file.name}"[len(group) + 1 :]
            if self.reader.is_hydra(file):
                continue
            if self.reader.is_patch(file):
                self.patches[homes[-1], f"{file.group}/{file.name}"[len(homes[-1]) + 1 :]] = file
            else:
                self.used.add(group)
                self.options[group, option] = file

    def _optional_slots(self, contents: dict[str, Content]) -> None:
        """Let every run choose what any run can choose at the top."""
        chosen = {
            slot.group: slot
            for content in contents.values()
            for key, slot in content.full.items.items()
            if isinstance(slot, Slot) and key == slot.group
        }
        everywhere = {slot.group for config in self.files.values() for slot in slots_of(self._full(config))}
        for group in sorted(self.used):
            if "/" in group or (group in everywhere and group not in chosen):
                continue
            for content in contents.values():
                if group not in content.full.items:
                    entry = Entry(group, None, None, True, False, 0)  # no line: it is in no file
                    content.full.items[group] = Slot(group, None, group, entry, content.file)

    def _full(self, file: File) -> Branch:
        hydra = file.group.startswith("hydra")
        return Branch() if hydra else self.reader.content(file, "" if not file.group else "\0").full

    def _families(self, contents: dict[str, Content], options: dict[str, Content]) -> None:
        every = [*options.values(), *contents.values()]
        without_options = {slot.group for content in every for slot in slots_of(content.full)} - self.used
        for group in sorted(self.used | without_options):
            label = camel(group.rpartition("/")[2])
            package = self.packages.setdefault(group, ".".join(["runs", *map(slug, group.split("/"))]))
            self.families.groups[group] = Family(label, package, group)
        for (group, _), file in self.options.items():
            self.families.add(self.families.groups[group], options[file.config].full)
        for content in contents.values():
            self.families.add(self.families.run, content.full)
        for content in every:
            for slot in slots_of(content.full):
                family = self.families.groups.get(slot.group)
                if family is not None:
                    for extra in (slot.over, slot.under):
                        self.families.add(family, extra, root=slot.option is None and bool(extra.items))
                        family.added |= {key for key, item in extra.items.items() if isinstance(item, Slot)}
        for family in self.families.groups.values():
            family.added = {key for key in family.added if not any(key in keys for keys in family.roots)}
        self.families.unify()

    def _name_modules(self, contents: dict[str, Content]) -> None:
        """Choose a module for each file: `runs.model.mnist`. A folder beside a file of its name gets another."""
        folders: dict[str, tuple[set[str], set[str]]] = {}
        for file in [*self.options.values(), *(content.file for content in contents.values())]:
            parts = file.group.split("/") if file.group else []
            folders.setdefault(file.group, (set(), set()))[0].add(file.name)
            for depth in range(len(parts)):
                folders.setdefault("/".join(parts[:depth]), (set(), set()))[1].add(parts[depth])
        self._name_patches()
        packages = {"": "runs"}
        for folder in sorted(folders):
            names, inner = folders[folder]
            named = distinct(names, () if folder else ("default",) if "default" not in names else ())
            for name, short in named.items():
                self.modules[f"{folder}/{name}" if folder else name] = f"{packages[folder]}.{short}"
            for name, short in distinct(inner, named.values(), "_options").items():
                packages[f"{folder}/{name}" if folder else name] = f"{packages[folder]}.{short}"
        self.packages = packages

    def _name_patches(self) -> None:
        """Choose a module for each patch: `runs.patches.experiment.example`."""
        inner: dict[str, set[str]] = {}
        for file in self.patches.values():
            parts = file.config.split("/")
            for depth in range(len(parts)):
                inner.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
        folders = {"/".join(file.config.split("/")[:-1]) for file in self.patches.values()}
        packages = {"": "runs.patches"}
        for folder in sorted(inner):
            for name, short in distinct(inner[folder]).items():
                path = f"{folder}/{name}" if folder else name
                twice = path in folders and path in {file.config for file in self.patches.values()}
                packages[path] = f"{packages[folder]}.{short}{'_options' if twice else ''}"
        for file in self.patches.values():
            folder, _, name = file.config.rpartition("/")
            self.modules[file.config] = f"{packages[folder]}.{distinct(inner[folder])[name]}"

    def _maker(self, contents: dict[str, Content], options: dict[str, Content]) -> Maker:
        maker = Maker(self.families, self.options, self.modules)
        for (group, _), file in self.options.items():
            maker.group_of[file.config] = group
        for config, content in {**options, **contents}.items():
            file = content.file
            maker.contents[config] = content.full
            maker.names[config] = camel(self.modules[config].rpartition(".")[2])
            maker.group_of.setdefault(config, "")
            maker.docs[config] = "\n".join(file.head) or f"Was {file.shown}."
            bases = [base.file.config for base in content.bases]
            alike = all(each in maker.modules and self._group(each) == self._group(config) for each in bases)
            if bases and alike and not _overlap(content.bases):
                maker.extended[config] = bases
        return maker

    def _group(self, config: str) -> str | None:
        file = self.files[config]
        if not file.group:
            return ""
        return next((group for (group, _), each in self.options.items() if each is file), None)

    def _writer(self) -> Writer:
        return Writer(self._address, lambda keys: False)

    def _address(self, keys: list[str]) -> str:
        """Return Python for an absolute address of YAML."""
        text, family, data = "run", self.families.run, False
        for key in keys:
            if data or family is None:
                text += f"[{int(key)}]" if key.isdecimal() else f'["{key}"]' if data else f".{key}"
                continue
            field = family.fields.get(key)
            if field is None and key in family.extra:
                text += f".{key}" if key.isidentifier() else f'.extra["{key}"]'
                data = True
                continue
            name = field.name if field is not None else key
            text += f".{name}" if name.isidentifier() else f"[{name}]"
            data = field is not None and (self.families.is_data(field) or self.families.of(field) is None)
            family = self.families.of(field) if field is not None else None
        return text


def slots_of(item: Item | Branch) -> Iterator[Slot]:
    """Yield every slot in a branch, also below slots."""
    if isinstance(item, Branch):
        for each in item.items.values():
            yield from slots_of(each)
    elif isinstance(item, Slot):
        yield item
        yield from slots_of(item.over)
        yield from slots_of(item.under)


def _addresses(changes: list[Change]) -> frozenset[str]:
    return frozenset(each.address.lstrip("+") for each in changes)


def _nulls(patch: PatchClass | None) -> Iterator[str]:
    while patch is not None:
        yield from (
            each.address.replace(".", "/")
            for each in patch.changes
            if each.value is None and isinstance(each.leaf, Leaf) and each.field is not None and each.field.groups
        )
        patch = patch.base


def _overlap(bases: list[Content]) -> bool:
    """Return whether two bases hold one key, so that Python's inheritance would not merge them as Hydra does."""
    seen: set[Any] = set()
    for base in bases:
        if seen & set(base.full.items):
            return True
        seen |= set(base.full.items)
    return False
