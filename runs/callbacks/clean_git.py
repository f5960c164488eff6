"""python train.py callbacks=clean_git"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._clean_git import CleanTree


class CleanGit(Callback):
    """Refuses to train with code that git does not have: what is uncommitted or untracked could not be found again."""

    untracked: bool = True  # whether a file that git neither tracks nor ignores counts

    _any_length_ = True

    def build(self) -> CleanTree:
        from runs.callbacks._clean_git import CleanTree

        return CleanTree(untracked=self.untracked)
