"""Tables of numbers, and shapes that are made on the spot."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cn
from data import Dataset
from data._shapes import CLASSES
from data._table import measured
from data.diabetes import Diabetes
from data.linnerud import Linnerud
from data.shapes import Shapes


def whole(data: Dataset, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    split = getattr(data, part)
    return split.batch(torch.arange(len(split)))


@pytest.mark.parametrize(
    ("node", "sizes", "inputs", "targets"),
    [
        (Diabetes(), (310, 44, 88), (10,), ("progression",)),
        (Linnerud(), (14, 2, 4), (3,), ("weight", "waist", "pulse")),
    ],
    ids=["diabetes", "linnerud"],
)
def test_a_table_is_divided_and_scaled_by_its_training_part_alone(node, sizes, inputs, targets):
    data = node.build(seed=1)
    assert tuple(map(len, (data.train, data.validation, data.test))) == sizes
    assert (data.inputs, data.targets, data.classes, data.noun) == (inputs, targets, (), "rows")
    for table in whole(data, "train"):
        torch.testing.assert_close(table.mean(0), torch.zeros(table.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(table.std(0, correction=0), torch.ones(table.shape[1]), atol=1e-5, rtol=0)
    assert whole(data, "test")[0].mean(0).abs().max() > 1e-3


def test_every_row_is_in_one_part_and_the_unit_gives_the_numbers_back():
    data = Diabetes().build(seed=3)
    values = torch.cat([whole(data, part)[1] for part in ("train", "validation", "test")])[:, 0].double()
    from sklearn.datasets import load_diabetes  # takes a second

    published = torch.from_numpy(load_diabetes().target)
    assert data.unit is not None
    back = values * data.unit[0]
    back += published.mean() - back.mean()
    torch.testing.assert_close(back.sort().values, published.sort().values, atol=1e-3, rtol=0)


def test_another_seed_holds_out_other_rows():
    one, same, other = (whole(Diabetes().build(seed=seed), "test")[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_part_without_rows_is_refused():
    with pytest.raises(cn.UserError) as caught:
        Linnerud(validation=0.01).build(seed=1)
    assert str(caught.value) == ("20 rows are too few to hold out 0.01, 0.2 of them: the parts would have 0, 4, 16")


@pytest.mark.parametrize(
    ("cls", "values", "text"),
    [
        (
            Diabetes,
            {"validation": 0.5, "test": 0.5},
            "validation is 0.5 and test is 0.5: both together must be below 1",
        ),
        (Shapes, {"count": 3}, "Shapes.count is int >= 4, not 3"),
        (Shapes, {"size": 15}, "Shapes.size is int >= 16, not 15"),
        (Shapes, {"noise": -1.0}, "Shapes.noise is 0 <= float < inf, not -1.0"),
    ],
)
def test_values_out_of_range(cls, values, text):
    with pytest.raises((ValueError, cn.UserError)) as error:
        cls(**values).check()
    assert str(error.value).split("\n")[0] == text


def test_shapes_have_a_mask_that_fits_the_image_where_there_is_no_noise():
    data = Shapes(noise=0.0, count=40).build(seed=1)
    images, masks = whole(data, "train")
    assert (images.shape, masks.shape, masks.dtype) == ((40, 1, 32, 32), (40, 32, 32), torch.int64)
    assert torch.equal(images[:, 0] > images.min() + 0.1, masks > 0)
    assert masks.unique().tolist() == list(range(len(CLASSES)))
    assert (len(data.validation), len(data.test)) == (10, 10)


def test_shapes_follow_from_the_seed_and_one_part_does_not_change_another():
    one, same, more, other = (Shapes(count=n).build(seed=seed) for n, seed in ((40, 1), (40, 1), (80, 1), (40, 2)))
    assert torch.equal(whole(one, "test")[0], whole(same, "test")[0])
    assert torch.equal(one.train.images, more.train.images[:40])
    assert not torch.equal(whole(one, "test")[0], whole(other, "test")[0])


def test_a_column_that_is_constant_in_training_is_only_centred() -> None:
    """The mean of equal numbers is rounded, so their deviation is not exactly 0."""
    features = np.full((100, 2), 0.1)
    features[:, 1] = np.arange(100)
    features[95:, 0] = 0.2
    parts = (np.arange(80), np.arange(80, 90), np.arange(90, 100))
    data = measured(features, np.arange(100.0)[:, None], parts, targets=["it"])
    assert data.test.features[:, 0].tolist() == pytest.approx([0.0] * 5 + [0.1] * 5, abs=1e-6)
