"""Networks on torch's meta device, which have shapes and no weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch


@contextlib.contextmanager
def on_meta() -> Iterator[None]:
    """Build on the meta device. Nothing is drawn: for that, torch would import its compiler, which takes a second."""

    def left(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return tensor

    with torch.device("meta"), mock.patch.multiple(torch.Tensor, normal_=left, uniform_=left):
        yield
