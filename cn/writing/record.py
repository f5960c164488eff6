"""Records: a composed node as JSON in its run folder, and back, so that the run can be repeated."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import glob
import json
import os
import warnings
from dataclasses import MISSING
from functools import partial
from pathlib import Path
from typing import Any, cast

from cn.composing.deriving import derive_absent, share_derived
from cn.discovery.source import where
from cn.errors import Notice, UserError, hint, nearest, short
from cn.files import write_whole
from cn.nodes.derived import Derived
from cn.nodes.field_types import Child, Mismatch
from cn.nodes.former import current, past
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.to_json import CLASS, DERIVED, plain
from cn.nodes.traversal import default_of, freeze
from cn.paths import OUTPUTS
from cn.writing.record_class import recorded

FILE = "config.json"
TARGET = "_target_"
SHOWN = 8  # run folders


class RecordWarning(Notice):
    """A record lacks fields that its class has now."""


def unplain(record: dict[str, Any], place: str = "the record", types: tuple[type, ...] = ()) -> CN:
    """Return the node of a record, not yet frozen. `place`: the record's name in errors; `types`: allowed classes.

    A record from before a field or a class was renamed or moved is converted (cn.nodes.former).
    """
    root = _unplain(record, place, types, [])
    derive_absent(root)
    share_derived(root)
    return root


def _unplain(record: dict[str, Any], place: str, types: tuple[type, ...], there: list[Any]) -> CN:
    """Make a node of a record. there: the default nodes here, whose `_target_` may be repeated."""
    if not isinstance(cast("Any", record), dict):
        raise UserError(f"{place} holds {short(repr(record))} where a node belongs")
    cls = recorded(str(record.get(CLASS, "")), place, types)
    record = current(cls, record)
    kinds = kinds_of(cls)
    given: dict[str, Any] = {}
    for name, value in record.items():
        if name in (CLASS, DERIVED):
            continue
        if name not in kinds:
            what = f"{place} gives {cls.__name__} a value for {name!r}, which is not a field now"
            raise UserError(what, where(cls), hint(name, cls._fields))
        kind = kinds[name]
        if isinstance(kind, Child) and isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            one = partial(_unplain, place=place, types=kind.types)
            held = _by_default(cls, name, there)
            if kind.many:
                given[name] = {
                    key: one(each, there=[of[key] for of in held if key in of]) for key, each in table.items()
                }
            else:
                given[name] = one(table, there=held)
            continue
        named = [vars(each).get(TARGET) for each in there if type(each) is cls]
        if name == TARGET and value not in (cls._fields[name].default, *named):
            what = f"{place} gives {cls.__name__} the target {short(repr(value))}, and its class names another"
            instead = "a record cannot say what is called: put a class with that target there, or edit the record"
            raise UserError(what, where(cls, name), instead)
        try:
            given[name] = kind.accept(value)
        except Mismatch as error:
            what = f"{place} gives {cls.__name__}.{name} the value {short(repr(value))}, which is not {error}"
            raise UserError(what, where(cls, name)) from None
    absent = {name: field for name, field in cls._fields.items() if name not in given}
    required = [name for name, field in absent.items() if field.default is field.default_factory is MISSING]
    if required:
        what = f"{place} has no value for {cls.__name__}.{required[0]}, which is required now"
        raise UserError(what, where(cls, required[0]), "edit the record, or give the field a default")
    known = past(cls).neutral
    new = [name for name, field in absent.items() if name not in known and not isinstance(field.default, Derived)]
    if new:
        told = f"{place} was written before {cls.__name__} had {', '.join(new)}: the current defaults are used"
        warnings.warn(told, RecordWarning, stacklevel=2)
    node = cls(**given)
    derived = cast("list[str]", record.get(DERIVED, []))
    kept = (name for name in derived if name in given and isinstance(cls._fields[name].default, Derived))
    object.__setattr__(node, "_derived", frozenset(kept))
    return node


def _by_default(cls: type[CN], name: str, there: list[Any]) -> list[Any]:
    """Return what a field holds by default: in the class, and in nodes of it that stand in classes above."""
    found = [default_of(cls._fields[name]), *(vars(cast("CN", node)).get(name) for node in there)]
    return [each for each in found if isinstance(each, (CN, dict))]


def dump(node: CN, folder: Path) -> Path:
    """Write the node to `config.json` in the folder atomically."""
    path = Path(folder) / FILE
    write_whole(path, json.dumps(plain(node), indent=1) + "\n")
    return path


def within(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Return the run folder that a path belongs to, and the name of an entry in it, such as a checkpoint.

    A symbolic link to an entry of a run folder counts as that entry. Any other path is returned unchanged.
    """
    path = Path(path)
    if (path / FILE).exists():
        return path, None
    if path.suffix == ".json" and path.is_file():
        return path.parent, None
    for each in (path, path.resolve()) if path.exists() or path.is_symlink() else ():
        if (each.parent / FILE).is_file():
            return each.parent, each.name
    return path, None


def load(folder: str | os.PathLike[str], types: tuple[type, ...] = ()) -> Any:
    """Load the node that a run folder records, frozen; `folder` may also be the record, or another entry of the folder.

    types: allowed classes; modules in their folders may be imported too.
    Raises UserError if the record is missing, or if a recorded class or field no longer exists.
    """
    path = by_beginning(Path(folder))
    home, named = within(path)
    path = path if named is None and path.is_file() else home / FILE
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} is not a run folder: it has no {FILE}", runs_near(Path(folder))) from None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(f"{path} cannot be read", f"{type(error).__name__}: {error}") from None
    if not isinstance(record, dict) or CLASS not in record:
        what = "it names no class" if isinstance(record, dict) else "it holds no object"
        raise UserError(f"{path} cannot be read", what)
    node = unplain(cast("dict[str, Any]", record), str(path), types)
    freeze(node)
    return node


def runs_near(path: Path) -> str | None:
    """List the run folders in a folder, newest first; for a missing path, run folders with similar names."""
    for depth in (1, 2, 3):
        records = list(path.glob(f"{'*/' * depth}{FILE}"))
        if records:
            found = sorted(records, key=lambda each: each.stat().st_mtime, reverse=True)
            more = f", ... ({len(found)} in all)" if len(found) > SHOWN else ""
            return f"choose from: {', '.join(str(each.parent) for each in found[:SHOWN])}{more}"
    beside = sorted(each.parent.name for each in path.parent.glob(f"*/{FILE}")) if path.parent.is_dir() else []
    if (path.parent / FILE).is_file():  # the folder exists, the name of its entry is misspelt
        beside += sorted(each.name for each in path.parent.iterdir() if not each.name.startswith("."))
    if not beside:
        return "see: python -m cn runs"
    begun = [name for name in beside if path.name and name.startswith(path.name)]  # `python -m cn runs` shortens names
    near = begun[:SHOWN] or nearest(path.name, beside)
    shown = ", ".join(str(path.with_name(name)) for name in near or sorted(beside)[:SHOWN])
    return f"nearest: {shown}" if near else f"choose from: {shown}{', ...' if len(beside) > SHOWN else ''}"


def by_beginning(path: Path) -> Path:
    """Return the only run folder whose name begins like that of a path, also one in outputs/; else the path itself."""
    if path.exists():
        return path
    for folder in (path.parent, OUTPUTS / path.parent):
        found = [each.parent for each in folder.glob(f"{glob.escape(path.name)}*/{FILE}")]
        if len(found) == 1:
            return found[0]
    return path
