"""Settings of Hydra that have a counterpart: those of a sweeper, and a submitit launcher, which is a Slurm."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, cast

from cn.importing.reading.yaml_files import File
from cn.importing.writing.imports import head
from cn.importing.writing.layout import docstring, laid_out, literal

SLURM = {  # of submitit -> of Slurm, with the annotation
    "nodes": "nodes: Count",
    "gpus_per_node": "gpus: Annotated[int, Ge(0)]",
    "cpus_per_task": "cpus: Count | None",
    "mem_gb": "memory: Count | None",
    "partition": "partition: str | None",
    "account": "account: str | None",
    "qos": "qos: str | None",
    "constraint": "constraint: str | None",
    "array_parallelism": "parallel: Count | None",
    "setup": "setup: list[str]",
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


def slurm(found: Settings) -> tuple[str, list[str]]:
    """Return the fields of the class for a launcher as Python, and the settings that have no counterpart."""
    rows: list[str] = []
    other: dict[str, Any] = {}
    lost: list[str] = []
    for name, value in found.values.items():
        if value is None or name in KEPT:
            continue
        if name == "timeout_min" and isinstance(value, (int, float)):
            rows.append(f"    hours: Hours = {literal(value / 60)}")
        elif name in SLURM and isinstance(value, (int, str, list)):
            rows.append(f"    {SLURM[name]} = {laid_out(literal(value), 1, 30)}")
        elif name == "additional_parameters" and isinstance(value, dict):
            other |= {str(key).replace("_", "-"): str(each) for key, each in cast("dict[str, Any]", value).items()}
        else:
            lost.append(f"{name}: {value}")
    if other:
        rows.append(f"    sbatch: dict[str, str] = {laid_out(literal(other), 1, 29)}")
    return "\n".join(rows), lost


def launchers(found: list[tuple[str, str]], places: list[str]) -> str:
    """Return the text of `runs/launch/slurm.py`. found: names and fields of classes."""
    fields = "\n".join(rows for _, rows in found)
    froms = {"cn.launching.launch": {"slurm"}}
    names = {name for name in ("Count", "Hours") if name in fields}
    if names:
        froms["cn.launching.launch.slurm"] = names
    if "Annotated" in fields:
        froms |= {"typing": {"Annotated"}, "annotated_types": {"Ge"}}
    rows = head(froms)
    for (name, body), place in zip(found, places, strict=True):
        rows += ["", f"class {name}(slurm.Slurm):", *docstring([f"Was {place}."]), *(["", body] if body else []), ""]
    return "\n".join(rows).rstrip("\n") + "\n"


CONTRACT = '''"""Where a run is trained: the launchers of this project, over those of `cn`."""

from cn.launching.launch import Launch as Launch
'''
