"""Checks the git status of the code's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cn import UserError
from runs._training.state import Training
from runs.callbacks._hooks import Hooks


class CleanTree(Hooks):
    def __init__(self, *, untracked: bool) -> None:
        self.untracked = untracked

    def on_start(self, training: Training) -> None:
        name = training.name_of(self)
        changed = changes(Path(__file__).parent, untracked=self.untracked, name=name)
        if changed:
            more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
            raise UserError(
                f"{name}: the git tree is not clean, so this run could not be repeated",
                f"changed: {', '.join(changed[:4])}{more}",
                f"commit them (git add -A; git commit), or leave it out: ~{name}",
            )


def changes(folder: Path, *, untracked: bool, name: str = "callbacks.clean_git") -> list[str]:
    """Return the files of the repository around `folder` that differ from its last commit; `name` is for errors."""
    mode = "all" if untracked else "no"
    command = ["git", "-C", str(folder), "status", "--porcelain", "-z", f"--untracked-files={mode}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"{name}: git is not installed, so the tree cannot be looked at") from None
    if asked.returncode:
        raise UserError(f"{name}: git cannot look at the tree: {asked.stderr.strip()}")
    return [entry[3:] for entry in asked.stdout.split("\0") if len(entry) > 3 and entry[2] == " "]
