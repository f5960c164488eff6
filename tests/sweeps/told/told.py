"""A run that does as it is told, without torch; steps are saved, so that it can go on."""

from __future__ import annotations

from data import Data
from data.digits import Digits
from models import Model
from models.linear import Linear
from runs import Run


class Told(Run):
    """Counts to `steps`."""

    _libraries_ = ()

    model: Model = Linear()
    data: Data = Digits()
    steps: int | None = 1
    pause: float = 0.0  # s a step
    act: str = ""  # at step `at`: raise, exit, kill, hang, heedless, memory, fill;
    # while outputs/hold is there: hold; stubborn, which does not end when it is asked to
    at: int = 0
    value: float = 0.5
