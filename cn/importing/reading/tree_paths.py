"""The YAML files below a folder, as Hydra finds them: links are followed, and hidden folders are left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cn.errors import UserError

ENDINGS = (".yaml", ".yml")


def yaml_paths(root: Path) -> list[Path]:
    """Return the path of each file below a folder, in order. UserError for a folder that cannot be read."""
    return sorted(_below(root, (root.resolve(),)))


def _below(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the files below a folder. above: the folders that it stands in, to which a link may lead back."""
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise UserError(f"{folder} cannot be read", f"{type(error).__name__}: {error.strerror}") from None
    for each in entries:
        path = folder / each.name
        if each.is_dir():
            real = path.resolve()
            if not each.name.startswith(".") and real not in above:
                yield from _below(path, (*above, real))
        elif path.suffix in ENDINGS and each.is_file():
            yield path


def shadowed(paths: list[Path]) -> dict[Path, Path]:
    """Return each `a.yml` beside which an `a.yaml` stands, with that file, which Hydra reads."""
    best, other = ENDINGS
    found = {path: path.with_suffix(best) for path in paths if path.suffix == other}
    return {path: preferred for path, preferred in found.items() if preferred in paths}
