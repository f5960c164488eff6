"""Language models: memory of the loss, tokens a second beside a script, and what frozen blocks save.

`python -m tests.bench.language NAME WORD ...` prints one of its parts as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measure import Command, ratio
from tests.bench.recipe import Turn, told
from tests.bench.table import Row, Setting, at_least, at_most

VOCABULARY, POSITIONS, WIDTH = 50257, 2048, 256  # of the loss whose memory is taken
BATCH, LENGTH = 16, 64  # windows and tokens of the steps that are timed


def language(setting: Setting) -> Iterator[Row]:
    """Peaks of memory are of a process each; steps in turn in one process, whose processor time is taken."""
    peaks = {name: _told("memory", name)["peak"] for name in ("nothing", "chunks", "whole")}
    chunks, whole = (peaks[name] - peaks["nothing"] for name in ("chunks", "whole"))
    note = f"{chunks / 2**20:.0f} MiB, whole {whole / 2**20:.0f} MiB"
    yield at_most("peak memory of the causal loss, 50257 tokens", chunks / whole, 0.5, unit="x", note=note)
    yield from _beside_a_script(setting)
    depth = _told("depth", "3" if setting.quick else "9")
    for block, (took, kept) in enumerate(zip(depth["time"], depth["bytes"], strict=True), 1):
        saved = f"{took:.2f}x (bytes kept for the backward pass {kept / depth['kept']:.2f}x)"
        yield Row(f"depth-time, block {block} of 4, of a classical step's time", saved)


def _beside_a_script(setting: Setting) -> Iterator[Row]:
    """A run's own loop and the script of tests/bench/gpt.py: the same windows, rates, clipping and optimiser."""
    turn = take(setting.folder / "steps", steps=60 if setting.quick else 300)
    rate, by_hand = (turn.examples * LENGTH / median(each["processor"][2:]) for each in (turn.ours, turn.bare))
    note = f"{rate:.0f}, by hand {by_hand:.0f}"
    what = "tokens a second of a GPT-2, 128 wide, 4 blocks, cpu"
    yield at_least(what, 1 / turn.ratio("processor"), 0.97, unit="x", note=note)
    lost = max(abs(a - b) for a, b in zip(turn.losses, turn.logged, strict=True))
    yield at_most("    losses apart by", lost, 1e-4, unit="", note=f"weights by {turn.apart:.2g}")


def take(folder: Path, *, steps: int) -> Turn:
    """Run both in a process of their own, two steps each in turn."""
    _told("steps", str(folder), str(steps))
    return told(folder)


def _told(*words: str) -> dict[str, Any]:
    command = Command(("-m", "tests.bench.language", *words), environment={"OMP_NUM_THREADS": "1"})
    return json.loads(command.run().output.splitlines()[-1])


def _memory(how: str) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    from runs.task._head_loss import head_loss

    hidden = torch.randn(POSITIONS, WIDTH, requires_grad=True)
    weight = torch.randn(VOCABULARY, WIDTH, requires_grad=True)
    targets = torch.randint(VOCABULARY, (POSITIONS,))
    if how == "chunks":
        head_loss(hidden, weight, None, targets)[0].backward()
    elif how == "whole":
        F.cross_entropy(hidden @ weight.T, targets, reduction="sum").backward()
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def _steps(folder: str, steps: str) -> dict[str, Any]:
    import torch

    from cn import Job, compose
    from data.text.python import Python
    from runs._train import train
    from runs.shakespeare import Shakespeare
    from runs.training.classical import Classical
    from tests.bench.gpt_turns import WindowTurns

    torch.set_num_threads(1)
    run = Shakespeare(
        model=_decoder(),
        data=Python(length=LENGTH),
        training=Classical(max_steps=int(steps), batch_size=BATCH),
        callbacks={"turns": WindowTurns(block=2)},
        validate_steps=int(steps),
        gpu=-1,
        folder=Path(folder),
    )
    train(compose(run), Job())
    return {}


def _depth(rounds: int) -> dict[str, Any]:
    """A step of each block's phase, and a classical one: their time, and the bytes that wait for the backward pass."""
    import torch

    def kept(loss_of: Callable[[], Any]) -> int:
        seen: dict[int, int] = {}

        def note(tensor: Any) -> Any:
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss_of()
        return sum(seen.values())

    whole, parts = _training(_encoder(), "classical"), _training(_encoder(), "depth_time")
    batch = whole.dataset.train.batch(torch.arange(BATCH))
    own, weights = parts.objective, list(parts.module.parameters())
    size = sum(each.untyped_storage().nbytes() for each in weights)  # weights are kept in any case
    losses: list[Any] = []

    def classical() -> None:
        whole.objective.loss(whole.module, batch).backward()

    def step(block: int, *, minimize: Callable[..., None]) -> None:
        own.taken = next(each.start for each in own.phases if each.first == block)
        own.step(batch, minimize)

    def backward(loss: Any) -> None:
        loss.backward(inputs=[each for each in weights if each.requires_grad])

    actions = [classical, *(lambda block=block: step(block, minimize=backward) for block in range(4))]
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, found in zip(actions, times, strict=True):
            began = time.process_time()
            action()
            found.append(time.process_time() - began)
    held = kept(lambda: losses.append(whole.objective.loss(whole.module, batch))) - size
    by_block = [kept(lambda block=block: step(block, minimize=losses.append)) - size for block in range(4)]
    return {"time": [ratio(each, times[0]) for each in times[1:]], "bytes": by_block, "kept": held}


def _training(model: Any, how: str) -> Any:
    import torch

    from cn import compose
    from data.text.python import Python
    from runs import _train
    from runs.language import Language
    from runs.training.classical import Classical
    from runs.training.depth_time import DepthTime

    torch.set_num_threads(1)
    node = Classical(max_steps=40) if how == "classical" else DepthTime(max_steps=40)
    run = compose(Language(model=model, data=Python(length=LENGTH, batch_size=BATCH), training=node, gpu=-1))
    found = _train.build(run, Path("unused"), lambda _: None)
    found.module.train()
    return found


def _decoder() -> Any:
    from models.decoder.gpt2_family.small import Small

    return Small(d_model=128, heads=4, layers=4, feed_forward=512, length=LENGTH, vocabulary=None, dropout=0.0)


def _encoder() -> Any:
    from models.encoder.bert_family.tiny import Tiny

    return Tiny(d_model=128, heads=4, layers=4, feed_forward=512, length=LENGTH, vocabulary=None, dropout=0.0)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "memory": _memory,
    "steps": _steps,
    "depth": lambda rounds: _depth(int(rounds)),
}


if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))
