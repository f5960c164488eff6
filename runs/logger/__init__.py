"""Loggers: destinations of metrics in addition to the run folder's metrics.jsonl."""

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
        """Return the packages that `build` imports and a plain installation lacks; the extra `track` installs them."""
        return ()

    @abstractmethod
    def build(self, folder: Path) -> Writer:
        """Return the writer for a run folder, which a resumed run may have used before; called on its own thread."""
