"""Where metrics go besides the run folder's own metrics.jsonl."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from cn import CN
from cn.lazy import lazily

if TYPE_CHECKING:
    from runs.logger._writer import Writer as Writer

__getattr__ = lazily(__name__, Writer="runs.logger._writer")


class Logger(CN):
    """One of several that a run holds by name: `logger=[csv,tensorboard]`."""

    def packages(self) -> tuple[str, ...]:
        """The names of what `build` imports and a plain installation lacks: the extra `track` brings it."""
        return ()

    @abstractmethod
    def build(self, folder: Path) -> Writer:
        """The writer for a run folder, which may hold what an earlier part of the run wrote; on a thread of its own."""
