"""A parameter of a sweeper as an axis: its values, or the distribution that it is drawn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

from cn.importing.defaults_lists.contents import Leaf
from cn.importing.families.families import Families
from cn.importing.reading.yaml_files import File
from cn.importing.sweeps.hydra_settings import settings
from cn.importing.writing.layout import literal, one_line


class NoAxis(ValueError):  # noqa: N818
    """A parameter cannot be an axis; the text says why."""


@dataclasses.dataclass
class Axis:
    """values: all that are tried, or the ends of what is drawn. drawn: the function that draws; "" for none."""

    values: list[Any]
    drawn: str = ""

    @property
    def text(self) -> str:
        """Return the Python of a distribution."""
        return f"{self.drawn}({', '.join(one_line(literal(each)) for each in self.values)})"


def axis_of(text: Any, options: Callable[[], list[str]] = list) -> Axis:
    """Return the axis of a parameter. options: gives those of the group that it chooses from.

    Raises NoAxis for what only another sweeper than Hydra's reads, `uniform(0, 1)` or `{type: range, ...}`, for whole
    numbers on a logarithmic scale, and for a glob without an option.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    if isinstance(text, dict):
        raise NoAxis("only another sweeper reads these values")
    if not isinstance(text, str):
        return Axis(cast("list[Any]", text) if isinstance(text, list) else [text])
    try:
        value: Any = OverridesParser.create().parse_override(f"x={text}").value()
    except HydraException as error:
        raise NoAxis("only another sweeper reads these values") from error
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if not isinstance(low, int) or not isinstance(high, int):
            return Axis([float(low or 0), float(high or 0)], "log_uniform" if "log" in value.tags else "uniform")
        if "log" in value.tags:
            raise NoAxis("no axis draws whole numbers on a logarithmic scale; nearest: integers or log_uniform")
        return Axis([low, high], "integers")
    if isinstance(value, RangeSweep):
        return Axis(list(value.range()))
    if isinstance(value, Glob):
        found = value.filter(options())
        if not found:
            raise NoAxis(f"no option fits {text}")
        return Axis(list(found))
    if isinstance(value, ChoiceSweep):
        return Axis([_plain(each) for each in value.list])
    return Axis([value])


def _plain(value: Any) -> Any:
    return value.text if hasattr(value, "text") else value


def take_in(families: Families, files: dict[str, File]) -> None:
    """Take the values of parameters into the fields that they set, so that the types of these allow them."""
    for each in settings(files, "sweeper"):
        params = each.values.get("params")
        for name, text in cast("dict[str, Any]", params).items() if isinstance(params, dict) else ():
            field = families.at(tuple(str(name).lstrip("+").split(".")))
            if field is None or field.groups or field.family is not None:
                continue
            try:
                values = axis_of(text).values
            except NoAxis:
                continue
            field.leaves += [Leaf(value, each.file, (*each.at, "params", name)) for value in values]
            field.optional = field.optional or None in values
