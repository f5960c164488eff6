"""Parameters of a sweeper as a sweep class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from cn.importing.classes.comments import comments
from cn.importing.defaults_lists.contents import Leaf
from cn.importing.families.names import camel
from cn.importing.sweeps.axes import NoAxis, axis_of
from cn.importing.sweeps.hydra_settings import Settings
from cn.importing.writing.imports import head
from cn.importing.writing.layout import Commented, Expression, docstring, literal, statement

Key = Callable[[str, "list[Any]"], "tuple[str, list[Any]]"]


def sweep(
    found: Settings, name: str, key: Key, options: Callable[[str], list[str]], base: tuple[str, str]
) -> tuple[str | None, dict[str, str]]:
    """Return the text of a sweep class, None if it has no axis, and why each other parameter cannot be an axis.

    name: of the module. key: from a parameter and its values to the address now and the values now; raises NoAxis.
    options: those of a parameter that is a group. base: module and class of the run.
    """
    params = found.values.get("params")
    if not isinstance(params, dict) or not params:
        return None, {}

    def said(*keys: str) -> tuple[list[str], str]:
        return comments(Leaf(None, found.file, (*found.at, *keys)))

    axes: list[tuple[str, Expression]] = []
    names = {"Axes", "Sweep"}
    drawn = False
    lost: dict[str, str] = {}
    for param, text in cast("dict[str, Any]", params).items():
        try:
            axis = axis_of(text, partial(options, param))
            address, values = key(param, [] if axis.drawn else axis.values)
        except NoAxis as error:
            lost[param] = str(error)
            continue
        if any(literal(address) == each.removesuffix(": ") for each, _ in axes):
            lost[param] = f"another parameter is the axis {address}"
            continue
        shown = axis.text if axis.drawn else literal(values)
        axes.append((f"{literal(address)}: ", Commented(shown, *said("params", param))))
        names |= {axis.drawn} if axis.drawn else set[str]()
        drawn = drawn or bool(axis.drawn)
    if not axes:
        return None, lost
    trials = found.values.get("n_trials")
    target = str(cast("dict[str, Any]", found.values.get("sampler") or {}).get("_target_", ""))
    table: Expression = ("{", axes, "}")
    made: Expression = (f"{base[1]}(", [], ")")
    fields: list[tuple[str, str, Expression, str]] = [("base", "Run", made, "")]  # the last: the key in the YAML
    if isinstance(trials, int) and "TPE" in target:
        fields.append(("axes", "Axes", ("space(", [("", table)], ")"), "params"))
        fields.append(("search", "Search | None", f"Tpe(trials={trials})", "n_trials"))
        names |= {"Search", "Tpe", "space"}
    elif isinstance(trials, int) or drawn:
        count = trials if isinstance(trials, int) else 20
        drawings = Commented(str(count), *said("n_trials"))
        fields.append(("axes", "Axes", ("random(", [("", drawings), ("", table)], ")"), "params"))
        names.add("random")
    else:
        fields.append(("axes", "Axes", ("grid(", [("", table)], ")"), "params"))
        names.add("grid")
    direction = found.values.get("direction")
    if direction in ("minimize", "maximize"):
        fields.append(("goal", "Goal | None", f'{direction}("score")', "direction"))
        names |= {"Goal", str(direction)}
    froms = {"cn.sweeping": names, "runs": {"Run"}, base[0]: {base[1]}}
    rows = head(froms)
    doc = (
        found.file.head if found.file.group and found.file.head else [f"Was {found.file.place((*found.at, 'params'))}."]
    )
    rows += ["", f"class {camel(name)}(Sweep):", *docstring(doc), ""]
    for field, kind, value, yaml in fields:
        above, beside = said(yaml) if yaml else ([], "")
        rows += statement(field, kind, value, above, beside, "")
    return "\n".join(rows) + "\n", lost
