"""The state that a run leaves for others which go on from one of its steps: FOLDER/branches/000195.

The folder of a state holds what a resumed run needs, and appears as a whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from cn.files import link_or_copy

NAME = "branches"


def branch(folder: Path, step: int) -> Path:
    """Return the folder of the state after a step."""
    return folder / NAME / f"{step:06d}"


def leave(folder: Path, step: int, files: Iterable[str]) -> None:
    """Keep these files of a run folder as the state after a step. Checkpoints are linked, other files copied."""
    kept = branch(folder, step)
    if kept.is_dir():
        return
    partial = kept.with_name(f".{kept.name}.partial")  # of one name, so that what a killed process left is removed here
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    carry(folder, partial, files)
    partial.rename(kept)


def carry(source: Path, target: Path, files: Iterable[str]) -> None:
    """Link or copy those of the files that are there; a checkpoint is replaced and never changed, so it is linked."""
    for name in files:
        for path in sorted(source.glob(name)):
            if path.is_dir():
                shutil.copytree(path, target / path.name, dirs_exist_ok=True)
                continue
            beside = target / f".{path.name}.{os.getpid()}"
            beside.unlink(missing_ok=True)
            if path.suffix == ".pt":
                link_or_copy(path, beside)
            else:
                shutil.copy2(path, beside)
            beside.replace(target / path.name)
