"""Images stored on one device as bytes, and normalised there in batches.

n images in all, b in a batch, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from cn import UserError
from data import _randaugment
from data._augment import augment
from data._dataset import Dataset, Split
from data._split import Part


class ImageSplit(Split):
    """Images with one label each."""

    def __init__(
        self,
        images: Tensor,  # n c h w, uint8
        labels: Tensor,  # n, int64
        *,
        scale: Tensor,  # c 1 1
        shift: Tensor,  # c 1 1
        distort: Callable[[Tensor], Tensor] | None = None,  # of levels, 0 to 255, before they are normalised
        augment: Callable[[Tensor], Tensor] | None = None,  # of normalised images
    ) -> None:
        assert images.shape[:1] == labels.shape
        assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
        self.images, self.labels = images, labels
        self.scale, self.shift = scale, shift
        self.distort, self.augment = distort, augment

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised images `b c h w` and labels `b` at `index`, which is on the same device."""
        # index_select copies whole images: 11 us for 128 of CIFAR on one core, where images[index] takes 233
        images = self.images.index_select(0, index).float()
        if self.distort is not None:
            images = self.distort(images)
        images = images.mul_(self.scale).add_(self.shift)
        if self.augment is not None:
            images = self.augment(images)
        return images, self.labels.index_select(0, index)

    def to(self, device: torch.device | str) -> ImageSplit:
        return ImageSplit(
            self.images.to(device),
            self.labels.to(device),
            scale=self.scale.to(device),
            shift=self.shift.to(device),
            distort=self.distort,
            augment=self.augment,
        )


def assemble(
    *,
    train: Part,
    validation: Part,
    test: Part,
    classes: Sequence[str],
    crop: int,
    flip: bool,
    cutout: int,
    randaugment: int = 0,
    magnitude: int = 9,
) -> Dataset:
    """Return a Dataset of arrays; all parts are normalised by statistics of `train`, and only `train` is augmented.

    RandAugment comes before crop and flip, as in its authors' code for CIFAR, and cutout last.
    UserError for RandAugment on images with neither one channel nor three.
    """
    if randaugment and train[0].shape[1] not in (1, 3):
        what = f"data: randaugment takes images of 1 or 3 channels, and these have {train[0].shape[1]}"
        raise UserError(what, "leave it out: data.randaugment=0")
    scale, shift = normalisation(torch.from_numpy(train[0]))
    vary = partial(augment, crop=crop, flip=flip, cutout=cutout) if crop or flip or cutout else None
    distort = partial(_randaugment.randaugment, operations=randaugment, magnitude=magnitude) if randaugment else None

    _, c, h, w = train[0].shape

    def split(part: Part, **vary: Callable[[Tensor], Tensor] | None) -> ImageSplit:
        _refuse(part, (c, h, w), len(classes))
        images, labels = torch.from_numpy(np.ascontiguousarray(part[0])), torch.from_numpy(part[1].astype(np.int64))
        return ImageSplit(images, labels, scale=scale, shift=shift, **vary)

    return Dataset(
        split(train, distort=distort, augment=vary),
        split(validation),
        split(test),
        (c, h, w),
        tuple(classes),
        noun="images",
        pixels=partial(pixels, scale=scale, shift=shift),
    )


def _refuse(part: Part, size: tuple[int, ...], classes: int) -> None:
    """Raise UserError for images of another size than those of training, and for a label that no class has."""
    images, labels = part
    if (own := tuple(images.shape[1:])) != size:
        raise UserError(f"data: images of {own} stand beside training images of {size}: channels, height, width")
    wrong = [int(each) for each in (labels.min(initial=0), labels.max(initial=0)) if not 0 <= each < classes]
    if wrong:
        raise UserError(f"data: the label {wrong[0]} is that of no class; {classes} classes have 0 to {classes - 1}")


def pixels(images: Tensor, *, scale: Tensor, shift: Tensor) -> Tensor:
    """Return the bytes of normalised images `b c h w`; generated values are rounded to bytes."""
    return ((images.float().cpu() - shift) / scale).round().clamp(0, 255).to(torch.uint8)


def normalisation(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return scale and shift, each `c 1 1`, that normalise bytes `n c h w` to mean 0 and deviation 1 per channel.

    Computed exactly, from counts of the 256 levels. A channel that varies by less than one level is only centred.
    """
    levels = torch.arange(256, dtype=torch.float64)
    counts = [torch.bincount(images[:, c].flatten(), minlength=256).double() for c in range(images.shape[1])]
    share = torch.stack([count / count.sum() for count in counts])  # c 256
    mean = share @ levels
    deviation = (share @ levels**2 - mean**2).clamp(min=0).sqrt()
    scale = 1 / deviation.clamp(min=1)
    return rearrange(scale.float(), "c -> c 1 1"), rearrange((-mean * scale).float(), "c -> c 1 1")
