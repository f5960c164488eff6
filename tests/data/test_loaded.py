"""Examples made by worker processes: what is given follows from the seed, the epoch and the index alone."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data import BadExample, Loaded
from data.folder import Folder
from tests.data.pictures import empty, write

COUNT = 23
EPOCHS = [(epoch, list(torch.randperm(COUNT).split(4))) for epoch in (0, 1)]


class Drawn:
    """Each example is drawn from all three global generators; some cannot be made."""

    def __init__(self, bad: tuple[int, ...] = (), count: int = COUNT) -> None:
        self.bad, self.count = bad, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        if index in self.bad:
            raise ValueError(f"no\n {index}")
        drawn = (random.random(), np.random.rand(2), torch.rand(3))
        return {"index": index, "drawn": drawn}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write(tmp_path / "root", train=COUNT, validation=4, test=4)


def numbers(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch]
    return [part for each in (batch.values() if isinstance(batch, dict) else batch) for part in numbers(each)]


def given(split: Any, epochs: Any = EPOCHS) -> list[list[Tensor]]:
    return [numbers(batch) for batch in split.batches(epochs)]


def same(one: list[list[Tensor]], other: list[list[Tensor]]) -> bool:
    pairs = [(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def generators() -> list[Any]:
    return [random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]


def drawn(workers: int, seed: int = 1, **how: Any) -> Loaded:
    return Loaded(Drawn(), seed=seed, workers=workers, **how)


def folder(workers: int, seed: int = 1, *, root: Path = Path("root")) -> Any:
    return Folder(root=root, size=8, workers=workers).build(seed=seed).train


@pytest.fixture(params=[drawn, folder])
def split(request: pytest.FixtureRequest, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(pictures.parent)
    return request.param


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bits(split):
    none, one, three = (given(split(workers)) for workers in (0, 1, 3))
    assert len(none) == 12
    assert same(none, one)
    assert same(none, three)
    assert not same(none, given(split(0, seed=2)))


def test_epochs_differ_and_an_epoch_alone_is_what_it_is_among_others(split):
    both = given(split(1))
    assert same(given(split(1), EPOCHS[1:]), both[6:])
    again = given(split(0), [(1, EPOCHS[0][1])])
    assert not same(again, both[:6])


def test_an_example_does_not_depend_on_those_beside_it(split):
    index = EPOCHS[0][1][0]
    whole = given(split(0), [(0, [index])])[0]
    alone = given(split(0), [(0, list(index.split(1)))])
    assert same([whole], [[torch.cat(parts) for parts in zip(*alone, strict=True)]])


@pytest.mark.parametrize("workers", [0, 2])
def test_the_generators_of_this_process_are_left_alone(split, workers):
    before = generators()
    given(split(workers))
    split(workers).batch(torch.arange(3))
    assert generators() == before


@pytest.mark.slow
def test_two_ranks_together_see_what_one_sees(split):
    one = given(split(1))
    parts = [given(split(1), [(e, [each[rank::2] for each in some]) for e, some in EPOCHS]) for rank in (0, 1)]
    for whole, a, b in zip(one, *parts, strict=True):
        for tensor, even, odd in zip(whole, a, b, strict=True):
            assert torch.equal(tensor[::2], even)
            assert torch.equal(tensor[1::2], odd)


def test_the_evaluation_of_an_image_is_the_same_each_time(pictures):
    validation = Folder(root=pictures, size=8, workers=1).build(seed=1).validation
    index = torch.arange(4)
    assert same([numbers(validation.batch(index))], given(validation, [(None, [index])]))
    other = Folder(root=pictures, size=8, workers=1).build(seed=2).validation
    assert same([numbers(validation.batch(index))], [numbers(other.batch(index))])


@pytest.mark.parametrize("workers", [0, 2])
def test_one_that_cannot_be_made_is_an_error_that_names_it(workers):
    split = Loaded(Drawn(bad=(7,)), seed=1, workers=workers)
    with pytest.raises(BadExample) as caught:
        given(split)
    assert str(caught.value) == (
        "example 7: ValueError: no 7\n  to leave out what cannot be read: data.on_damaged=skip"
    )
    assert multiprocessing.active_children() == []  # while the error is still held


@pytest.mark.parametrize("workers", [0, 2])
def test_in_training_the_next_takes_the_place_of_one_that_is_skipped(workers):
    split = Loaded(Drawn(bad=(7, 8, COUNT - 1)), seed=1, workers=workers, on_damaged="skip")
    found = torch.cat([each["index"] for each in split.batches(EPOCHS[:1])]).tolist()
    wanted = [{7: 9, 8: 9, COUNT - 1: 0}.get(each, each) for each in torch.cat(EPOCHS[0][1]).tolist()]
    assert found == wanted
    assert split.damaged == {f"example {each}": f"ValueError: no {each}" for each in (7, 8, COUNT - 1)}


@pytest.mark.parametrize("workers", [0, 2])
def test_in_an_evaluation_one_that_is_skipped_is_not_counted(workers):
    """Where it is alone in its batch another one is given, so that networks get no empty batch."""
    split = Loaded(Drawn(bad=(1, 4, 5)), seed=1, workers=workers, on_damaged="skip")
    parts = list(torch.arange(8).split(2))
    found = [(each["index"].tolist(), split.counts) for each in split.batches([(None, parts)])]
    assert found == [([0], True), ([2, 3], True), ([6], False), ([6, 7], True)]


@pytest.mark.parametrize("epoch", [0, None])
def test_where_none_can_be_made_it_says_so(epoch):
    split = Loaded(Drawn(bad=tuple(range(COUNT))), seed=1, workers=1, on_damaged="skip")
    with pytest.raises(BadExample, match=f"^none of {COUNT} examples can be read: example 3: ValueError: no 3$"):
        given(split, [(epoch, [torch.tensor([3, 4])])])


def test_so_many_batches_are_made_before_the_first_is_given():
    """Else a run would stop amid the batches of a step."""
    split = Loaded(Drawn(bad=(5,)), seed=1, workers=1)
    found = split.batches([(0, list(torch.arange(9).split(2)))], together=2)
    assert [next(found)["index"].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(BadExample):
        next(found)


@pytest.mark.slow
def test_one_that_is_killed_is_an_error_and_the_others_end():
    split = Loaded(Drawn(), seed=1, workers=2)
    found = split.batches([(epoch, EPOCHS[0][1]) for epoch in range(50)])
    next(found)
    killed = multiprocessing.active_children()[0].pid
    os.kill(killed or 0, signal.SIGKILL)
    with pytest.raises(BadExample) as caught:
        list(found)
    said = "a process that makes examples has died, as where memory or room in /dev/shm is short"
    assert str(caught.value) == f"{said}\n  process {killed} was ended by SIGKILL\n  fewer processes: data.workers=1"
    assert multiprocessing.active_children() == []


class Slow(Drawn):
    def __getitem__(self, index: int, /) -> dict[str, Any]:
        if index:
            time.sleep(600)
        return super().__getitem__(index)


@pytest.mark.slow
def test_one_that_does_not_end_is_killed():
    found = Loaded(Slow(), seed=1, workers=1).batches([(0, [torch.tensor([0]), torch.tensor([1])])])
    next(found)
    found.close()  # pyright: ignore
    assert multiprocessing.active_children() == []


def test_a_signal_to_a_worker_is_not_heard():
    found = Loaded(Drawn(), seed=1, workers=2).batches(EPOCHS)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid or 0, signal.SIGTERM)
    first = [next(found)]
    for worker in multiprocessing.active_children():
        os.kill(worker.pid or 0, signal.SIGINT)
        os.kill(worker.pid or 0, signal.SIGTERM)
    assert len(first + list(found)) == 12


def test_a_file_that_vanishes_is_named(pictures):
    train = folder(1, root=pictures)
    path = pictures / "train" / "dog" / "001.jpg"
    path.unlink()
    with pytest.raises(BadExample) as caught:
        given(train)
    assert str(caught.value) == (
        f"{path}: [Errno 2] No such file or directory: '{path}'\n"
        "  to leave out what cannot be read: data.on_damaged=skip"
    )


def test_an_example_that_another_device_is_given_is_left_out_of_the_same_list(pictures):
    empty(pictures / "validation" / "cat" / "000.jpg")
    data = Folder(root=pictures, size=8, workers=0, on_damaged="skip").build(seed=1)
    assert data.to("cpu").validation.batch(torch.arange(4))[1].tolist() == [0, 1, 1]
    assert isinstance(data.validation, Loaded)
    assert list(data.validation.damaged) == [str(pictures / "validation" / "cat" / "000.jpg")]
