"""Read a folder of Hydra's YAML files: what each holds, its defaults list, the line of each key, and its comments."""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

from cn.errors import UserError, short
from cn.importing.reading.comment_rows import attach
from cn.importing.reading.headers import package_in, without_effect, written_in
from cn.importing.reading.plain_values import keep_plain
from cn.importing.reading.tree_paths import shadowed, yaml_paths

Keys = tuple[Hashable, ...]  # where a value stands in a file: ("trainer", "max_epochs")


class Entry(NamedTuple):
    """One item of a defaults list, as written."""

    group: str | None  # None: a config of this folder, or of the path in `options`
    options: str | list[str] | None
    package: str | None  # after `@`
    optional: bool
    override: bool
    line: int

    @property
    def is_self(self) -> bool:
        return self.group is None and self.options == "_self_"


class File:
    """One YAML file. group: its folder below the root, with `/`; "" for a primary config."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.shown = path.relative_to(root.parent).as_posix()
        group = path.parent.relative_to(root).as_posix()
        self.group = "" if group == "." else group
        self.name = path.stem
        self.package: str | None = None  # of `# @package ...`
        self.entries: list[Entry] = []
        self.body: Any = {}
        self.lines: dict[Keys, int] = {}
        self.beside: dict[Keys, str] = {}  # comments
        self.above: dict[Keys, list[str]] = {}
        self.headings: set[Keys] = set()  # keys whose comment above is about the keys that follow too
        self.head: list[str] = []  # comment at the top of the file
        self.left: list[int] = []  # lines of comments that stand at no key
        self.texts: set[int] = set()  # lines within a text of several lines
        self.types: dict[Keys, str] = {}  # annotations that a schema gives
        self.is_made = False  # it stands for several options that are chosen at once
        self.is_old = False  # it says `# @package _group_`, which Hydra reads up to version_base 1.1
        self.odd: list[tuple[str, str]] = []  # (place, why) of what has no effect
        self.error: str | None = None  # why it cannot be read
        self.error_line: int | None = None

    @property
    def config(self) -> str:
        """Return what Hydra calls the file: `model/vit`."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def homes(self) -> list[str]:
        """Return the folders that the file stands in, the nearest first: `a/b` and `a`."""
        parts = self.group.split("/") if self.group else []
        return ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]

    @property
    def where(self) -> str:
        """Return the file, with the line at which it cannot be read."""
        return f"{self.shown}:{self.error_line}" if self.error_line else self.shown

    def place(self, keys: Keys = ()) -> str:
        """Return `conf/model/vit.yaml:12` for a value, or for the nearest one above it that has a line."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.shown}:{self.lines.get(keys, 1)}" if self.lines else self.shown


def files(root: Path) -> dict[str, File]:
    """Read every YAML file below a folder, by Hydra's name for it. A file that cannot be read keeps its `error`."""
    found: dict[str, File] = {}
    paths = yaml_paths(root)
    unread = shadowed(paths)
    for path in (each for each in paths if each not in unread):
        file = File(path, root)
        _read(file)
        keep_plain(file)
        found[file.config] = file
    for path, other in unread.items():
        why = f"it is left out, since Hydra reads {other.name} in its place"
        found[File(other, root).config].odd.append((File(path, root).shown, why))
    return found


def read_one(path: Path) -> File:
    """Read one file, of which nothing is told beside its path: no defaults list is taken out of it."""
    file = File(path, path.parent)
    file.shown = str(path)
    _read(file, with_defaults=False)
    return file


def _loader() -> Any:
    """Return the loader of OmegaConf.load, which is in another file from OmegaConf 2.4 on."""
    try:
        module = importlib.import_module("omegaconf._yaml")
    except ImportError:
        module = importlib.import_module("omegaconf._utils")
    return module.get_yaml_loader()


def _read(file: File, *, with_defaults: bool = True) -> None:
    import yaml

    loader = _loader()
    read: Any = yaml
    text = ""
    try:
        text = file.path.read_text("utf-8")
        node: Any = read.compose(text, Loader=loader)
        file.body = yaml.load(text, Loader=loader)
    except OSError as error:
        file.error = f"{type(error).__name__}: {error.strerror}"
        return
    except RecursionError:
        file.error = "it is nested too deep"
        return
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        file.error, file.error_line = _why(error, text.split("\n"))
        return
    rows = text.split("\n")
    _header(file, text)
    _lines(file, node, ())
    attach(file, rows)
    if file.body is None or isinstance(file.body, str):  # as OmegaConf reads a text alone
        file.body = {file.body: None} if file.body else {}
    body = cast("dict[Any, Any]", file.body)
    if with_defaults and isinstance(file.body, dict):
        raw: Any = body.pop("defaults", [])
        if not isinstance(raw, list):
            file.error = f"its defaults must be a list, and are a {type(raw).__name__}"
            return
        for place, item in enumerate(cast("list[Any]", raw)):
            try:
                file.entries.append(_entry(item, file.lines.get(("defaults", place), 1)))
            except ValueError as error:
                file.error = str(error)
                return


def _why(error: Exception, rows: list[str]) -> tuple[str, int | None]:
    """Return why a text is no YAML, and the line."""
    mark: Any = getattr(error, "problem_mark", None)
    line = None if mark is None else int(mark.line)
    problem = str(getattr(error, "problem", None) or " ".join(str(error).split()))
    if problem.startswith("but "):
        problem = f"{getattr(error, 'context', None)}, {problem}"
    if line is not None and line < len(rows) and rows[line].lstrip(" ").startswith("\t"):
        problem = "a line begins with a tab: YAML is indented with spaces"
    return short(problem), None if line is None else line + 1


def _header(file: File, text: str) -> None:
    try:
        written = written_in(text)
    except ValueError as error:
        file.error = str(error)
        return
    file.is_old = written == "_group_"
    file.package = None if written is None or file.is_old else package_in(written)
    why = "this header has no effect, as with Hydra, which reads it only before all other comments"
    file.odd += [(f"{file.shown}:{line}", why) for line in without_effect(text)]


def _entry(item: Any, line: int) -> Entry:
    if isinstance(item, str):
        path, _, package = item.partition("@")
        return Entry(None, path, package if "@" in item else None, False, False, line)
    table = cast("dict[Any, Any]", item)
    old = isinstance(item, dict) and len(table) == 2 and isinstance(table.get("optional"), bool)
    optional = old and bool(table["optional"])  # `{db: mysql, optional: true}`, as Hydra 1.0 had it
    if old:
        table = {key: value for key, value in table.items() if key != "optional"}
    if not isinstance(item, dict) or len(table) != 1:
        raise ValueError(f"an item of its defaults list is not understood: {short(repr(table))}")
    ((key, value),) = table.items()
    *words, last = str(key).split(" ")
    group, _, package = last.partition("@")
    options: Any = cast("Any", value) if value is None or isinstance(value, list) else str(value)
    found = package if "@" in last else None
    return Entry(group, options, found, optional or "optional" in words, "override" in words, line)


def _lines(file: File, node: Any, at: Keys) -> None:
    """Note the line of each key; an anchor that is used again keeps its first line."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in cast("list[tuple[Any, Any]]", node.value):
            try:
                name: Any = yaml.safe_load(key.value) if key.style is None else key.value
            except yaml.YAMLError:
                name = key.value
            keys = (*at, name if isinstance(name, (str, int, float, bool)) and str(name) == key.value else key.value)
            file.lines[keys] = key.start_mark.line + 1
            if value.start_mark.line >= key.start_mark.line:  # else an alias, whose lines are elsewhere
                _lines(file, value, keys)
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(cast("list[Any]", node.value)):
            file.lines[(*at, place)] = value.start_mark.line + 1
            _lines(file, value, (*at, place))
    elif node is not None:
        file.texts |= {*range(node.start_mark.line + 2, node.end_mark.line + 1)}


def refuse_unread(file: File) -> NoReturn:
    """Raise UserError for a file that cannot be read."""
    raise UserError(f"{file.where} cannot be read", file.error)
