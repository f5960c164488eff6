"""python train.py callbacks=predictions"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._predictions import Shown


class Predictions(Callback):
    """Shows what the network makes of validation examples, after each validation: predictions/STEP.png, or .txt

    Of images there are 16; with classes they are 16 of the first 256, the wrong ones first.
    """

    _any_length_ = True

    def build(self) -> Shown:
        from runs.callbacks._predictions import Shown

        return Shown()
