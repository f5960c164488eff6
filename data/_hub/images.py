"""Images in a column of a table: encoded in the column, or in files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt

from cn import UserError
from cn.errors import short
from data._hub.columns import classes, kind
from data._hub.source import Source


class Column:
    """Images of one part. They stay in the memory-mapped table, which worker processes share."""

    def __init__(self, source: Source, part: str, column: str, labels: npt.NDArray[np.int64]) -> None:
        self.rows: Any = source.parts[part].select_columns([column]).with_format("arrow")
        self.column, self.labels = column, labels
        self.place = f"split {source.splits[part]} of {source.said}"

    def open(self, index: int) -> Path | BytesIO:
        content, path = self._held(index)
        if content is not None:
            return BytesIO(content)
        if path is None:
            raise OSError("it has no image")
        return Path(path)

    def name(self, index: int) -> str:
        content, path = self._held(index)
        return f"row {index + 1} of {self.place}" if content is not None or path is None else path

    def _held(self, index: int) -> tuple[bytes | None, str | None]:
        """Return the content of an image, and the path of its file; either may be None."""
        held = self.rows[index][self.column][0].as_py()
        if isinstance(held, bytes):
            return held, None
        return (None, None) if held is None else (held["bytes"], held["path"])


def stored(source: Source, *, image: str | None, target: str) -> tuple[Mapping[str, Column], list[str]]:
    """Return the images of each part with their labels, and the classes."""
    column = _only(source) if image is None else image
    source.require("image", column)
    if not _has_images(source.features[column]):
        held = kind(source.features[column])
        what = f"data.image={short(column)}: {source.said} holds {held} there, and no images"
        raise UserError(what, _others(source))
    labels, names = classes(source, target)
    return {part: Column(source, part, column, own) for part, own in labels.items()}, names


def _only(source: Source) -> str:
    found = [name for name, feature in source.features.items() if isinstance(feature, datasets.Image)]
    if len(found) == 1:
        return found[0]
    if found:
        what = f"{source.said} has {len(found)} columns of images: {short(', '.join(found))}"
        raise UserError(what, f"write: data.image={found[0]}")
    what = f"{source.said} has no column of images; its columns: {short(', '.join(source.features))}"
    raise UserError(what, _others(source))


def _others(source: Source) -> str:
    """Return a suggestion of another column or data node."""
    if found := [name for name, feature in source.features.items() if _has_images(feature)]:
        return f"nearest: data.image={found[0]}"
    return "rows of numbers are read by data=hub/table (a class each) and task=regress data=hub/numbers"


def _has_images(feature: Any) -> bool:
    """Return whether a column holds images, or encoded bytes."""
    if isinstance(feature, dict):
        return set(feature) == {"bytes", "path"}
    held = isinstance(feature, datasets.Value) and feature.dtype in ("binary", "large_binary")
    return held or isinstance(feature, datasets.Image)
