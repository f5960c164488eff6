"""The run of a command without `run=`."""

from __future__ import annotations

from data.noisy_line import NoisyLine
from models.line import Line

from data import Data
from models import Model
from runs import Run


class Default(Run):
    """A line through points near a line: an error of about the noise."""

    model: Model = Line()
    data: Data = NoisyLine()
