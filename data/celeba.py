"""CelebA: faces with 40 attributes, any of which can be the label; and three presets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le

from data import Images

if TYPE_CHECKING:
    from data import Dataset

Attribute = Literal[
    "5_o_clock_shadow", "arched_eyebrows", "attractive", "bags_under_eyes", "bald", "bangs", "big_lips", "big_nose",
    "black_hair", "blond_hair", "blurry", "brown_hair", "bushy_eyebrows", "chubby", "double_chin", "eyeglasses",
    "goatee", "gray_hair", "heavy_makeup", "high_cheekbones", "male", "mouth_slightly_open", "mustache",
    "narrow_eyes", "no_beard", "oval_face", "pale_skin", "pointy_nose", "receding_hairline", "rosy_cheeks",
    "sideburns", "smiling", "straight_hair", "wavy_hair", "wearing_earrings", "wearing_hat", "wearing_lipstick",
    "wearing_necklace", "wearing_necktie", "young",
]  # fmt: skip


class Celeba(Images):
    """202 599 faces (Liu et al. 2015, arXiv:1411.7766), from a folder of your own in the published layout.

    That is `img_align_celeba/`, `list_attr_celeba.txt` and `list_eval_partition.txt`, which splits them by person,
    whatever the seed. The classes are two, without and with the attribute `superclass`; a `subclass` divides each in
    two: not_smiling_not_male, not_smiling_male, smiling_not_male, smiling_male. Decoded images are kept in the cache.
    """

    root: Path | None = None  # folder with the published layout; default: `cn/celeba` in this user's cache
    superclass: Attribute = "smiling"  # attribute that is the label
    subclass: Attribute | None = None  # attribute that divides each class in two, which makes four; null: two classes
    size: Annotated[int, Ge(8), Le(178)] = 64  # pixels, height and width: of each picture's middle square, made smaller
    fraction: Annotated[float, Gt(0), Le(1)] = 1.0  # of each of the three parts, its first images as published

    def side(self) -> int:
        return self.size

    def check(self) -> None:
        super().check()
        if self.superclass == self.subclass:
            raise ValueError(f"superclass and subclass are both {self.superclass!r}: change one, or give subclass=null")

    def build(self, *, seed: int) -> Dataset:
        from data._celeba import class_names, read_celeba
        from data._download import cache

        train, validation, test = read_celeba(
            self.root or cache("celeba"),
            size=self.size,
            fraction=self.fraction,
            superclass=self.superclass,
            subclass=self.subclass,
        )
        classes = class_names(self.superclass, self.subclass)
        return self.assemble(train=train, validation=validation, test=test, classes=classes)


class MaleSmiling(Celeba):
    """Four classes: smiling or not, male or not."""

    superclass: Attribute = "smiling"
    subclass: Attribute | None = "male"


class MaleSmilingSmall(MaleSmiling):
    """The same four on a tenth of the images, 32 pixels wide: a fortieth of the pixels."""

    size: int = 32
    fraction: float = 0.1
