"""`${...}` on the command line, worked out by OmegaConf once everything that has none is set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from cn.errors import UserError, lines
from cn.kinds import same
from cn.overrides import Assignment, read


def worked_out(base: dict[str, Any], assignments: Sequence[Assignment]) -> list[Any]:
    """What the assignments' values are, each seen from the place where it is set in a tree of plain values."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    tree = OmegaConf.create(_literal(base))
    found: list[Any] = []
    text = ""
    try:
        for each in assignments:
            text = each.text
            OmegaConf.update(tree, ".".join(each.path), each.value, merge=False, force_add=True)
        for each in assignments:
            text = each.text
            value = OmegaConf.select(tree, ".".join(each.path), throw_on_missing=True)
            found.append(OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value)
    except OmegaConfBaseException as error:
        raise UserError(lines(f"{text} cannot be worked out", str(error).split("\n")[0])) from None
    return found


def readings(value: Any) -> list[Any]:
    """The value as it is, then with its texts read as on the command line: `${oc.env:SEED}` is always a text."""
    other = _read(value)
    return [value] if same(other, value) else [value, other]


def _literal(value: Any) -> Any:
    """Texts that only look like an interpolation stay as they are."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, list):
        return [_literal(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _read(value: Any) -> Any:
    if isinstance(value, str):
        return read(value)
    if isinstance(value, list):
        return [_read(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _read(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value
