"""What holds for every data set: no torch before build, and values out of range refused in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cn import UserError
from data import Data
from data.cifar import Cifar, Hundred
from data.cmnist import Cmnist
from data.diabetes import Diabetes
from data.digits import Digits
from data.linnerud import Linnerud
from data.mnist import Mnist, TenThousand
from data.shapes import Shapes
from data.svhn import Svhn

HOUSE = Path(__file__).parents[2]


@pytest.mark.slow
def test_choosing_a_data_set_imports_nothing_heavy():
    modules = [f"data.{path.stem}" for path in (HOUSE / "data").glob("[!_]*.py")]
    assert len(modules) >= 6
    heavy = {"torch", "numpy", "pooch", "requests", "scipy", "sklearn", "PIL", "rich"}
    code = f"import {', '.join(modules)}, sys; sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True)
    assert done.stderr == "set()\n"


@pytest.mark.parametrize(
    ("cls", "values", "text"),
    [
        (Digits, {"batch_size": 0}, "Digits.batch_size is int >= 1, not 0"),
        (Digits, {"crop": 8}, "crop is 8, and must be 0 to 7 for images of 8x8 pixels"),
        (Mnist, {"crop": -1}, "crop is -1, and must be 0 to 27 for images of 28x28 pixels"),
        (Cifar, {"cutout": 33}, "cutout is 33, and must be 0 to 32 for images of 32x32 pixels"),
        (Digits, {"randaugment": -1}, "Digits.randaugment is int >= 0, not -1"),
        (Cifar, {"magnitude": 31}, "Cifar.magnitude is 0 <= int <= 30, not 31"),
        (Mnist, {"validation": 1.0}, "Mnist.validation is 0 < float < 1, not 1.0"),
        (
            Mnist,
            {"root": Path("a"), "mirror": "http://b"},
            "root and mirror are both given: leave one out, since files in root are never fetched",
        ),
        (Mnist, {"mirror": "/a"}, "mirror is '/a', and must begin with http:// or https://; root takes a folder"),
    ],
)
def test_values_out_of_range(cls, values, text):
    with pytest.raises((ValueError, UserError)) as error:
        cls(**values).check()
    assert str(error.value).split("\n")[0] == text


@pytest.mark.parametrize(
    "node", [Digits(), Mnist(), Cifar(crop=31, cutout=32, randaugment=2, magnitude=30), Mnist(mirror="https://a")]
)
def test_values_in_range(node):
    node.check()


@pytest.mark.parametrize(
    "data", [Digits(), Digits(test=0.3), Diabetes(validation=0.15), Linnerud(), Shapes(count=50)], ids=repr
)
def test_the_number_of_training_examples_is_known_before_they_are_read(data: Data):
    assert data.build(seed=1).length == data.examples()


def test_the_number_of_training_examples_of_published_files_is_known():
    assert [each.examples() for each in (Mnist(), TenThousand(), Cmnist(), Cifar(), Hundred(), Svhn())] == [
        54_000,
        7200,
        54_000,
        45_000,
        45_000,
        65_931,
    ]
    root = HOUSE.parent / "shared" / "data" / "mnist"
    if root.is_dir():
        data = TenThousand(root=root)
        assert data.build(seed=1).length == data.examples()
