"""The primary configs to import: those that the command names, or all files at the top of the tree."""

from __future__ import annotations

from pathlib import Path

from cn.errors import UserError, hint
from cn.importing.reading.yaml_files import File


def primaries(root: Path, files: dict[str, File], named: list[str]) -> list[str]:
    """Return the primary configs. Raises UserError for a name that is none, and for a folder without any."""
    top = [file.name for file in files.values() if not file.group and not file.types]
    if not top:
        why = f"{root} holds no YAML file itself, so it has no primary config"
        raise UserError(why, _below(root, files, named) or "write: the folder that Hydra's config_path names")
    for name in named:
        if name in top:
            continue
        if name in files:
            what = f"{name}.yaml is an option of the group {files[name].group}, and a primary config is no option"
            raise UserError(f"--primary {name}: {what}", f"choose from: {', '.join(sorted(top))}")
        raise UserError(f"--primary {name}: {root} has no {name}.yaml", hint(name, top))
    return named or sorted(top)


def _below(root: Path, files: dict[str, File], named: list[str]) -> str | None:
    """Return the folder below that holds the primary config, or what looks like one."""
    held = [file for file in files.values() if file.name in named] or [
        file for file in files.values() if any(entry.group is not None for entry in file.entries)
    ]
    folders = sorted({file.group for file in held}, key=lambda each: (each.count("/"), each))
    return f"nearest: {root / folders[0]}" if folders else None
