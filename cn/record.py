"""A composed object as JSON, and back: what a run folder keeps, so that the run can be repeated."""
# pyright: reportPrivateUsage=false
# (_fields and _derived belong to cn, and have names that no field may have)

from __future__ import annotations

import json
import os
import warnings
from dataclasses import MISSING
from functools import partial
from pathlib import Path
from typing import Any, cast

from cn.derived import Derived
from cn.deriving import derive_absent
from cn.errors import UserError, hint, lines, short
from cn.kinds import Child, Kind, Mismatch
from cn.moved import added, moved
from cn.node import CN, freeze, resolve, values, where
from cn.recorded import recorded

FILE = "config.json"
SHOWN = 8  # run folders
CLASS, DERIVED = "_class_", "_derived_"


class RecordWarning(UserWarning):
    """A record was read that its class has outgrown."""


def plain(node: CN, *, tagged: bool = True) -> dict[str, Any]:
    """The node as dicts, lists and plain values; `tagged` adds each node's class, and which values were derived."""
    kinds = cast("dict[str, Kind]", resolve(type(node)))
    result: dict[str, Any] = {CLASS: f"{type(node).__module__}:{type(node).__qualname__}"} if tagged else {}
    if tagged and node._derived:
        result[DERIVED] = sorted(node._derived)
    for name, value in values(node).items():
        kind = kinds[name]
        if not isinstance(kind, Child):
            result[name] = kind.plain(value)
        elif isinstance(value, dict):
            result[name] = {key: plain(child, tagged=tagged) for key, child in cast("dict[str, CN]", value).items()}
        else:
            result[name] = None if value is None else plain(value, tagged=tagged)
    return result


def unplain(record: dict[str, Any], place: str = "the record", types: tuple[type, ...] = ()) -> CN:
    """The node that `plain` wrote down, not yet frozen. `place` is named in errors; `types`: those that it may have.

    A record that is older than a field's move to another node (`_moved_`) is read as one of now.
    """
    root = _unplain(record, place, types)
    derive_absent(root)
    return root


def _unplain(record: dict[str, Any], place: str, types: tuple[type, ...]) -> CN:
    if not isinstance(cast("Any", record), dict):
        raise UserError(f"{place} holds {short(repr(record))} where a node belongs")
    cls = recorded(str(record.get(CLASS, "")), place, types)
    record = moved(cls, record, plain)
    kinds = cast("dict[str, Kind]", resolve(cls))
    given: dict[str, Any] = {}
    for name, value in record.items():
        if name in (CLASS, DERIVED):
            continue
        if name not in kinds:
            raise UserError(
                lines(
                    f"{place} gives {cls.__name__} a value for {name!r}, which is no field of it now",
                    where(cls),
                    hint(name, cls._fields),
                )
            )
        kind = kinds[name]
        if isinstance(kind, Child) and isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            one = partial(_unplain, place=place, types=kind.types)
            given[name] = {key: one(each) for key, each in table.items()} if kind.many else one(table)
            continue
        if name == "_target_" and value != cls._fields[name].default:
            what = f"{place} gives {cls.__name__} the target {short(repr(value))}, and its class names another"
            instead = "a record cannot say what is called: put a class with that target there, or edit the record"
            raise UserError(lines(what, where(cls, name), instead))
        try:
            given[name] = kind.accept(value)
        except Mismatch as error:
            raise UserError(
                lines(
                    f"{place} gives {cls.__name__}.{name} the value {short(repr(value))}, which is not {error}",
                    where(cls, name),
                )
            ) from None
    absent = {name: field for name, field in cls._fields.items() if name not in given}
    required = [name for name, field in absent.items() if field.default is field.default_factory is MISSING]
    if required:
        what = f"{place} has no value for {cls.__name__}.{required[0]}, which is required now"
        raise UserError(lines(what, where(cls, required[0]), "edit the record, or give the field a default"))
    known = added(cls)
    new = [name for name, field in absent.items() if name not in known and not isinstance(field.default, Derived)]
    if new:
        warnings.warn(
            f"{place} was written before {cls.__name__} had {', '.join(new)}: the defaults of now are taken",
            RecordWarning,
            stacklevel=2,
        )
    node = cls(**given)
    derived = cast("list[str]", record.get(DERIVED, []))
    object.__setattr__(node, "_derived", frozenset(name for name in derived if name in given))
    return node


def dump(node: CN, folder: Path) -> Path:
    """Write the node to `config.json` in the folder, whole or not at all."""
    path = Path(folder) / FILE
    partial = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(plain(node), indent=1) + "\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def within(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The run folder that a path stands for, and the name of what else in it the path names, such as a checkpoint.

    A link to something in a run folder stands for it. A path that is in no run folder is given back as it is.
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
    """The object whose record a run folder holds, frozen; the folder, its record, or a path to something else in it.

    types: those that it may have; of their folders too, modules are imported that the record names.
    Raises UserError where there is no record, and where a class or field that it names is no more.
    """
    path = Path(folder)
    home, named = within(path)
    path = path if named is None and path.is_file() else home / FILE
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(lines(f"{folder} is not a run folder: it has no {FILE}", runs_near(Path(folder)))) from None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(lines(f"{path} cannot be read", f"{type(error).__name__}: {error}")) from None
    if not isinstance(record, dict) or CLASS not in record:
        what = "it names no class" if isinstance(record, dict) else "it holds no object"
        raise UserError(lines(f"{path} cannot be read", what))
    node = unplain(cast("dict[str, Any]", record), str(path), types)
    freeze(node)
    return node


def runs_near(path: Path) -> str | None:
    """The run folders in a folder, the newest first; or beside what is not there, those that are called like it."""
    for depth in (1, 2, 3) if path.is_dir() else ():
        records = list(path.glob(f"{'*/' * depth}{FILE}"))
        if records:
            found = sorted(records, key=lambda each: each.stat().st_mtime, reverse=True)
            more = f", ... ({len(found)} in all)" if len(found) > SHOWN else ""
            return f"choose from: {', '.join(str(each.parent) for each in found[:SHOWN])}{more}"
    beside = sorted(each.parent.name for each in path.parent.glob(f"*/{FILE}")) if path.parent.is_dir() else []
    if (path.parent / FILE).is_file():  # of what is in a run folder, the name is misspelt
        beside += sorted(each.name for each in path.parent.iterdir() if not each.name.startswith("."))
    return hint(path.name, beside) if beside else None
