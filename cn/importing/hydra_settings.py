"""Settings of Hydra that have a counterpart: parameters of a sweeper are a sweep, a submitit launcher is a Slurm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, cast

from cn.importing.comments import comments
from cn.importing.contents import Leaf
from cn.importing.imports import blocks
from cn.importing.interpolations import NotReadable
from cn.importing.layout import Commented, Expression, docstring, laid_out, literal, statement
from cn.importing.names import camel, slug
from cn.importing.yaml_files import File

SLURM = {  # of submitit -> of Slurm
    "nodes": "nodes",
    "gpus_per_node": "gpus",
    "cpus_per_task": "cpus",
    "mem_gb": "memory",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "constraint": "constraint",
    "array_parallelism": "parallel",
    "setup": "setup",
}
KEPT = (
    "name",
    "submitit_folder",
    "tasks_per_node",
    "_target_",
    "signal_delay_s",
    "max_num_timeout",
    "stderr_to_stdout",
)


@dataclasses.dataclass
class Settings:
    """The settings of a file. at: their keys in it."""

    file: File
    values: dict[str, Any]
    at: tuple[str, ...]


def settings(files: dict[str, File], name: str) -> Iterator[Settings]:
    """Yield each mapping of the tree for `hydra.NAME`, such as the sweeper."""
    for file in files.values():
        home = (file.package if file.package is not None else file.group.replace("/", ".")).split(".")
        value, at = file.body, ()
        path = ["hydra", name]
        if home[: len(path)] == path[: len(home)] and home != [""]:
            path = path[len(home) :]
        elif home not in ([""], []):
            continue
        for key in path:
            value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
            at = (*at, key)
        if isinstance(value, dict) and value:
            yield Settings(file, cast("dict[str, Any]", value), at)


def sweep(
    found: Settings, key: Callable[[str, Any], tuple[str, list[Any]]], base: tuple[str, str]
) -> tuple[str | None, dict[str, str]]:
    """Return the text of a sweep class, None if it has no axis, and why each other parameter cannot be an axis.

    key: from a parameter and its values to the address now and the values now. base: module and class of the run.
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
    for name, text in cast("dict[str, Any]", params).items():
        try:
            axis, used, is_drawn = _axis(text)
        except NotReadable:
            lost[name] = "only another sweeper reads these values"
            continue
        address, values = key(name, axis if isinstance(axis, list) else None)
        if any(literal(address) == each.removesuffix(": ") for each, _ in axes):
            lost[name] = f"another parameter is the axis {address}"
            continue
        shown = literal(values) if isinstance(axis, list) else str(axis)
        axes.append((f"{literal(address)}: ", Commented(shown, *said("params", name))))
        names |= used
        drawn = drawn or is_drawn
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
    rows = ["from __future__ import annotations", ""]
    for block in blocks(set(), froms):
        rows += [*block, ""]
    doc = (
        found.file.head if found.file.group and found.file.head else [f"Was {found.file.place((*found.at, 'params'))}."]
    )
    rows += ["", f"class {camel(found.file.name)}(Sweep):", *docstring(doc), ""]
    for name, kind, value, yaml in fields:
        above, beside = said(yaml) if yaml else ([], "")
        rows += statement(name, kind, value, above, beside, "")
    return "\n".join(rows) + "\n", lost


def _axis(text: Any) -> tuple[list[Any] | str, set[str], bool]:
    """Return the values of a parameter, or the Python of its distribution; with the names that it needs.

    Raises NotReadable for what only another sweeper than Hydra's reads: `uniform(0, 1)`, `{type: range, ...}`.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    if isinstance(text, dict):
        raise NotReadable(str(cast("dict[str, Any]", text)))
    if not isinstance(text, str):
        return (cast("list[Any]", text) if isinstance(text, list) else [text]), set(), False
    try:
        value: Any = OverridesParser.create().parse_override(f"x={text}").value()
    except HydraException as error:
        raise NotReadable(text) from error
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if isinstance(low, int) and isinstance(high, int):
            return f"integers({low}, {high})", {"integers"}, True
        name = "log_uniform" if "log" in value.tags else "uniform"
        return f"{name}({literal(float(low or 0))}, {literal(float(high or 0))})", {name}, True
    if isinstance(value, RangeSweep):
        return list(value.range()), set(), False
    if isinstance(value, ChoiceSweep):
        return [_plain(each) for each in value.list], set(), False
    return [text if isinstance(value, Glob) else value], set(), False


def _plain(value: Any) -> Any:
    return value.text if hasattr(value, "text") else value


def slurm(found: Settings) -> tuple[str, str, list[str]]:
    """Return the name of the class for a launcher, its fields as Python, and the settings that have no counterpart."""
    rows: list[str] = []
    other: dict[str, Any] = {}
    lost: list[str] = []
    for name, value in found.values.items():
        if value is None or name in KEPT:
            continue
        if name == "timeout_min" and isinstance(value, (int, float)):
            rows.append(f"    hours: Hours = {literal(value / 60)}")
        elif name in SLURM and isinstance(value, (int, str, list)):
            rows.append(f"    {SLURM[name]}: {TYPES[SLURM[name]]} = {laid_out(literal(value), 1, 30)}")
        elif name == "additional_parameters" and isinstance(value, dict):
            other |= {str(key).replace("_", "-"): str(each) for key, each in cast("dict[str, Any]", value).items()}
        else:
            lost.append(f"{name}: {value}")
    if other:
        rows.append(f"    sbatch: dict[str, str] = {laid_out(literal(other), 1, 29)}")
    return camel(slug(found.file.name)), "\n".join(rows), lost


TYPES = {
    "nodes": "Count",
    "gpus": "Annotated[int, Ge(0)]",
    "cpus": "Count | None",
    "memory": "Count | None",
    "partition": "str | None",
    "account": "str | None",
    "qos": "str | None",
    "constraint": "str | None",
    "parallel": "Count | None",
    "setup": "list[str]",
}


def launchers(found: list[tuple[str, str]], places: list[str]) -> str:
    """Return the text of `runs/launch/slurm.py`. found: names and fields of classes."""
    fields = "\n".join(rows for _, rows in found)
    froms = {"cn.launching.launch": {"slurm"}}
    names = {name for name in ("Count", "Hours") if name in fields}
    if names:
        froms["cn.launching.launch.slurm"] = names
    if "Annotated" in fields:
        froms |= {"typing": {"Annotated"}, "annotated_types": {"Ge"}}
    rows = ["from __future__ import annotations", ""]
    for block in blocks(set(), froms):
        rows += [*block, ""]
    for (name, body), place in zip(found, places, strict=True):
        rows += ["", f"class {name}(slurm.Slurm):", *docstring([f"Was {place}."]), *(["", body] if body else []), ""]
    return "\n".join(rows).rstrip("\n") + "\n"


CONTRACT = '''"""Where a run is trained: the launchers of this project, over those of `cn`."""

from cn.launching.launch import Launch as Launch
'''
