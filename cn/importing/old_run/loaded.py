"""Load a run of Hydra as a run of the classes that its tree was imported as."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

from cn.discovery import discover
from cn.errors import Notice, UserError, hint, lines, short
from cn.importing.families.names import camel, slug
from cn.importing.old_run.filled import Filling, Lost
from cn.importing.old_run.options import fit, is_called
from cn.importing.old_run.settled import settle
from cn.importing.old_run.texts import Texts
from cn.importing.old_run.written import Written
from cn.nodes.node import CN
from cn.nodes.traversal import freeze

SHOWN = 3  # values in a message


class OldRunWarning(Notice):
    """Values of an old run are not taken over as they were."""


def of_hydra(path: Path, contract: Any) -> CN:
    """Return a run of Hydra, frozen and not yet derived.

    path: its config.yaml, as `config_of` returns it. contract: the class of all runs.
    Raises UserError for a file that cannot be read, and for a value that has no place in the classes. A Notice tells
    what a class works out in place of a text, and the fields for which the old run has no value.
    """
    written = Written(path)
    texts = Texts(written)
    run = _class(written, contract)()
    filling = Filling(written, texts)
    filling.fill(run, cast("dict[str, Any]", written.body))
    anew = settle(run, filling)
    if filling.lost:
        raise UserError(_refusal(written, filling.lost))
    told = [f"{_shown(each, written)}: worked out anew by its class" for each in anew]
    told += [f"{address}: no value, so the default of its class is used" for address in filling.absent]
    told += [
        f"{'.'.join(map(str, keys))} ({written.place(keys)}): left out, since nothing was chosen there"
        for keys in filling.unchosen
    ]
    if told:
        warnings.warn(
            lines(f"{path} is not taken over as it stands:", *told[:5], _more(told, 5)), OldRunWarning, stacklevel=2
        )
    freeze(run)
    return run


def _class(written: Written, contract: Any) -> type[CN]:
    """Return the class of the run: the one of the primary config, else the one that has these keys."""
    options, broken = discover.options((contract,))
    every = cast("list[type[CN]]", list(options.values()))
    fitting = [cls for cls in every if not written.run or is_called(cls, written.run)]
    if not fitting:
        name = repr(written.run) if written.run else "any name"
        what = f"{written.path} is a run of {name}, and there is no class of it"
        near = hint(written.run, options) if options else None
        told = [f"{each.file} cannot be used: {each.why}" for each in broken[:2]]
        module = f"{contract.__module__}.{slug(written.run)}.{camel(written.run)}"
        raise UserError(what, near, *told, f'if it was renamed, write in its class: _was_ = ("{module}",)')
    return min(fitting, key=lambda cls: fit(cls, written.body, None, None))


def _refusal(written: Written, lost: list[Lost]) -> str:
    what = f"{written.path}: {len(lost)} value{'s' * (len(lost) > 1)} cannot be taken over"
    instead = "write: what is missing in the class, or --from a copy of the file without these lines"
    rows = [f"{_shown(each, written)}: {each.why}" for each in lost]
    return lines(what, *rows[:SHOWN], _more(rows, SHOWN), instead)


def _shown(each: Lost, written: Written) -> str:
    """Return a value with its address, file and line."""
    return f"{'.'.join(map(str, each.keys))} = {short(str(each.value))} ({written.place(each.keys)})"


def _more(rows: list[str], shown: int) -> str | None:
    return f"... ({len(rows)} in all)" if len(rows) > shown else None
