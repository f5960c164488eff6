"""Streams: their order, their ends, and where they go on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from cn import RunError
from data import Streamed

ALL = slice(None)


class Numbers:
    """0, 1, 2 ... as examples; what is read is counted."""

    def __init__(self, length: int | None) -> None:
        self.length, self.read = length, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        number = 0
        while self.length is None or number < self.length:
            self.read += 1
            yield {"number": number, "pair": (float(number), torch.tensor([number, -number]))}
            number += 1


class Placed(Numbers):
    """The same, which can go on from a place; each pass begins at its own number."""

    def __init__(self, length: int | None) -> None:
        super().__init__(length)
        self.place, self.first = 0, 0

    def set_epoch(self, epoch: int) -> None:
        self.first, self.place = 100 * epoch, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while self.length is None or self.place < self.length:
            self.place += 1
            self.read += 1
            yield {"number": self.first + self.place - 1}

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


def numbers(batches: Iterator[Any], count: int) -> list[list[int]]:
    return [each["number"].tolist() for each in islice(batches, count)]


def test_a_batch_is_what_the_examples_are():
    (batch,) = islice(Streamed(Numbers(None)).batches(3, ALL), 1)
    assert batch["number"].tolist() == [0, 1, 2]
    floats, pairs = batch["pair"]
    assert (floats.dtype, floats.tolist()) == (torch.float64, [0, 1, 2])
    assert pairs.tolist() == [[0, 0], [1, -1], [2, -2]]


def test_at_its_end_it_begins_again_and_no_batch_is_short():
    assert numbers(Streamed(Numbers(5), length=5).batches(2, ALL), 4) == [[0, 1], [2, 3], [4, 0], [1, 2]]
    assert numbers(Streamed(Placed(3), length=3).batches(2, ALL), 3) == [[0, 1], [2, 100], [101, 102]]


def test_each_process_keeps_its_part_of_the_same_batches():
    parts = [numbers(Streamed(Numbers(None)).batches(5, slice(rank, None, 2)), 2) for rank in (0, 1)]
    assert parts == [[[0, 2, 4], [5, 7, 9]], [[1, 3], [6, 8]]]


@pytest.mark.parametrize("kind", [Numbers, Placed])
@pytest.mark.parametrize("taken", range(8))
def test_it_goes_on_where_it_was(kind, taken):
    """After any number of batches, ends of passes and of batches among them."""
    whole = numbers(Streamed(kind(6), length=6).batches(3, ALL), 8)
    first = Streamed(kind(6), length=6)
    begun = numbers(first.batches(3, ALL), taken)
    second = Streamed(kind(6), length=6)
    second.load_state_dict(first.state_dict())
    assert begun + numbers(second.batches(3, ALL), 8 - taken) == whole


def test_one_that_knows_its_place_reads_nothing_that_came_before():
    first = Streamed(Placed(None))
    numbers(first.batches(4, ALL), 25)
    examples = Placed(None)
    second = Streamed(examples)
    second.load_state_dict(first.state_dict())
    assert numbers(second.batches(4, ALL), 1) == [[100, 101, 102, 103]]
    assert examples.read == 4


def _shuffled(length: int) -> Any:
    """A stream of the library `datasets`, shuffled in a buffer, in a wrapping of several layers."""
    import datasets

    rows = datasets.Dataset.from_dict({"number": list(range(length))}).to_iterable_dataset(num_shards=2)
    shuffled = rows.shuffle(seed=3, buffer_size=4)
    return datasets.interleave_datasets([shuffled, rows]).map(lambda row: {"number": 2 * row["number"]})


@pytest.mark.parametrize("taken", [1, 3, 5, 7])
def test_one_that_shuffles_in_a_buffer_loses_no_example_of_it(taken):
    """The state that the library gives lacks the buffer's content."""
    pytest.importorskip("datasets")
    whole = numbers(Streamed(_shuffled(6), length=12).batches(3, ALL), 8)
    first, second = Streamed(_shuffled(6), length=12), Streamed(_shuffled(6), length=12)
    begun = numbers(first.batches(3, ALL), taken)
    second.load_state_dict(first.state_dict())
    assert begun + numbers(second.batches(3, ALL), 8 - taken) == whole


def test_batches_of_a_step_are_read_before_the_first_of_them_is_given():
    examples = Numbers(None)
    batches = Streamed(examples).batches(2, ALL, together=3)
    next(batches)
    assert examples.read == 6
    next(batches)
    assert examples.read == 6


def test_a_stream_of_nothing_is_refused():
    with pytest.raises(RunError) as caught:
        next(Streamed(Numbers(0)).batches(2, ALL))
    assert str(caught.value) == "Numbers gave no example: a stream must have one"


def test_what_is_finished_is_made_on_the_device():
    def double(batch: Any) -> Tensor:
        assert batch["number"].device.type == "meta"
        return batch["number"] * 2

    stream = Streamed(Numbers(None), finish=double).to("meta")
    (batch,) = islice(stream.batches(2, ALL), 1)
    assert (batch.shape, batch.device.type) == ((2,), "meta")
