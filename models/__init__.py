"""Networks; `models/vit.py` is chosen by `model=vit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cn import CN, instantiate

if TYPE_CHECKING:
    from torch import nn


class Model(CN):
    """What every model promises; its sizes come from the data.

    A node that names its target in `_target_` and holds the target's arguments as fields needs no code. Its sizes are
    fields then, and are refused before the first step where they do not fit the data.
    """

    _needs: ClassVar[tuple[str, ...]] = ()  # of what a data set holds: images
    _gives: ClassVar[Literal["numbers", "maps"]] = "numbers"  # for each example, or for each pixel of an image

    def packages(self) -> tuple[str, ...]:
        """The names of what `build` imports and a plain installation lacks: the extra `hub` brings it."""
        return ()

    def build(self, *, inputs: Any, classes: int) -> nn.Module:
        """A network from examples `b ...` to `b classes`, or to `b classes h w` where it gives maps.

        inputs: the shape of one example: c h w of an image, f of a table's row. A model of images alone says
            `_needs = ("images",)`, and is refused for anything else before the run begins.
        classes: how many numbers it gives for each example: one logit a class, or what else its task wants.
        """
        return instantiate(self)
